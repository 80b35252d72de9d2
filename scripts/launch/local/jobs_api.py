"""Training and transform jobs of this machine: the methods of boto3's ``sagemaker`` client.

A job is run by a process of its own, its runner (``launch.local.run_job``), which outlives the script that created it.
Which parameters of a request a job honours stands in ``launch.local.honoured_parameters``.
"""

import os
import signal
import subprocess
import sys
import time
from typing import Any

from launch import project
from launch.atomic_files import replacing
from launch.local import honoured_parameters, records, spot
from launch.local.engine_choice import choose_engine
from launch.local.errors import LocalError, not_found
from launch.local.process_id import ProcessId
from launch.local.records import MODELS, TRAINING_JOBS, TRANSFORM_JOBS, JobKind, JobRecord
from launch.local.resource_api import ResourceApi, create, require, summaries
from launch.local.transform_records import DataProcessing

SECONDS_TO_RECORD_RUNNER = 5.0
"""From a job's creation: if there is no runner by then, the script that created the job was killed before."""
KILLED = "InternalServerError: the process that ran this job was killed"


class JobsApi(ResourceApi):
    """The methods of boto3's client that create, describe, list and stop jobs."""

    def create_training_job(self, **request: Any) -> dict[str, Any]:
        record = self.new_training_job(request)
        start(TRAINING_JOBS, request["TrainingJobName"], record)
        return {"TrainingJobArn": record.arn}

    def new_training_job(self, request: dict[str, Any]) -> JobRecord:
        """Check that this machine can run a training job, and return its record; start nothing.

        Raises:
            LocalError: It cannot.
        """
        honoured_parameters.check("CreateTrainingJob", request)
        spot.interruptions_wanted()
        hosts = request["ResourceConfig"].get("InstanceCount", 1)
        engine = choose_engine(request["AlgorithmSpecification"]["TrainingImage"])
        if engine == "process" and (hosts > 1 or request.get("EnableNetworkIsolation")):
            parameter = "EnableNetworkIsolation" if hosts == 1 else f"InstanceCount {hosts}"
            raise LocalError("CreateTrainingJob", "ValidationException", f"{parameter} needs a Docker engine")
        for channel in request.get("InputDataConfig", []):
            self._require_files(channel["DataSource"]["S3DataSource"]["S3Uri"])
        return new_record(TRAINING_JOBS, request["TrainingJobName"], request, engine)

    def create_transform_job(self, **request: Any) -> dict[str, Any]:
        honoured_parameters.check("CreateTransformJob", request)
        try:
            DataProcessing(request)
        except ValueError as error:
            raise LocalError("CreateTransformJob", "ValidationException", str(error)) from None
        model = records.read(MODELS, request["ModelName"])
        if model is None:
            raise not_found("CreateTransformJob", request["ModelName"])
        engine = choose_engine(model.request["PrimaryContainer"]["Image"])
        self._require_files(request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"])
        record = new_record(TRANSFORM_JOBS, request["TransformJobName"], request, engine)
        record.model_request = model.request
        start(TRANSFORM_JOBS, request["TransformJobName"], record)
        return {"TransformJobArn": record.arn}

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        record = read_settled(TRAINING_JOBS, "DescribeTrainingJob", TrainingJobName)
        description = {
            **record.request,
            "TrainingJobArn": record.arn,
            "TrainingJobStatus": record.status,
            "SecondaryStatus": record.transitions[-1].status,
            "SecondaryStatusTransitions": [
                {"Status": change.status, "StartTime": records.time_of(change.time), "StatusMessage": change.message}
                for change in record.transitions
            ],
            "CreationTime": records.time_of(record.created),
            "FinalMetricDataList": [
                {**metric, "Timestamp": records.time_of(metric["Timestamp"])} for metric in record.metrics
            ],
        }
        optional = {
            "ModelArtifacts": {"S3ModelArtifacts": record.model} if record.model else None,
            "FailureReason": record.failure,
            "TrainingTimeInSeconds": record.seconds,
        }
        return description | {key: value for key, value in optional.items() if value is not None}

    def describe_transform_job(self, TransformJobName: str) -> dict[str, Any]:  # noqa: N803
        record = read_settled(TRANSFORM_JOBS, "DescribeTransformJob", TransformJobName)
        return {
            **record.request,
            "TransformJobArn": record.arn,
            "TransformJobStatus": record.status,
            "CreationTime": records.time_of(record.created),
            **({"FailureReason": record.failure} if record.failure is not None else {}),
        }

    def stop_training_job(self, TrainingJobName: str) -> dict[str, Any]:  # noqa: N803
        stop(TRAINING_JOBS, TrainingJobName)
        return {}

    def stop_transform_job(self, TransformJobName: str) -> dict[str, Any]:  # noqa: N803
        stop(TRANSFORM_JOBS, TransformJobName)
        return {}

    def list_training_jobs(self, NameContains: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        keys = ("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingJobStatus")
        return {"TrainingJobSummaries": summaries(TRAINING_JOBS, NameContains, self.describe_training_job, keys)}

    def list_transform_jobs(self, NameContains: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        keys = ("TransformJobName", "TransformJobArn", "CreationTime", "TransformJobStatus")
        return {"TransformJobSummaries": summaries(TRANSFORM_JOBS, NameContains, self.describe_transform_job, keys)}


def new_record(kind: JobKind, name: str, request: dict[str, Any], engine: str) -> JobRecord:
    """Return the record of a job that is to be started."""
    record = JobRecord(request, kind.arn_of(name), records.now(), engine)
    record.add_transition("Starting")
    return record


def start(kind: JobKind, name: str, record: JobRecord) -> None:
    """Write the record of a job, and start its runner."""
    create(kind, name, record)
    # The runner inherits the blocked signal, and unblocks it once it can handle it: see LocalJob.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        with (records.folder_of(kind, name) / "runner.log").open("w") as log:
            runner = subprocess.Popen(
                [sys.executable, "-m", "launch.local.run_job", kind.folder, name],
                cwd=project.ROOT / "scripts",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C at the script's terminal does not reach it
            )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    _write_runner(kind, name, ProcessId.of(runner.pid))


def _write_runner(kind: JobKind, name: str, runner: ProcessId) -> None:
    with replacing(records.folder_of(kind, name) / "runner") as staged:
        staged.write_text(str(runner), encoding="ascii")


def _read_runner(kind: JobKind, name: str) -> ProcessId | None:
    """Return the process that runs a job, or has run it; None if it is not recorded yet."""
    try:
        return ProcessId.parse((records.folder_of(kind, name) / "runner").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def read_settled(kind: JobKind, operation: str, name: str) -> JobRecord:
    """Return the record of a job, after noting in it that the job has failed if its runner was killed."""
    require(kind, operation, name)
    # First the runner, then the record: a runner writes the job's end into the record before it ends itself.
    runner = _read_runner(kind, name)
    is_running = runner.is_alive if runner else True
    record = require(kind, operation, name)
    age = time.time() - records.time_of(record.created).timestamp()
    if record.status in ("InProgress", "Stopping") and (
        not is_running or (runner is None and age > SECONDS_TO_RECORD_RUNNER)
    ):
        record.status, record.failure = "Failed", KILLED
        record.add_transition("Failed", KILLED)
        records.write(kind, name, record)
    return record


def stop(kind: JobKind, name: str) -> None:
    """Send SIGTERM to a job's runner; wait for a job that was created just now to have one.

    Raises:
        LocalError: The job has ended.
    """
    operation = f"Stop{kind.api_name}"
    while True:
        record = read_settled(kind, operation, name)
        if record.status != "InProgress":
            raise LocalError(operation, "ValidationException", f"{name} is {record.status}, expected InProgress")
        if runner := _read_runner(kind, name):
            try:
                os.kill(runner.pid, signal.SIGTERM)
                return
            except ProcessLookupError:  # it has ended since
                pass
        time.sleep(0.05)
