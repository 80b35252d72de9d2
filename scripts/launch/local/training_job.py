"""Runs a training job on this machine, from the input data to the archives.

As in https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html. Which parameters of a request
it honours stands in ``launch.local.honoured_parameters``.
"""

import contextlib
import re
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
from launch.aws.storage import join, split
from launch.cli.errors import JobFailed
from launch.local import container_environment, labels, records, spot
from launch.local.engines import ContainerSettings, Workload
from launch.local.folder_copies import FolderCopy
from launch.local.host_network import Network, host_network
from launch.local.job import MAX_RUNTIME_EXCEEDED, STOPPED, LocalJob, Stop
from launch.local.ml_tree import pack, write_config
from launch.local.records import TRAINING_JOBS, JobRecord
from launch.local.spot import SpotCapacity

SECONDS_TO_STOP = 120
"""Between SIGTERM and SIGKILL, as on SageMaker."""
SECONDS_TO_FIRST_LINE = 5
SECONDS_BETWEEN_COPIES = 1.0
SECONDS_BETWEEN_CHECKPOINT_COPIES = 10.0
DEFAULT_MAX_RUNTIME = 86_400
"""Seconds, where the request says nothing."""


class TrainingJob(LocalJob):
    """A training job of one host or several, each with an ``/opt/ml`` tree of its own."""

    def __init__(self, name: str, record: JobRecord) -> None:
        super().__init__(TRAINING_JOBS, name, record)
        count = self.request["ResourceConfig"].get("InstanceCount", 1)
        self._in_container = record.engine != "process"
        self._isolated = bool(self.request.get("EnableNetworkIsolation", False))
        self._home = join(self.request["OutputDataConfig"]["S3OutputPath"], self.name)
        self._hosts = [f"algo-{number}" for number in range(1, count + 1)]
        self._trees = {host: self.folder / host for host in self._hosts}
        self._workloads: dict[str, Workload] = {}
        self._readers: list[threading.Thread] = []
        self._has_printed: dict[str, threading.Event] = {}
        self._exit_statuses: dict[str, int] = {}
        self._capacity = SpotCapacity(self.request)
        self._intermediate: list[FolderCopy] = []
        self._checkpoints: list[FolderCopy] = []

    def work(self) -> None:
        """See ``LocalJob``; outputs are uploaded even if the job fails or is stopped."""
        reason = self._train()
        self.set_status("Uploading", "Uploading what the job left")
        self._upload_outputs()
        if reason is not None:
            raise reason

    # --- Inputs ------------------------------------------------------------------------------------------------------
    def _write_inputs(self) -> None:
        """Make the trees anew, with inputs, and with the checkpoints of a job that was interrupted."""
        self.set_status("Downloading", "Downloading the input data")
        self._intermediate, self._checkpoints = [], []
        home = join(self._home, "output", "intermediate")
        for host, tree in self._trees.items():
            shutil.rmtree(tree, ignore_errors=True)
            if self._in_container:
                alone = self._isolated and len(self._hosts) == 1
                write_config(tree, self.request, host, self._hosts, "lo" if alone else "eth0")
            else:
                write_config(tree, self._request_in(tree), "localhost", ["localhost"], "lo")
            for channel in self.request.get("InputDataConfig", []):
                uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
                target = tree / "input" / "data" / channel["ChannelName"]
                if [file.path for file in self.storage.find(uri)] == [""]:
                    target /= uri.rstrip("/").rpartition("/")[2]
                self.storage.download(uri, target)
            if split(home)[0] == "file":  # to an S3 address the container uploads it by itself
                self._intermediate.append(FolderCopy(self.storage, tree / "output" / "intermediate", home))
            if "TensorBoardOutputConfig" in self.request:
                uri = join(self.request["TensorBoardOutputConfig"]["S3OutputPath"], self.name, "tensorboard-output")
                self._intermediate.append(FolderCopy(self.storage, tree / "output" / "tensorboard", uri))
            if "CheckpointConfig" in self.request:
                uri = self.request["CheckpointConfig"]["S3Uri"]
                (tree / "checkpoints").mkdir()
                if self.storage.find(uri):
                    self.storage.download(uri, tree / "checkpoints")
                self._checkpoints.append(FolderCopy(self.storage, tree / "checkpoints", uri))

    def _request_in(self, tree: Path) -> dict[str, Any]:
        """Return the request for a job in a tree: with the path of the user's source as a process there sees it."""
        given = self.request.get("HyperParameters", {})
        source = given.get("sagemaker_submit_directory")
        if self._in_container or not source:
            return self.request
        adapted = {**given, "sagemaker_submit_directory": source.replace("/opt/ml", str(tree), 1)}
        return {**self.request, "HyperParameters": adapted}

    # --- Training ----------------------------------------------------------------------------------------------------
    def _train(self) -> Stop | JobFailed | None:
        """Run the containers to their end; return why the job has not completed, None if it has.

        Each time they are interrupted, they start anew, with nothing but what was copied of the checkpoints.
        """
        limit = self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME)
        deadline = time.monotonic() + limit
        with self._network() as network:
            while True:
                self._write_inputs()
                self.set_status("Training", "Training in the container")
                seconds_to_stop = SECONDS_TO_STOP
                try:
                    self._start(network)
                    self._wait(deadline)
                    break
                except spot.Interruption as interruption:
                    self.set_status("Interrupted", str(interruption))
                    seconds_to_stop = interruption.seconds
                except Stop as stop:
                    if stop.status == STOPPED:
                        self.record.status = "Stopping"
                        self.set_status("Stopping", "Asked to stop")
                    return stop
                finally:
                    self._end(seconds_to_stop)
                if seconds_to_stop:
                    _update(self._checkpoints)
        return self._failure()

    @contextlib.contextmanager
    def _network(self) -> Iterator[Network]:
        if not self._in_container:
            yield "none", {}
            return
        with host_network(self.name, self._hosts, self._isolated, labels.of_job()) as network:
            yield network

    def _start(self, network: Network) -> None:
        engine = self.make_engine(self.request["AlgorithmSpecification"]["TrainingImage"])
        self._workloads, self._readers, self._exit_statuses = {}, [], {}
        self._has_printed = {host: threading.Event() for host in self._hosts}
        self._capacity.begin()
        variables = {
            "TRAINING_JOB_NAME": self.name,
            "TRAINING_JOB_ARN": self.record.arn,
            **self.request.get("Environment", {}),
        }
        if not self._isolated:
            variables = container_environment.with_aws(variables, self.clients.session, self._in_container)
        network_name, addresses = network
        for host, tree in self._trees.items():
            name = self.name if len(self._hosts) == 1 else f"{self.name}-{host}"
            settings = ContainerSettings(host, network_name, addresses, variables)
            self._workloads[host] = engine.train(tree, name, settings)
        for host, workload in self._workloads.items():
            self._readers.append(threading.Thread(target=self._read, args=(host, workload)))
            self._readers[-1].start()

    def _wait(self, deadline: float) -> None:
        """Copy outputs while the containers run; return once all have ended, or one has failed.

        Raises:
            Stop: The job is to end: somebody has asked for that, or its time is over.
            Interruption: Its instances are taken away.
        """
        copied_checkpoints = time.monotonic()
        while len(self._exit_statuses) < len(self._workloads):
            if self.stop_requested.wait(SECONDS_BETWEEN_COPIES):
                raise Stop(STOPPED)
            if time.monotonic() > deadline:
                raise Stop(MAX_RUNTIME_EXCEEDED)
            if any(self._exit_statuses.values()):  # the other hosts would wait for the one that failed
                return
            self._capacity.check()
            _update(self._intermediate)
            if time.monotonic() - copied_checkpoints > SECONDS_BETWEEN_CHECKPOINT_COPIES:
                _update(self._checkpoints)
                copied_checkpoints = time.monotonic()

    def _end(self, seconds: int) -> None:
        """Stop the containers that still run, all at once, and read the last of their logs.

        Args:
            seconds: between SIGTERM and SIGKILL.
        """
        for host in self._workloads:  # before its first line a container's first process may not handle SIGTERM yet
            self._has_printed[host].wait(SECONDS_TO_FIRST_LINE)
        stoppers = [threading.Thread(target=workload.stop, args=(seconds,)) for workload in self._workloads.values()]
        for thread in stoppers:
            thread.start()
        for thread in (*stoppers, *self._readers):
            thread.join()

    def _read(self, host: str, workload: Workload) -> None:
        """Write a container's lines to its log, and note its exit status."""
        folder = self.folder / "logs"
        folder.mkdir(exist_ok=True)
        with (folder / f"{host}.log").open("a", encoding="utf-8", buffering=1) as log:
            for line in workload.lines():
                self._has_printed[host].set()
                log.write(line + "\n")
        self._has_printed[host].set()
        try:
            self._exit_statuses[host] = workload.wait()
        except docker.errors.DockerException:  # it has been stopped and removed
            self._exit_statuses[host] = 0

    def _failure(self) -> JobFailed | None:
        """Return the failure of the first host that has failed; None if none has."""
        for host, status in self._exit_statuses.items():
            if status:
                return JobFailed(f"AlgorithmError: {self._read_failure_file(host, status)}, exit code: {status}")
        return None

    def _read_failure_file(self, host: str, status: int) -> str:
        try:
            return (self._trees[host] / "output" / "failure").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            killed = status in (-signal.SIGKILL, 128 + signal.SIGKILL)
            reason = "killed by signal 9, perhaps out of memory" if killed else "the container left no failure file"
            return reason if len(self._hosts) == 1 else f"{host}: {reason}"

    # --- Outputs -----------------------------------------------------------------------------------------------------
    def _upload_outputs(self) -> None:
        _update(self._intermediate)
        _update(self._checkpoints)
        trees = list(self._trees.values())
        self.record.model = self._upload_archive("model.tar.gz", [tree / "model" for tree in trees])
        self._upload_archive("output.tar.gz", [tree / "output" / "data" for tree in trees])
        self.record.metrics = self._last_metrics()
        for tree in trees:
            shutil.rmtree(tree)

    def _upload_archive(self, name: str, folders: list[Path]) -> str | None:
        """Pack folders and upload the archive; return its address, None if the folders are empty."""
        archive = self.folder / name
        if not pack(folders, archive):
            return None
        uri = join(self._home, "output", name)
        self.storage.upload(archive, uri)
        archive.unlink()
        return uri

    def _last_metrics(self) -> list[dict[str, Any]]:
        """Return the last value of each metric in the first host's log."""
        log = self.folder / "logs" / f"{self._hosts[0]}.log"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        metrics = []
        for definition in self.request["AlgorithmSpecification"].get("MetricDefinitions", []):
            matches = (re.search(definition["Regex"], line) for line in reversed(lines))
            last = next((match for match in matches if match), None)
            if last is not None:
                with contextlib.suppress(ValueError):
                    value = float(last[1])
                    metrics.append({"MetricName": definition["Name"], "Value": value, "Timestamp": records.now()})
        return metrics


def _update(copies: list[FolderCopy]) -> None:
    for copy in copies:
        copy.update()
