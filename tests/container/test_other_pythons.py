"""The laptop's tools where MXNet cannot run: they need no compiler, and the demo takes a Docker engine."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jobs import ROOT, SHORT_DEMO, Job
from launch.cli.errors import UsageError
from launch.sagemaker import hyperparameter_check

NEWER = ("3.14", "3.13", "3.12")
MAKE_VENV = ROOT / "scripts/make_venv.sh"
FEW_COMMANDS = ("dirname", "sed", "sh", "uname")


def find_newer_python() -> str:
    """Return the newest Python above 3.11 on PATH, or of those that pyenv and uv have installed."""
    homes = [
        Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions",
        Path.home() / ".local/share/uv/python",
    ]
    for version in NEWER:
        installed = [str(path) for home in homes for path in home.glob(f"*{version}.*/bin/python3")]
        for python in (shutil.which(f"python{version}"), *installed):
            if python and subprocess.run([python, "-c", "import ensurepip"], capture_output=True).returncode == 0:
                return python
    pytest.skip("no Python newer than 3.11 is installed")


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment that the Makefile would have made where there is no Python 3.11."""
    folder = tmp_path_factory.mktemp("newer") / "venv"
    environment = {**os.environ, "CC": "no-compiler-here"}
    made = subprocess.run([MAKE_VENV, folder, find_newer_python()], capture_output=True, text=True, env=environment)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "Jobs run as processes on Linux on x86-64 with Python 3.11 alone." in made.stdout
    return folder / "bin/python"


def run(python: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(argument) for argument in (python, *arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **variables},
        capture_output=True,
        text=True,
    )


def test_every_script_starts_and_a_request_is_shown(newer):
    scripts = sorted((ROOT / "scripts").glob("*.py"))
    assert len(scripts) > 15
    for script in scripts:
        done = run(newer, script, "--help")
        assert done.returncode == 0 and not done.stderr, done.stderr
    names = ["--role", "arn:aws:iam::123456789012:role/r", "--bucket", "b", "--region", "eu-west-1"]
    image = ["--image", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mountain-car-training:latest"]
    done = run(newer, "scripts/train.py", "--dry-run", *names, *image, "-p", "discount=0.9")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["HyperParameters"]["discount"] == "0.9"


def test_hyperparameters_are_checked_without_coach(newer, monkeypatch):
    """``rl.`` paths are not: they lead to what Coach holds."""
    monkeypatch.setattr(sys, "executable", str(newer))
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mountain-car-training:latest"
    hyperparameter_check.check(image, [{"improve_steps": "100", "rl.agent_params.algorithm.discount": "0.9"}])
    with pytest.raises(UsageError, match=r"^Hyperparameter improve_steps is -3, expected a whole number 1 or more\.$"):
        hyperparameter_check.check(image, [{"improve_steps": "-3"}])


def test_a_report_is_the_same(newer, dqn_job: Job, tmp_path):
    """The two environments have other versions of NumPy; the page says when it was written."""
    reports = []
    for python in (newer, ROOT / ".venv/bin/python"):
        shutil.copytree(dqn_job.ml / "output", tmp_path / "job/output", dirs_exist_ok=True)
        done = run(python, "container_src/write-report.py", tmp_path / "job", "--output", tmp_path / "report.html")
        assert done.returncode == 0, done.stderr
        reports.append((tmp_path / "report.html").stat().st_size)
    assert reports[0] == pytest.approx(reports[1], rel=0.01)


def test_the_demo_takes_the_docker_engine(newer, built, tmp_path):
    done = run(newer, "scripts/demo.py", "--runs", tmp_path, *SHORT_DEMO)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "Engine: docker, as MXNet runs on Linux on x86-64 with Python 3.11, and this is Linux on x86_64" in done.stdout
    )
    for name in ("report.html", "reward.png", "episode.gif", "model.tar.gz"):
        assert (tmp_path / "latest" / name).stat().st_size > 1000


def test_the_demo_says_what_is_missing_where_neither_can_run(newer, tmp_path):
    done = run(newer, "scripts/demo.py", "--runs", tmp_path, DOCKER_HOST=f"unix://{tmp_path}/no.sock")
    assert (done.returncode, done.stdout) == (2, "")
    (sentence,) = done.stderr.splitlines()
    assert "uv python install 3.11" in sentence and "get-docker" in sentence and f"{tmp_path}/no.sock" in sentence
    done = run(newer, "scripts/demo.py", "--runs", tmp_path, "--engine", "process")
    assert done.returncode == 2 and "--engine is process, but MXNet runs on Linux" in done.stderr
    done = run(newer, "scripts/train.py", "--local", RL_LOCAL_ENGINE="process", RL_RUNS=str(tmp_path))
    assert done.returncode == 2 and "RL_LOCAL_ENGINE is process, but MXNet runs on Linux" in done.stderr


def test_an_environment_is_made_anew_by_its_own_python(tmp_path):
    """It is active, and has a pip that goes with it."""
    folder = tmp_path / "an environment"
    subprocess.run([find_newer_python(), "-m", "venv", folder], check=True)
    made = subprocess.run([MAKE_VENV, folder, folder / "bin/python"], capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    subprocess.run([folder / "bin/python", "-c", "import boto3"], check=True)


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        ("python3.99", "PYTHON is python3.99, expected the command of a Python 3.11 to 3.14 with its module venv."),
        ("", "There is no Python 3.11 to 3.14 with its module venv: get one by this system's packages"),
    ],
)
def test_no_python(tmp_path, python, sentence):
    (tmp_path / "bin").mkdir()
    for command in FEW_COMMANDS:
        (tmp_path / "bin" / command).symlink_to(str(shutil.which(command)))
    made = subprocess.run(
        [MAKE_VENV, tmp_path / "venv", python], env={"PATH": str(tmp_path / "bin")}, capture_output=True, text=True
    )
    assert made.returncode == 2
    assert sentence in made.stderr and made.stderr.count("\n") == 1
    assert not (tmp_path / "venv").exists()
