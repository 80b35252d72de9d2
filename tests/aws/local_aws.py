"""The local AWS server's account, and what a request to AWS has to look like."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
from botocore.validate import ParamValidator

REGION, ACCOUNT = "eu-west-1", "123456789012"
Script = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Aws:
    """The server: where it answers, and what a process needs to use it."""

    url: str
    environment: dict[str, str]

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )


def requests_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return what ``--dry-run`` printed, by operation."""
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    if isinstance(printed, dict):  # of a script that has one request
        return {"CreateTrainingJob": printed}
    return {operation: request for entry in printed for operation, request in entry.items()}


def assert_valid(operation: str, request: dict[str, Any]) -> None:
    """Check a request of SageMaker's against botocore's model of the API: types, patterns, enumerations, lengths."""
    model = botocore.session.get_session().get_service_model("sagemaker").operation_model(operation).input_shape
    report = ParamValidator().validate(request, model)
    assert not report.has_errors(), report.generate_report()
    _assert_documented(request, model, operation)


def _assert_documented(value: Any, shape: Any, path: str) -> None:
    """Check what AWS documents and botocore does not enforce."""
    if shape.type_name == "structure":
        for name, each in value.items():
            _assert_documented(each, shape.members[name], f"{path}.{name}")
    elif shape.type_name == "list":
        assert shape.metadata.get("min", 0) <= len(value) <= shape.metadata.get("max", len(value)), path
        for each in value:
            _assert_documented(each, shape.member, path)
    elif shape.type_name == "map":
        for name, each in value.items():
            _assert_documented(name, shape.key, f"{path} (key)")
            _assert_documented(each, shape.value, f"{path}.{name}")
    elif shape.type_name == "string":
        assert len(value) <= shape.metadata.get("max", len(value)), path
        pattern = shape.metadata.get("pattern", ".*")
        for posix, python in ((r"\p{L}", "a-zA-Z"), (r"\p{Z}", " "), (r"\p{N}", "0-9")):
            pattern = pattern.replace(posix, python)
        assert re.fullmatch(pattern, value), f"{path} is {value!r}, documented as {pattern}"
        assert value in (shape.enum or [value]), f"{path} is {value!r}"
    elif shape.type_name == "integer":
        assert shape.metadata.get("min", value) <= value <= shape.metadata.get("max", value), path


def put_images(aws: Aws) -> None:
    """Have both images in ECR, as push_images.py leaves them, with the tag 1."""
    ecr = aws.client("ecr")
    for kind in ("training", "serving"):
        ecr.create_repository(repositoryName=f"mountain-car-{kind}")
        media_type = "application/vnd.docker.distribution.manifest.v2+json"
        manifest = json.dumps({"schemaVersion": 2, "mediaType": media_type, "config": {"digest": kind}, "layers": []})
        ecr.put_image(repositoryName=f"mountain-car-{kind}", imageManifest=manifest, imageTag="1")


def refusing(operation: str, code: str, message: str) -> Callable[[Any, Any], None]:
    """Return what a proxy is to do to answer an operation by an error."""

    def spoil(handler: Any, answer: Any) -> None:
        asked = str(handler.headers.get("X-Amz-Target", "")).rpartition(".")[2]
        if operation == asked:
            body = json.dumps({"__type": code, "message": message}).encode()
            handler.answer(400, {"Content-Type": "application/x-amz-json-1.1"}, body)
        else:
            handler.answer(answer.status_code, answer.headers, answer.content)

    return spoil


def log_lines(aws: Aws, stream: str, *lines: str) -> None:
    """Put lines into the log of training jobs, as a container of theirs would."""
    logs = aws.client("logs")
    group = "/aws/sagemaker/TrainingJobs"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(1000 * time.time())
    events = [{"timestamp": now + number, "message": line} for number, line in enumerate(lines)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
