"""The kinds of what runs on SageMaker: jobs, and endpoints; finding out of which kind a job is by its name."""

from typing import Any, NamedTuple

from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.cli.errors import UsageError

ENDED = ("Completed", "Failed", "Stopped")
"""The statuses of jobs of every kind that have ended; of these an endpoint can be Failed."""


class Kind(NamedTuple):
    """A kind: its names in the output and in the API, and the methods of the client; an endpoint has no ``stop``."""

    title: str
    api_name: str
    describe: str
    stop: str = ""

    def status_of(self, description: dict[str, Any]) -> str:
        """Return the status that a description tells."""
        return str(description[f"{self.api_name}Status"])


TRAINING = Kind("Training job", "TrainingJob", "describe_training_job", "stop_training_job")
TRANSFORM = Kind("Transform job", "TransformJob", "describe_transform_job", "stop_transform_job")
TUNING = Kind(
    "Tuning job",
    "HyperParameterTuningJob",
    "describe_hyper_parameter_tuning_job",
    "stop_hyper_parameter_tuning_job",
)
ENDPOINT = Kind("Endpoint", "Endpoint", "describe_endpoint")
JOBS = (TRAINING, TRANSFORM, TUNING)


def describe(clients: Clients, kind: Kind, name: str) -> dict[str, Any] | None:
    """Return the description of what has a name; None if there is none, or if local mode has nothing of that kind."""
    method = getattr(clients.sagemaker, kind.describe, None)
    return aws_errors.describe_if_exists(method, **{f"{kind.api_name}Name": name}) if method else None


def find(clients: Clients, job: str) -> tuple[Kind, dict[str, Any]]:
    """Return of which kind a job is, and its description.

    Raises:
        UsageError: There is none of that name.
    """
    for kind in JOBS:
        if description := describe(clients, kind, job):
            return kind, description
    raise UsageError(f"There is no training, transform or tuning job {job!r}{clients.where}.")
