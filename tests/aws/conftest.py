"""A local AWS server (moto in server mode) over real HTTP, and the scripts as a user runs them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import httpx
import pytest
from botocore.validate import ParamValidator
from jobs import ROOT
from moto.sagemaker.responses import SageMakerResponse
from moto.server import ThreadedMotoServer

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


def update_endpoint(response: Any) -> Any:
    """Answer UpdateEndpoint, which moto does not know, as AWS does once the update is done."""
    from moto.core.responses import ActionResult

    endpoint = response.sagemaker_backend.endpoints[response._get_param("EndpointName")]
    endpoint.endpoint_config_name = response._get_param("EndpointConfigName")
    return ActionResult({"EndpointArn": endpoint.arn})


@pytest.fixture(scope="session")
def aws_server() -> Iterator[str]:
    """Listens on all addresses, so that containers reach it too."""
    SageMakerResponse.update_endpoint = update_endpoint
    server = ThreadedMotoServer(ip_address="0.0.0.0", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def aws(aws_server: str, tmp_path: Path) -> Iterator[Aws]:
    """An account with nothing in it."""

    httpx.post(f"{aws_server}/moto-api/reset", trust_env=False)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {
        **kept,
        "AWS_ENDPOINT_URL": aws_server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "aws-credentials"),
        "RL_RUNS": str(tmp_path / "runs"),
        "NO_PROXY": "127.0.0.1,localhost",
    }
    yield Aws(aws_server, environment)


@pytest.fixture
def script(aws: Aws) -> Script:
    """Run a script from the command line: ``script("train.py", "--dry-run", AWS_REGION="us-east-1")``."""

    def run(name: str, *arguments: str, input: str | None = None, **environment: str) -> Any:
        changed = {key: value for key, value in {**aws.environment, **environment}.items() if value != "(unset)"}
        return subprocess.run(
            [sys.executable, str(ROOT / "scripts" / name), *arguments],
            capture_output=True,
            text=True,
            env=changed,
            input=input if input is not None else "",
            timeout=300,
        )

    return run


def requests_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return what ``--dry-run`` printed, by operation."""
    assert done.returncode == 0, done.stderr
    return {operation: request for entry in json.loads(done.stdout) for operation, request in entry.items()}


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
