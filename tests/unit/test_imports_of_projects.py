"""What else projects written for AWS's images import from ``sagemaker_rl``."""

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from jobs import CONTAINER_SRC
from sagemaker_rl import docker_utils, onnx_utils
from sagemaker_rl.errors import InputError


def test_an_onnx_file_is_not_mended(tmp_path):
    with pytest.raises(InputError, match=r"would mend .*model\.onnx, expected no ONNX file"):
        onnx_utils.fix_onnx_model(str(tmp_path / "model.onnx"))


def test_a_launcher_of_ray_is_refused_in_a_sentence():
    with pytest.raises(ImportError, match=r"ray_launcher\.SageMakerRayLauncher needs Ray, which is not in this image"):
        importlib.import_module("sagemaker_rl.ray_launcher").SageMakerRayLauncher  # noqa: B018


def test_a_host_has_an_address():
    assert docker_utils.get_ip_from_host(timeout=1, host_name="localhost") == "127.0.0.1"


@pytest.fixture
def clock(monkeypatch):
    """Have a host of no name for so many seconds, and time pass only in pauses; return how long each was."""
    pauses = []

    def resolve(name):
        if sum(pauses) < clock.seconds:
            raise OSError("Name or service not known")
        return f"the address of {name}"

    clock = SimpleNamespace(seconds=0.0, pauses=pauses)
    replaced = SimpleNamespace(gethostbyname=resolve, gethostname=lambda: "this-host")
    monkeypatch.setattr(docker_utils, "socket", replaced)
    monkeypatch.setattr(docker_utils, "time", SimpleNamespace(monotonic=lambda: 50 + sum(pauses), sleep=pauses.append))
    return clock


@pytest.mark.parametrize(
    ("seconds", "timeout", "pauses"), [(0, 5, []), (3, 100, [1, 1, 1]), (5, 5, [1] * 5), (0.5, 0.5, [0.5])]
)
def test_a_host_may_take_a_while_to_get_a_name(clock, seconds, timeout, pauses):
    clock.seconds = seconds
    assert docker_utils.get_ip_from_host(timeout, "another") == "the address of another"
    assert clock.pauses == pauses


def test_this_host_is_meant_if_none_is_named(clock):
    assert docker_utils.get_ip_from_host() == "the address of this-host"


@pytest.mark.parametrize(("timeout", "pauses"), [(3, 3), (0, 0)])
def test_a_host_without_address_is_named(clock, timeout, pauses):
    clock.seconds = 1000
    with pytest.raises(InputError, match=rf"^Host 'a' has no address after {timeout} s: Name or service not known\.$"):
        docker_utils.get_ip_from_host(timeout, "a")
    assert len(clock.pauses) == pauses


def test_it_is_tried_for_a_hundred_seconds(clock):
    clock.seconds = 1000
    with pytest.raises(InputError, match="'this-host' has no address after 100 s"):
        docker_utils.get_ip_from_host()


@pytest.mark.parametrize(("number", "handled"), [(1, True), (2, False)])
def test_a_containers_first_process_handles_sigterm_from_its_start(number, handled):
    program = (
        f"import os, signal, sys\nos.getpid = lambda: {number}\n"
        "del sys.modules['sitecustomize']\nimport sitecustomize\n"
        "print(signal.getsignal(signal.SIGTERM) != signal.SIG_DFL, flush=True)\nsignal.raise_signal(signal.SIGTERM)"
    )
    environment = {**os.environ, "PYTHONPATH": str(CONTAINER_SRC)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == (f"{handled}\n", 0 if handled else -signal.SIGTERM)


def test_a_folder_that_may_not_be_read_is_no_package(monkeypatch):
    def refuse(folder, pattern):
        raise PermissionError

    sitecustomize = importlib.import_module("sitecustomize")
    monkeypatch.setattr(Path, "glob", refuse)
    assert sitecustomize._is_package(Path("/")) is False
