"""What running a training job and running a transform job have in common."""

import abc
import signal
import threading
import time
from collections.abc import Callable

from launch.aws.clients import Clients
from launch.aws.storage import Storage
from launch.cli.errors import JobFailed, UsageError
from launch.local import labels, records
from launch.local.docker_engine import DockerEngine
from launch.local.engines import Engine
from launch.local.process_engine import ProcessEngine
from launch.local.records import JobKind, JobRecord

MAX_FAILURE_LENGTH = 1024
"""Characters of a FailureReason, as on SageMaker."""


STOPPED, MAX_RUNTIME_EXCEEDED = "Stopped", "MaxRuntimeExceeded"
"""Secondary statuses of a job that ends before its work is done: somebody asked for it, or its time was over."""


class Stop(Exception):
    """The job is to end before its work is done, with this secondary status."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class LocalJob(abc.ABC):
    """A job in its runner: its record, its folder, and SIGTERM, which stops it.

    Attributes:
        record: what ``describe_training_job`` and the like read.
        request: the parameters of the request that created the job.
        folder: for the job's files while it runs, and its logs.
        stop_requested: set by SIGTERM.
    """

    def __init__(self, kind: JobKind, name: str, record: JobRecord) -> None:
        self.kind, self.name, self.record = kind, name, record
        self.request = record.request
        self.folder = records.folder_of(kind, name)
        self.clients = Clients()
        self.storage = Storage(self.clients)
        self.stop_requested = threading.Event()
        signal.signal(signal.SIGTERM, lambda number, frame: self.stop_requested.set())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # which the script that started it has blocked

    def set_status(self, status: str, message: str = "") -> None:
        """Change the secondary status, and write the record."""
        self.record.add_transition(status, message)
        records.write(self.kind, self.name, self.record)

    def make_engine(self, image: str) -> Engine:
        """Return the engine that the record names, for an image."""
        engines: dict[str, Callable[[], Engine]] = {
            "process": ProcessEngine,
            "docker": lambda: DockerEngine(image, image, labels.of_job()),
        }
        return engines[self.record.engine]()

    def run(self) -> None:
        """Run the job, write how it ended, and leave nothing running."""
        started = time.monotonic()
        status = secondary_status = "Failed"
        message = "InternalServerError: the process that ran this job was interrupted"
        try:
            self.work()
            status, secondary_status, message = "Completed", "Completed", ""
        except Stop as stop:
            status, secondary_status, message = "Stopped", stop.status, ""
        except (JobFailed, UsageError) as error:
            message = str(error)
        except Exception as error:
            message = f"InternalServerError: {type(error).__name__}: {error}"
            raise
        finally:
            self.record.status = status
            self.record.seconds = round(time.monotonic() - started)
            if status == "Failed":
                self.record.failure = message[:MAX_FAILURE_LENGTH]
            self.set_status(secondary_status, message)

    @abc.abstractmethod
    def work(self) -> None:
        """Do what the request asks for.

        Raises:
            Stop: The job ends before its work is done.
            JobFailed: The job failed.
            UsageError: An input cannot be used.
        """
