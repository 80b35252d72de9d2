"""Runs one training or transform job of local mode, from its record to its outputs: ``python -m launch.local.jobs``.

A process of its own for each job, so that a job outlives the script that created it. SIGTERM stops the job.
"""

import abc
import contextlib
import ipaddress
import itertools
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

import docker
from launch.aws.clients import Clients
from launch.aws.storage import Storage, join, split
from launch.cli.errors import JobFailed, UsageError
from launch.local import engines, images
from launch.local import records as local_records
from launch.local.clients import LABEL_OWNER, LABEL_RUNS
from launch.local.ml_tree import pack, unpack, write_config
from launch.local.records import TRAINING_JOBS

SECONDS_TO_STOP = 120
"""Between SIGTERM and SIGKILL, as on SageMaker."""
SECONDS_TO_SPEAK = 5
SECONDS_BETWEEN_COPIES = 1.0
SECONDS_BETWEEN_CHECKPOINT_COPIES = 10.0
LONGEST_FAILURE = 1024
ACCESS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Stop(Exception):
    """The job is to end now; the message is the secondary status."""


class LocalJob(abc.ABC):
    """What all jobs have: a record, a folder for their work, and a signal that stops them."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name = kind, name
        self.record = local_records.read(kind, name) or {}
        self.request: dict[str, Any] = self.record["request"]
        self.folder = local_records.folder_of(kind, name)
        self.clients = Clients()
        self.storage = Storage(self.clients)
        self.stop_asked = threading.Event()
        signal.signal(signal.SIGTERM, lambda number, frame: self.stop_asked.set())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def say(self, status: str, message: str = "") -> None:
        """Note a change of the secondary status."""
        entry = {"Status": status, "StartTime": local_records.now(), "StatusMessage": message or status}
        self.record.setdefault("transitions", []).append(entry)
        self.save()

    def save(self) -> None:
        local_records.write(self.kind, self.name, self.record)

    def engine(self, image: str) -> engines.Engine:
        if self.record["engine"] == "process":
            return engines.ProcessEngine()
        return engines.DockerEngine(image, image, self.labels())

    def labels(self) -> dict[str, str]:
        """Return what tells whose a container or a network is, and so when nobody is going to remove it."""
        owner = local_records.process_mark(os.getpid())
        return {LABEL_RUNS: str(local_records.runs_folder()), LABEL_OWNER: owner}

    def run(self) -> None:
        """Run it to its end, whatever that is, and leave nothing running."""
        begun = time.monotonic()
        status, message = "Failed", "InternalServerError: the process that ran this job was interrupted"
        try:
            self.work()
            status, message = "Completed", ""
        except Stop as stop:
            status, message = "Stopped", str(stop)
        except (JobFailed, UsageError) as error:
            status, message = "Failed", str(error)
        except Exception as error:
            status, message = "Failed", f"InternalServerError: {type(error).__name__}: {error}"
            raise
        finally:
            self.record["status"] = status
            self.record["seconds"] = round(time.monotonic() - begun)
            if status == "Failed":
                self.record["failure"] = message[:LONGEST_FAILURE]
            self.say(status if status != "Stopped" else message, message)

    @abc.abstractmethod
    def work(self) -> None:
        """Do what the request asks for.

        Raises:
            Stop: The job is to end before it is done.
            JobFailed: It failed.
            UsageError: Something that it was given cannot be used.
        """


class TrainingJob(LocalJob):
    """As in https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html on this machine."""

    def __init__(self, name: str) -> None:
        super().__init__(TRAINING_JOBS, name)
        count = self.request["ResourceConfig"].get("InstanceCount", 1)
        self.image = self.request["AlgorithmSpecification"]["TrainingImage"]
        self.home = join(self.request["OutputDataConfig"]["S3OutputPath"], self.name)
        self.hosts = [f"algo-{number}" for number in range(1, count + 1)]
        self.trees = {host: self.folder / host for host in self.hosts}
        self._spoke = {host: threading.Event() for host in self.hosts}
        self._copied: dict[Path, tuple[float, int]] = {}

    def work(self) -> None:
        self.say("Downloading", "Downloading the input data")
        self._prepare()
        self.say("Training", "Training in the container")
        reason = self._train()
        self.say("Uploading", "Uploading what the job left")
        self._leave()
        if isinstance(reason, Exception):
            raise reason

    def _prepare(self) -> None:
        own = "localhost" if self.record["engine"] == "process" else None
        request = self.request
        if own:  # what the container's paths are to a process
            for name, value in request.get("HyperParameters", {}).items():
                if name == "sagemaker_submit_directory":
                    root = str(self.trees[self.hosts[0]])
                    request["HyperParameters"][name] = value.replace("/opt/ml", root, 1)
        for host, tree in self.trees.items():
            names = [own] if own else self.hosts
            interface = "eth0" if self._has_network() and not own else "lo"
            write_config(tree, request, own or host, names, interface)
            for channel in request.get("InputDataConfig", []):
                uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
                target = tree / "input" / "data" / channel["ChannelName"]
                if self.storage.find(uri)[0].path == "":
                    target /= uri.rstrip("/").rpartition("/")[2]
                self.storage.download(uri, target)
            if "CheckpointConfig" in request:
                (tree / "checkpoints").mkdir()
                if self.storage.find(request["CheckpointConfig"]["S3Uri"]):
                    self.storage.download(request["CheckpointConfig"]["S3Uri"], tree / "checkpoints")

    def _has_network(self) -> bool:
        return not self.request.get("EnableNetworkIsolation", False)

    def _train(self) -> Exception | None:
        """Run the containers; return why the job has not completed."""
        limit = self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86_400)
        deadline = time.monotonic() + limit
        engine = self.engine(self.image)
        running: dict[str, engines.Running] = {}
        ended: dict[str, int] = {}
        readers = []
        why: Exception | None = None
        with self._network() as (network, addresses):
            try:
                for host, tree in self.trees.items():
                    name = self.name if len(self.hosts) == 1 else f"{self.name}-{host}"
                    place = engines.Place(host, network, addresses, self._environment())
                    running[host] = engine.train(tree, name, place)
                for host, each in running.items():
                    readers.append(threading.Thread(target=self._follow, args=(host, each, ended)))
                    readers[-1].start()
                copied_checkpoints = time.monotonic()
                while len(ended) < len(running):
                    if self.stop_asked.wait(SECONDS_BETWEEN_COPIES if why is None else 0.1):
                        raise Stop("Stopped")
                    if time.monotonic() > deadline:
                        raise Stop("MaxRuntimeExceeded")
                    if any(ended.values()):  # the others wait for a host that has gone
                        break
                    self._copy_intermediate()
                    if time.monotonic() - copied_checkpoints > SECONDS_BETWEEN_CHECKPOINT_COPIES:
                        self._copy_checkpoints()
                        copied_checkpoints = time.monotonic()
            except Stop as stop:
                why = stop
                if str(stop) == "Stopped":
                    self.record["status"] = "Stopping"
                    self.say("Stopping", "Asked to stop")
            finally:
                for host in running:  # before its first line process 1 of a container may be deaf to SIGTERM
                    self._spoke[host].wait(SECONDS_TO_SPEAK)
                stoppers = [threading.Thread(target=each.stop, args=(SECONDS_TO_STOP,)) for each in running.values()]
                for thread in stoppers:
                    thread.start()
                for thread in (*stoppers, *readers):
                    thread.join()
        failed = {host: status for host, status in ended.items() if status}
        if why is None and failed:
            host, status = next(iter(failed.items()))
            why = JobFailed(f"AlgorithmError: {self._failure_of(host)}, exit code: {status}")
        return why

    def _follow(self, host: str, running: engines.Running, ended: dict[str, int]) -> None:
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / f"{host}.log").open("w", encoding="utf-8", buffering=1) as log:
            for line in running.lines():
                self._spoke[host].set()
                log.write(line + "\n")
        self._spoke[host].set()
        try:
            ended[host] = running.wait()
        except docker.errors.DockerException:  # it has been stopped and removed
            ended[host] = 0

    def _failure_of(self, host: str) -> str:
        try:
            return (self.trees[host] / "output" / "failure").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return "the container left no failure file"

    @contextlib.contextmanager
    def _network(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield the network for the job's containers, one of their own if they are several, and their addresses."""
        if self.record["engine"] == "process" or (not self._has_network() and len(self.hosts) == 1):
            yield "none", {}
        elif len(self.hosts) == 1:
            yield "bridge", {}
        else:
            network = self._create_network()
            (pool,) = network.attrs["IPAM"]["Config"]
            # the first address is the gateway's
            free = itertools.islice(ipaddress.ip_network(pool["Subnet"]).hosts(), 1, None)
            try:
                yield str(network.name), {host: str(next(free)) for host in self.hosts}
            finally:
                network.remove()

    def _create_network(self) -> Any:
        """Create a network whose addresses can be given out: Docker picks a free range, and is then asked for that."""
        options: dict[str, Any] = {
            "internal": not self._has_network(),
            "labels": self.labels(),
        }
        networks = images.connect().networks
        name = f"{self.name}-{uuid.uuid4().hex[:6]}"
        picked = networks.create(name, **options)
        picked.reload()
        ranges = [docker.types.IPAMPool(subnet=pool["Subnet"]) for pool in picked.attrs["IPAM"]["Config"]]
        picked.remove()
        network = networks.create(name, ipam=docker.types.IPAMConfig(pool_configs=ranges), **options)
        network.reload()
        return network

    def _environment(self) -> dict[str, str]:
        """Return what SageMaker sets in a training container, and whose credentials the job works with."""
        settings = {
            "TRAINING_JOB_NAME": self.name,
            "TRAINING_JOB_ARN": self.record["arn"],
            **self.request.get("Environment", {}),
        }
        if not self._has_network():
            return settings
        credentials = self.clients.session.get_credentials()
        if credentials is not None:
            frozen = credentials.get_frozen_credentials()
            settings |= {
                name: value
                for name, value in zip(ACCESS, (frozen.access_key, frozen.secret_key, frozen.token), strict=True)
                if value
            }
        if self.clients.session.region_name:
            settings |= dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), self.clients.session.region_name)
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "S3_ENDPOINT_URL"):
            if url := os.environ.get(name):
                settings[name] = url if self.record["engine"] == "process" else _as_containers_see(url)
        if "S3_ENDPOINT_URL" not in settings and (
            url := settings.get("AWS_ENDPOINT_URL_S3") or settings.get("AWS_ENDPOINT_URL")
        ):
            settings["S3_ENDPOINT_URL"] = url
        return settings

    def _copy_intermediate(self) -> None:
        """Copy what changed in ``output/intermediate``; with an S3 address the container does that by itself."""
        if split(self.home)[0] != "file":
            return
        for tree in self.trees.values():
            folder = tree / "output" / "intermediate"
            for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
                with contextlib.suppress(FileNotFoundError):
                    state = (path.stat().st_mtime, path.stat().st_size)
                    if path.is_file() and self._copied.get(path) != state:
                        self.storage.download(
                            f"file://{path}",
                            Path(split(self.home)[2]) / "output/intermediate" / path.relative_to(folder),
                        )
                        self._copied[path] = state

    def _copy_checkpoints(self) -> None:
        if "CheckpointConfig" in self.request:
            for tree in self.trees.values():
                if any((tree / "checkpoints").iterdir()):
                    self.storage.upload(tree / "checkpoints", self.request["CheckpointConfig"]["S3Uri"])

    def _leave(self) -> None:
        self._copy_intermediate()
        self._copy_checkpoints()
        trees = list(self.trees.values())
        for archive, folders in {
            "model.tar.gz": [tree / "model" for tree in trees],
            "output.tar.gz": [tree / "output" / "data" for tree in trees],
        }.items():
            packed = self.folder / archive
            if pack(folders, packed):
                uri = join(self.home, "output", archive)
                self.storage.upload(packed, uri)
                packed.unlink()
                if archive == "model.tar.gz":
                    self.record["model"] = uri
        self.record["metrics"] = self._metrics()
        for tree in trees:
            shutil.rmtree(tree)

    def _metrics(self) -> list[dict[str, Any]]:
        """Return the last value of each metric in the log."""
        log = self.folder / "logs" / f"{self.hosts[0]}.log"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        metrics = []
        for definition in self.request["AlgorithmSpecification"].get("MetricDefinitions", []):
            matches = (re.search(definition["Regex"], line) for line in reversed(lines))
            found = next((match for match in matches if match), None)
            if found is not None:
                with contextlib.suppress(ValueError):
                    value = float(found[1])
                    metrics.append({"MetricName": definition["Name"], "Value": value, "Timestamp": local_records.now()})
        return metrics


class TransformJob(LocalJob):
    """As in https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html on this machine."""

    def __init__(self, name: str) -> None:
        super().__init__(local_records.TRANSFORM_JOBS, name)

    def run(self) -> None:
        """Remove the model too that was made for this job alone: transform.py may have been killed."""
        try:
            super().run()
        finally:
            if self.request["ModelName"] == self.name:
                local_records.remove(local_records.MODELS, self.name)

    def work(self) -> None:
        container = self.request["_Model"]["PrimaryContainer"]
        ml = self.folder / "ml"
        archive = self.folder / "model.tar.gz"
        self.say("Starting", "Starting the container")
        self.storage.download(container["ModelDataUrl"], archive)
        unpack(archive, ml / "model", container["ModelDataUrl"])
        limit = self.request.get("MaxPayloadInMB", 6)
        environment = {**container.get("Environment", {}), **self.request.get("Environment", {})}
        environment |= {"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(limit)}
        running, url = self.engine(container["Image"]).serve(ml, self.name, environment)
        log = self.folder / "logs" / "transform.log"
        log.parent.mkdir()
        reader = threading.Thread(target=self._follow, args=(running, log))
        reader.start()
        try:
            with httpx.Client(base_url=url, trust_env=False, timeout=3600) as client:
                self._wait_until_healthy(client, reader)
                self._transform(client, limit * 1024 * 1024)
        finally:
            running.stop()
            reader.join()
        shutil.rmtree(ml)
        archive.unlink()

    @staticmethod
    def _follow(running: engines.Running, log: Path) -> None:
        with log.open("w", encoding="utf-8", buffering=1) as file:
            for line in running.lines():
                file.write(line + "\n")

    def _wait_until_healthy(self, client: httpx.Client, reader: threading.Thread) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and reader.is_alive():
            with contextlib.suppress(httpx.TransportError):
                if client.get("/ping", timeout=2).status_code == 200:
                    return
            if self.stop_asked.wait(0.1):
                raise Stop("Stopped")
        raise JobFailed("AlgorithmError: the container was not healthy")

    def _transform(self, client: httpx.Client, limit: int) -> None:
        source = self.request["TransformInput"]
        target = self.request["TransformOutput"]
        uri = source["DataSource"]["S3DataSource"]["S3Uri"]
        headers = {"Content-Type": source.get("ContentType", ""), "Accept": target.get("Accept", "")}
        headers = {name: value for name, value in headers.items() if value}
        inputs = self.folder / "input"
        single = self.storage.find(uri)[0].path == ""
        for path in self.storage.download(uri, inputs / uri.rpartition("/")[2] if single else inputs):
            answers = []
            for number, body in enumerate(self._requests(path.read_bytes(), limit), 1):
                if self.stop_asked.is_set():
                    raise Stop("Stopped")
                answer = client.post("/invocations", content=body, headers=headers)
                if answer.status_code != 200:
                    raise JobFailed(
                        f"ClientError: {path.name}, request {number}: the container answered {answer.status_code}: "
                        f"{answer.text}"
                    )
                answers.append(answer.content)
            by_line = target.get("AssembleWith") == "Line"
            output = self.folder / "output" / f"{path.relative_to(inputs)}.out"
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_bytes(b"".join(each.rstrip(b"\n") + b"\n" if by_line else each for each in answers))
            self.storage.upload(output, join(target["S3OutputPath"], f"{path.relative_to(inputs)}.out"))

    def _requests(self, content: bytes, limit: int) -> Iterator[bytes]:
        """Yield the bodies that a file is cut into: by lines, as many as fit or one at a time."""
        if self.request["TransformInput"].get("SplitType", "None") == "None":
            yield content
            return
        several = self.request.get("BatchStrategy", "MultiRecord") == "MultiRecord"
        waiting: list[bytes] = []
        size = 0
        for line in content.splitlines(keepends=True):
            if waiting and (not several or size + len(line) > limit):
                yield b"".join(waiting)
                waiting, size = [], 0
            waiting.append(line)
            size += len(line)
        if waiting:
            yield b"".join(waiting)


def _as_containers_see(url: str) -> str:
    """Return the address by which a container reaches a server of this machine."""
    parts = urlsplit(url)
    if parts.hostname not in ("localhost", "127.0.0.1", "::1", "0.0.0.0"):  # noqa: S104 - only compared
        return url
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"{engines.HOST_MACHINE}{port}"))


def main() -> None:
    kind, name = sys.argv[1:]
    job: LocalJob = TrainingJob(name) if kind == TRAINING_JOBS else TransformJob(name)
    job.run()
    print(json.dumps(job.record["transitions"][-1]))


if __name__ == "__main__":
    main()
