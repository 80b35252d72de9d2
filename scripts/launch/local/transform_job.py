"""Runs a transform job on this machine: serves the model, and sends it the input in requests.

As in https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html. Which parameters of a request it
honours stands in ``launch.local.honoured_parameters``.
"""

import collections
import contextlib
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from launch.aws.storage import join
from launch.cli.errors import JobFailed
from launch.local import records
from launch.local.engines import Workload
from launch.local.job import STOPPED, LocalJob, Stop
from launch.local.ml_tree import unpack
from launch.local.records import MODELS, TRANSFORM_JOBS, JobRecord
from launch.local.transform_records import DataProcessing, Request, assembled, requests_of

SECONDS_TO_START = 60
SECONDS_TO_ANSWER = 3600
BYTES_PER_CHUNK = 64 * 1024
DEFAULTS = {"MaxConcurrentTransforms": 1, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}
"""SageMaker's, where neither the request nor the container says otherwise."""
STRATEGIES = {"MultiRecord": "MULTI_RECORD", "SingleRecord": "SINGLE_RECORD"}
"""What containers call the values of BatchStrategy."""


class TransformJob(LocalJob):
    """A transform job; its record has the CreateModel request of its model."""

    def __init__(self, name: str, record: JobRecord) -> None:
        super().__init__(TRANSFORM_JOBS, name, record)

    def run(self) -> None:
        """Remove the model too if it was created for this job alone: ``transform.py`` may have been killed."""
        try:
            super().run()
        finally:
            if self.request["ModelName"] == self.name:
                records.remove(MODELS, self.name)

    def work(self) -> None:
        """See ``LocalJob``."""
        assert self.record.model_request is not None, "each transform job is created with its model"
        container = self.record.model_request["PrimaryContainer"]
        ml = self.folder / "ml"
        archive = self.folder / "model.tar.gz"
        self.set_status("Starting", "Starting the container")
        self.storage.download(container["ModelDataUrl"], archive)
        unpack(archive, ml / "model", container["ModelDataUrl"])
        environment = {**container.get("Environment", {}), **self.request.get("Environment", {})}
        environment |= _batch_variables(self.request)
        workload, url = self.make_engine(container["Image"]).serve(ml, self.name, environment)
        reader = threading.Thread(target=self._read, args=(workload,))
        reader.start()
        try:
            no_limit = httpx.Limits(max_connections=None)
            with httpx.Client(base_url=url, trust_env=False, timeout=SECONDS_TO_ANSWER, limits=no_limit) as client:
                self._wait_until_healthy(client, reader)
                self._transform(client, execution_parameters(self.request, client))
        finally:
            workload.stop()
            reader.join()
        shutil.rmtree(ml)
        archive.unlink()

    def _read(self, workload: Workload) -> None:
        """Write the container's lines to the job's log."""
        folder = self.folder / "logs"
        folder.mkdir()
        with (folder / "transform.log").open("w", encoding="utf-8", buffering=1) as log:
            for line in workload.lines():
                log.write(line + "\n")

    def _wait_until_healthy(self, client: httpx.Client, reader: threading.Thread) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline and reader.is_alive():
            with contextlib.suppress(httpx.TransportError):
                if client.get("/ping", timeout=2).status_code == 200:
                    return
            if self.stop_requested.wait(0.1):
                raise Stop(STOPPED)
        raise JobFailed("AlgorithmError: the container was not healthy")

    def _transform(self, client: httpx.Client, execution: "ExecutionParameters") -> None:
        """Transform each input file into an output file."""
        target = self.request["TransformOutput"]
        uri = self.request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        folder = self.folder / "input"
        is_file = [file.path for file in self.storage.find(uri)] == [""]
        for path in self.storage.download(uri, folder / uri.rpartition("/")[2] if is_file else folder):
            name = f"{path.relative_to(folder)}.out"
            output = self.folder / "output" / name
            output.parent.mkdir(parents=True, exist_ok=True)
            with output.open("wb") as written:
                for answer in self._answers(client, path, execution):
                    written.write(assembled(answer, target.get("AssembleWith") == "Line"))
            self.storage.upload(output, join(target["S3OutputPath"], name))

    def _answers(self, client: httpx.Client, path: Path, execution: "ExecutionParameters") -> Iterator[bytes]:
        """Yield what is stored for an input file, request by request in the file's order; several are under way."""
        processing = DataProcessing(self.request)
        splits = self.request["TransformInput"].get("SplitType", "None") != "None"
        content, limit = path.read_bytes(), execution.payload_bytes
        requests = requests_of(path.name, content, splits, execution.several, limit, processing)
        pending: collections.deque[Future[bytes]] = collections.deque()
        with ThreadPoolExecutor(execution.at_once) as senders:
            try:
                for number, request in enumerate(requests, 1):
                    if len(pending) == 2 * execution.at_once:  # the next ones wait ready, not the whole file
                        yield pending.popleft().result()
                    place = f"{path.name}, request {number}"
                    pending.append(senders.submit(self._ask, client, request, place, processing, limit is None))
                while pending:
                    yield pending.popleft().result()
            finally:
                senders.shutdown(wait=False, cancel_futures=True)

    def _ask(
        self, client: httpx.Client, request: Request, place: str, processing: DataProcessing, is_chunked: bool
    ) -> bytes:
        """Send a request; return what of its answer is stored.

        Raises:
            Stop: The job is to end.
            JobFailed: The container answers with an error, or not with what a join needs.
        """
        if self.stop_requested.is_set():
            raise Stop(STOPPED)
        headers = {
            "Content-Type": self.request["TransformInput"].get("ContentType", ""),
            "Accept": self.request["TransformOutput"].get("Accept", ""),
        }
        body = request.body
        pieces = (body[start : start + BYTES_PER_CHUNK] for start in range(0, len(body), BYTES_PER_CHUNK))
        try:
            answer = client.post(
                "/invocations",
                content=pieces if is_chunked else body,
                headers={name: value for name, value in headers.items() if value},
            )
        except httpx.TransportError as error:
            raise JobFailed(f"AlgorithmError: {place}: the container does not answer: {error}") from None
        if answer.status_code != 200:
            raise JobFailed(f"ClientError: {place}: the container answered {answer.status_code}: {answer.text}")
        try:
            return processing.finish(request.records, answer.content)
        except ValueError as error:
            raise JobFailed(f"ClientError: {place}: {error}") from None


@dataclass(frozen=True)
class ExecutionParameters:
    """How records are sent.

    Attributes:
        at_once: requests under way.
        payload_bytes: of a request; None for no limit.
        several: whether a request has as many records as fit.
    """

    at_once: int
    payload_bytes: int | None
    several: bool


def execution_parameters(request: Mapping[str, Any], client: httpx.Client) -> ExecutionParameters:
    """Return what the job's request says; what it does not say, the container says, or else SageMaker's defaults hold.

    Raises:
        JobFailed: The container says something that it may not.
    """
    try:
        answer = client.get("/execution-parameters")
    except httpx.TransportError as error:
        raise JobFailed(f"AlgorithmError: GET /execution-parameters: the container does not answer: {error}") from None
    offered = {}
    if answer.status_code == 200:
        try:
            offered = {**DEFAULTS, **answer.json()}
            sizes = [offered["MaxConcurrentTransforms"], offered["MaxPayloadInMB"]]
            if any(type(size) is not int or size < 0 for size in sizes):
                raise ValueError
        except (ValueError, TypeError):
            reason = f"GET /execution-parameters answered {answer.text[:200]!r}"
            raise JobFailed(f"AlgorithmError: {reason}, expected an object as {DEFAULTS}") from None
    strategies = {value: key for key, value in STRATEGIES.items()}
    agreed = {
        **DEFAULTS,
        **offered,
        **{key: request[key] for key in ("MaxPayloadInMB", "BatchStrategy") if key in request},
    }
    payload = agreed["MaxPayloadInMB"]
    return ExecutionParameters(
        at_once=request.get("MaxConcurrentTransforms") or agreed["MaxConcurrentTransforms"] or 1,
        payload_bytes=payload * 1024 * 1024 if payload else None,
        several=strategies.get(agreed["BatchStrategy"], agreed["BatchStrategy"]) == "MultiRecord",
    )


def _batch_variables(request: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables by which SageMaker tells a container of the job: of what the request says, no more."""
    given = {
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": request.get("MaxPayloadInMB"),
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": request.get("MaxConcurrentTransforms") or None,
        "SAGEMAKER_BATCH_STRATEGY": STRATEGIES.get(request.get("BatchStrategy", "")),
    }
    return {"SAGEMAKER_BATCH": "true"} | {name: str(value) for name, value in given.items() if value is not None}
