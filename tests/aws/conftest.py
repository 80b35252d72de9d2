"""A local AWS server (moto in server mode) over real HTTP, and the scripts as a user runs them."""

import functools
import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import botocore.session
import httpx
import pytest
import unknown_to_moto
from botocore import loaders
from botocore.retries.standard import ExponentialBackoff
from launch.aws.clients import Clients
from local_aws import ACCOUNT, REGION, Aws, Script
from moto.sagemaker.responses import SageMakerResponse
from moto.server import ThreadedMotoServer
from run_script import run_script


def update_endpoint(response: Any) -> Any:
    """Answer UpdateEndpoint, which moto does not know, as AWS does once the update is done.

    A variant that Application Auto Scaling knows cannot change its instance type. An alarm that is on ends an update.
    """
    from moto.applicationautoscaling.models import applicationautoscaling_backends
    from moto.cloudwatch.models import cloudwatch_backends
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
    endpoint.last_modified_time += timedelta(seconds=1)
    rollback = (response._get_param("DeploymentConfig") or {}).get("AutoRollbackConfiguration", {})
    for name in [alarm["AlarmName"] for alarm in rollback.get("Alarms", [])]:
        if cloudwatch_backends[ACCOUNT][REGION].alarms[name].state_value == "ALARM":
            endpoint.failure_reason = f"The update was rolled back: {name} is in the state ALARM."
            return ActionResult({"EndpointArn": endpoint.arn})
    endpoint.endpoint_config_name = response._get_param("EndpointConfigName")
    return ActionResult({"EndpointArn": endpoint.arn})


@pytest.fixture(scope="session")
def aws_server() -> Iterator[str]:
    """Listens on all addresses, so that containers reach it too."""
    SageMakerResponse.update_endpoint = update_endpoint
    server = ThreadedMotoServer(ip_address="0.0.0.0", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    with unknown_to_moto.added():
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


ONE_LOADER = functools.cache(loaders.create_loader)
"""Reads botocore's models of the services, which are large, once: each script would read them anew."""


@pytest.fixture
def quick_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have clients look without a pause at what they wait for, and repeat a refused call at once."""
    monkeypatch.setattr(Clients, "seconds_between_polls", 0.001)
    monkeypatch.setattr(Clients, "seconds_that_logs_lag", 0.001)
    monkeypatch.setattr(botocore.session, "create_loader", ONE_LOADER)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda self, context: 0.0)


@pytest.fixture
def script(aws: Aws, quick_clients: None) -> Script:
    """Run a script as from the command line: ``script("train.py", "--dry-run", AWS_REGION="us-east-1")``."""

    def run(name: str, *arguments: str, input: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        changed = {key: value for key, value in {**aws.environment, **environment}.items() if value != "(unset)"}
        return run_script(name, *arguments, environment=changed, input=input)

    return run
