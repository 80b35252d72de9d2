"""The state of local mode: a JSON file for each job, model, endpoint configuration and endpoint of this machine.

The files are below ``runs/.local/``, so that a later command knows what an earlier one has started. A record is a
dataclass; its fields, and those of the dataclasses in it, are the keys of the file.
"""

import dataclasses
import errno
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from launch.atomic_files import PRIVATE, replacing
from launch.cli.errors import UsageError
from launch.local.process_id import ProcessId
from launch.project import runs_folder

ACCOUNT, REGION = "000000000000", "local"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/local"
"""The role that requests name, which nothing assumes."""


class Damaged(UsageError):
    """A record cannot be read."""


# --- The records -----------------------------------------------------------------------------------------------------
@dataclass
class Resource:
    """What every record has; all that there is to a model or an endpoint configuration.

    Attributes:
        request: the parameters of the request that created it.
        arn: its name for AWS's APIs.
        created: the time, in ISO 8601.
    """

    request: dict[str, Any]
    arn: str
    created: str

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Resource":
        """Return the record that a file's content describes.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: It describes none.
        """
        return cls(**content)


@dataclass
class Transition:
    """A change of a job's secondary status: to which, when (in ISO 8601), and a message for the user."""

    status: str
    time: str
    message: str


@dataclass
class JobRecord(Resource):
    """A training, a tuning or a transform job.

    Attributes:
        engine: ``docker`` or ``process``.
        status: as in TrainingJobStatus.
        transitions: of the secondary status, the oldest first.
        failure: FailureReason of a failed job.
        seconds: how long the job took, once it has ended.
        model: the address of a training job's ``model.tar.gz``, if it left one.
        metrics: the last value of each metric, as in FinalMetricDataList.
        model_request: the CreateModel request of a transform job's model.
        tuned: TunedHyperParameters of each training job of a tuning job, by its name.
    """

    engine: str
    status: str = "InProgress"
    transitions: list[Transition] = field(default_factory=list)
    failure: str | None = None
    seconds: int | None = None
    model: str | None = None
    metrics: list[dict[str, Any]] = field(default_factory=list)
    model_request: dict[str, Any] | None = None
    tuned: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "JobRecord":
        """See ``Resource``."""
        return cls(**{**content, "transitions": [Transition(**entry) for entry in content["transitions"]]})

    def add_transition(self, status: str, message: str = "") -> None:
        """Note a change of the secondary status."""
        self.transitions.append(Transition(status, now(), message or status))


@dataclass
class Deployment:
    """A version of an endpoint: a container or a process that serves, or is to.

    Attributes:
        config: the name of its endpoint configuration.
        version: counts an endpoint's deployments, from 1.
        started: the time, in ISO 8601.
        starter: the script that starts it, which may be killed meanwhile.
        variant: the name of the production variant.
        url: where it answers; None until it has been started.
        container: the name of its container, if it is one.
        process: its process, if it is one.
        log: the path of the process's log.
        models: the address of the folder of a multi-model endpoint's models.
    """

    config: str
    version: int
    started: str
    starter: ProcessId
    variant: str = ""
    url: str | None = None
    container: str | None = None
    process: ProcessId | None = None
    log: str | None = None
    models: str | None = None

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Deployment":
        """See ``Resource``."""
        processes = {key: ProcessId(**content[key]) for key in ("starter", "process") if content.get(key)}
        return cls(**{**content, **processes})


@dataclass
class FailedDeployment:
    """A version of an endpoint that did not become healthy, and its log."""

    version: int
    lines: list[str]


@dataclass
class EndpointRecord(Resource):
    """An endpoint.

    Attributes:
        status: as in EndpointStatus.
        serving: the deployment that answers.
        next: the deployment that is being started, and serves once it is healthy.
        failed: the last deployment, if it failed.
        failure: the reason, for FailureReason.
    """

    status: str
    serving: Deployment | None = None
    next: Deployment | None = None
    failed: FailedDeployment | None = None
    failure: str | None = None

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "EndpointRecord":
        """See ``Resource``."""
        deployments = {key: Deployment.from_json(content[key]) for key in ("serving", "next") if content.get(key)}
        failed = FailedDeployment(**content["failed"]) if content.get("failed") else None
        return cls(**{**content, **deployments, "failed": failed})


# --- The kinds of resources ------------------------------------------------------------------------------------------
Record = TypeVar("Record", bound=Resource)


@dataclass(frozen=True)
class ResourceKind(Generic[Record]):
    """A kind of resource that local mode has records of.

    Attributes:
        folder: of its records, below ``runs/.local/``.
        arn_noun: stands for the kind in an ARN.
        api_name: stands for the kind in operations: ``CreateTrainingJob``, ``TrainingJobName``.
        from_json: returns a record, see ``Resource``.
    """

    folder: str
    arn_noun: str
    api_name: str
    from_json: Callable[[dict[str, Any]], Record]

    def arn_of(self, name: str) -> str:
        """Return the ARN of a resource of this kind."""
        return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{self.arn_noun}/{name}"


TRAINING_JOBS = ResourceKind("training-jobs", "training-job", "TrainingJob", JobRecord.from_json)
TRANSFORM_JOBS = ResourceKind("transform-jobs", "transform-job", "TransformJob", JobRecord.from_json)
TUNING_JOBS = ResourceKind("tuning-jobs", "hyper-parameter-tuning-job", "HyperParameterTuningJob", JobRecord.from_json)
MODELS = ResourceKind("models", "model", "Model", Resource.from_json)
ENDPOINT_CONFIGS = ResourceKind("endpoint-configs", "endpoint-config", "EndpointConfig", Resource.from_json)
ENDPOINTS = ResourceKind("endpoints", "endpoint", "Endpoint", EndpointRecord.from_json)

JobKind = ResourceKind[JobRecord]
JOB_KINDS: dict[str, JobKind] = {kind.folder: kind for kind in (TRAINING_JOBS, TRANSFORM_JOBS, TUNING_JOBS)}


# --- Their files -----------------------------------------------------------------------------------------------------
def folder_of(kind: ResourceKind[Any], name: str) -> Path:
    """Return the folder with the record and the other files of a resource."""
    return runs_folder() / ".local" / kind.folder / name


def create(kind: ResourceKind[Record], name: str, record: Record) -> bool:
    """Write the record of a new resource; return False if there is one of that name.

    The folder appears together with its record: no reader sees the one without the other.
    """
    folder = folder_of(kind, name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        _write(staged, record)
        staged.rename(folder)
    except BaseException as error:
        shutil.rmtree(staged)
        if isinstance(error, OSError) and error.errno in (errno.EEXIST, errno.ENOTEMPTY):  # there is one already
            return False
        raise
    return True


def write(kind: ResourceKind[Record], name: str, record: Record) -> None:
    """Write the new state of a resource; a reader finds the old state or the new one."""
    _write(folder_of(kind, name), record)


def _write(folder: Path, record: Resource) -> None:
    with replacing(folder / "record.json", PRIVATE) as staged:  # requests have environment variables
        staged.write_text(json.dumps(dataclasses.asdict(record), indent=2), encoding="utf-8")


def read(kind: ResourceKind[Record], name: str) -> Record | None:
    """Return the record of a resource; None if there is nothing of that name.

    Raises:
        Damaged: It cannot be read, or is of another form, as an earlier version of this project wrote it.
    """
    file = folder_of(kind, name) / "record.json"
    try:
        return kind.from_json(json.loads(file.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Damaged(f"What is remembered of {name} is damaged: {file}.") from None


def remove(kind: ResourceKind[Any], name: str) -> bool:
    """Remove a resource's record and its other files; return whether there was one."""
    folder = folder_of(kind, name)
    if not folder.is_dir():
        return False
    trash = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        folder.rename(trash / name)
        return True
    except FileNotFoundError:  # another process was quicker
        return False
    finally:
        shutil.rmtree(trash)


def names(kind: ResourceKind[Any]) -> Iterator[str]:
    """Yield the names of all resources of a kind."""
    for file in sorted((runs_folder() / ".local" / kind.folder).glob("[!.]*/record.json")):
        yield file.parent.name


def now() -> str:
    """Return the present time in ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def time_of(text: str) -> datetime:
    """Return a time of a record as boto3 has it."""
    return datetime.fromisoformat(text)
