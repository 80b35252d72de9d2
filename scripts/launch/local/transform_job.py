"""Runs a transform job on this machine: serves the model, and sends it the input in requests.

As in https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html. Which parameters of a request it
honours stands in ``launch.local.honoured_parameters``.
"""

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from launch.aws.storage import join
from launch.cli.errors import JobFailed
from launch.local import records
from launch.local.engines import Workload
from launch.local.job import STOPPED, LocalJob, Stop
from launch.local.ml_tree import unpack
from launch.local.records import MODELS, TRANSFORM_JOBS, JobRecord

SECONDS_TO_START = 60
SECONDS_TO_ANSWER = 3600
DEFAULT_PAYLOAD_IN_MB = 6


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
        payload = self.request.get("MaxPayloadInMB", DEFAULT_PAYLOAD_IN_MB)
        environment = {**container.get("Environment", {}), **self.request.get("Environment", {})}
        environment |= {"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(payload)}
        workload, url = self.make_engine(container["Image"]).serve(ml, self.name, environment)
        reader = threading.Thread(target=self._read, args=(workload,))
        reader.start()
        try:
            with httpx.Client(base_url=url, trust_env=False, timeout=SECONDS_TO_ANSWER) as client:
                self._wait_until_healthy(client, reader)
                self._transform(client, payload * 1024 * 1024)
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

    def _transform(self, client: httpx.Client, limit: int) -> None:
        """Transform each input file into an output file; a request has at most ``limit`` bytes, or one line."""
        target = self.request["TransformOutput"]
        separator = b"\n" if target.get("AssembleWith") == "Line" else b""
        uri = self.request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        folder = self.folder / "input"
        is_file = [file.path for file in self.storage.find(uri)] == [""]
        for path in self.storage.download(uri, folder / uri.rpartition("/")[2] if is_file else folder):
            name = f"{path.relative_to(folder)}.out"
            output = self.folder / "output" / name
            output.parent.mkdir(parents=True, exist_ok=True)
            answers = self._ask(client, path, limit)
            output.write_bytes(
                b"".join(answer.rstrip(b"\n") + separator if separator else answer for answer in answers)
            )
            self.storage.upload(output, join(target["S3OutputPath"], name))

    def _ask(self, client: httpx.Client, path: Path, limit: int) -> list[bytes]:
        """Return the container's answers for an input file, one for each request."""
        headers = {
            "Content-Type": self.request["TransformInput"].get("ContentType", ""),
            "Accept": self.request["TransformOutput"].get("Accept", ""),
        }
        answers = []
        for number, body in enumerate(self._request_bodies(path.read_bytes(), limit), 1):
            if self.stop_requested.is_set():
                raise Stop(STOPPED)
            answer = client.post(
                "/invocations", content=body, headers={name: value for name, value in headers.items() if value}
            )
            if answer.status_code != 200:
                raise JobFailed(
                    f"ClientError: {path.name}, request {number}: the container answered {answer.status_code}: "
                    f"{answer.text}"
                )
            answers.append(answer.content)
        return answers

    def _request_bodies(self, content: bytes, limit: int) -> Iterator[bytes]:
        """Yield the parts of a file: the whole, one line each, or as many lines as have ``limit`` bytes together."""
        if self.request["TransformInput"].get("SplitType", "None") == "None":
            yield content
            return
        several = self.request.get("BatchStrategy", "MultiRecord") == "MultiRecord"
        lines: list[bytes] = []
        size = 0
        for line in content.splitlines(keepends=True):
            if lines and (not several or size + len(line) > limit):
                yield b"".join(lines)
                lines, size = [], 0
            lines.append(line)
            size += len(line)
        if lines:
            yield b"".join(lines)
