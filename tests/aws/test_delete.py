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
