"""What SageMaker does with jobs and endpoints, for moto, which only keeps their descriptions."""

import contextlib
import json
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from local_aws import Aws
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse


@contextlib.contextmanager
def ended_jobs(aws: Aws, ml: Path) -> Iterator[None]:
    """Have training and transform jobs end at once with their files in S3, and endpoints answer.

    Args:
        aws: the server.
        ml: ``/opt/ml`` of a training job that has ended: what every job leaves.
    """
    files = _Files(aws, ml)
    with (
        mock.patch.object(SageMakerModelBackend, "create_training_job", files.after_training),
        mock.patch.object(SageMakerModelBackend, "create_transform_job", files.after_transform),
        mock.patch.object(SageMakerRuntimeResponse, "invoke_endpoint", _drive_uphill),
    ):
        yield


class _Files:
    """Puts into S3 what jobs leave there."""

    def __init__(self, aws: Aws, ml: Path) -> None:
        self._aws = aws
        self._ml = ml

    @property
    def after_training(self) -> Any:
        original = SageMakerModelBackend.create_training_job

        def create_training_job(backend: Any, training_job_name: str, **request: Any) -> Any:
            job = original(backend, training_job_name=training_job_name, **request)
            home = f"{request['output_data_config']['S3OutputPath']}/{training_job_name}/output"
            for name, folder in {"model.tar.gz": "model", "output.tar.gz": "output/data"}.items():
                archive = self._ml / name
                with tarfile.open(archive, "w:gz") as tar:
                    tar.add(self._ml / folder, ".")
                self._put(f"{home}/{name}", archive.read_bytes())
            for path in (self._ml / "output/intermediate").rglob("*"):
                if path.is_file():
                    self._put(
                        f"{home}/intermediate/{path.relative_to(self._ml / 'output/intermediate')}", path.read_bytes()
                    )
            self._log("/aws/sagemaker/TrainingJobs", f"{training_job_name}/algo-1-1")
            return job

        return create_training_job

    @property
    def after_transform(self) -> Any:
        original = SageMakerModelBackend.create_transform_job

        def create_transform_job(backend: Any, **request: Any) -> Any:
            source = request["transform_input"]["DataSource"]["S3DataSource"]["S3Uri"].rpartition("/")[2]
            self._put(f"{request['transform_output']['S3OutputPath']}/{source}.out", b"1.0\n-1.0\n")
            return original(backend, **request)

        return create_transform_job

    def _put(self, uri: str, content: bytes) -> None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self._aws.client("s3").put_object(Bucket=bucket, Key=key, Body=content)

    def _log(self, group: str, stream: str) -> None:
        logs = self._aws.client("logs")
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        event = {"timestamp": int(1000 * time.time()), "message": "a line of the job"}
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])


def _drive_uphill(response: SageMakerRuntimeResponse) -> tuple[int, dict[str, str], str]:
    """Answer InvokeEndpoint as a policy does that pushes along the velocity, which is enough to climb."""
    asked = json.loads(response.body)
    observations = asked if isinstance(asked[0], list) else [asked]
    actions = [[1.0 if velocity >= 0 else -1.0] for _, velocity in observations]
    wants_actions = response.headers.get("X-Amzn-SageMaker-Custom-Attributes") == "output=actions"
    heads = [[[0.0] for _ in actions], actions, [[0.1] for _ in actions]]
    return 200, {"Content-Type": "application/json"}, json.dumps(actions if wants_actions else heads)
