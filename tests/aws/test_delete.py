"""delete.py against a local AWS server: it waits, and asks."""

import os
import pty
import subprocess
import sys

import pytest
from jobs import ROOT
from serving_resources import GIVEN, names

pytest_plugins = ("serving_resources",)
pytestmark = pytest.mark.usefixtures("pushed")


def test_delete_waits_for_what_an_endpoint_is_doing_and_until_it_is_gone(script, aws, model, monkeypatch):
    from moto.sagemaker import exceptions, models

    assert script("deploy.py", *GIVEN, model).returncode == 0
    looks, steps = [], ["Updating", "Updating", "RollingBack", "InService"]
    describe, delete = models.SageMakerModelBackend.describe_endpoint, models.SageMakerModelBackend.delete_endpoint

    def looked_at(backend, endpoint_name):
        endpoint = backend.endpoints.get(endpoint_name)
        if endpoint and endpoint.endpoint_status == "Deleting":
            looks.append(names(aws))
            delete(backend, endpoint_name) if len(looks) == 2 else None
        elif endpoint:
            endpoint.endpoint_status = steps.pop(0)
        return describe(backend, endpoint_name)

    def refused_or_begun(backend, endpoint_name):
        endpoint = backend.endpoints[endpoint_name]
        if endpoint.endpoint_status != "InService":
            raise exceptions.ValidationError(message="Cannot update in-progress endpoint")
        endpoint.endpoint_status = "Deleting"

    monkeypatch.setattr(models.SageMakerModelBackend, "describe_endpoint", looked_at)
    monkeypatch.setattr(models.SageMakerModelBackend, "delete_endpoint", refused_or_begun)
    done = script("delete.py", "--yes")
    assert done.returncode == 0, done.stderr
    said = "Endpoint rl-mountain-car is Updating, and can be deleted after that: waiting"
    assert done.stdout.count("can be deleted after that") == done.stdout.count(said) == 1
    assert [len(each) for each in looks[0]] == [1, 1]  # what it serves by goes after it
    assert names(aws) == ([], [])
    again = script("delete.py", "--yes")
    assert (again.returncode, again.stdout) == (0, "There is nothing left of rl-mountain-car in region eu-west-1\n")


@pytest.mark.parametrize(("answer", "deleted"), [("n\n", False), ("\n", False), ("y\n", True)])
def test_delete_asks(script, aws, model, answer, deleted):
    assert script("deploy.py", *GIVEN, model).returncode == 0
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts/delete.py")],
        stdin=terminal,
        stdout=subprocess.PIPE,
        env=aws.environment,
        text=True,
    )

    os.write(controller, answer.encode())
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "endpoint rl-mountain-car" in out
    assert (names(aws) == ([], [])) == deleted
