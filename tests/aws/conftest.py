"""A local AWS server (moto in server mode) over real HTTP, and the scripts as a user runs them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jobs import ROOT
from local_aws import ACCOUNT, REGION, Aws, Script
from moto.sagemaker.responses import SageMakerResponse
from moto.server import ThreadedMotoServer


def update_endpoint(response: Any) -> Any:
    """Answer UpdateEndpoint, which moto does not know, as AWS does once the update is done.

    A variant that Application Auto Scaling knows cannot change its instance type.
    """
    from moto.applicationautoscaling.models import applicationautoscaling_backends
    from moto.core.responses import ActionResult
    from moto.sagemaker.exceptions import ValidationError

    backend = response.sagemaker_backend
    endpoint = backend.endpoints[response._get_param("EndpointName")]
    types = [
        backend.endpoint_configs[name].production_variants[0].get("InstanceType")
        for name in (endpoint.endpoint_config_name, response._get_param("EndpointConfigName"))
    ]
    if types[0] != types[1] and any(applicationautoscaling_backends[ACCOUNT][REGION].targets.values()):
        raise ValidationError(message="Cannot change the instance type of a variant that is a scalable target.")
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
