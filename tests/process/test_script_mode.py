"""A user's own program through the training image's entry point: why it failed, in one sentence of the failure file."""

import os
import signal
import time
import zipfile
from pathlib import Path

import pytest
from jobs import Job, run_prepared, run_training, start_training

LAUNCHER = """
from sagemaker_rl.coach_launcher import SageMakerCoachPresetLauncher

class MyLauncher(SageMakerCoachPresetLauncher):
    def default_preset_name(self):
        return "preset-own"

if __name__ == "__main__":
    MyLauncher.train_main()
"""
KILLED = "import os, signal\nos.kill(os.getpid(), signal.{})\n"
KILLED_IN_A_SHELL = "#!/bin/sh\npython3 -c 'import os; os.kill(os.getpid(), 9)'\nexit $?\n"
NOT_IN_THE_IMAGE = (
    "in the source or in the image: name its package in requirements.txt, or install it in an image of your"
)


@pytest.fixture(autouse=True)
def _no_index(monkeypatch):
    """No test asks a package index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")


def submit(folder: Path, program: str, **files: str) -> dict[str, str]:
    """Write a source folder and return the hyperparameters of a job with it."""
    source = folder / "source"
    source.mkdir()
    for name, content in files.items():
        (source / name.replace("__", ".")).write_bytes(content.encode("utf-8"))
    return {"sagemaker_submit_directory": str(source), "sagemaker_program": program}


def run(folder: Path, program: str, **files: str) -> Job:
    hyperparameters = submit(folder, program, **files)
    ml = folder / "ml"
    ml.mkdir()
    return run_prepared(ml, hyperparameters)


@pytest.mark.parametrize(
    ("program", "content", "reason"),
    [
        (
            "main.py",
            "raise ValueError('column speed is missing in train.csv')",
            "main.py failed with ValueError: column speed is missing in train.csv",
        ),
        ("main.py", "x = (\n", "main.py failed with SyntaxError: '(' was never closed"),
        (
            "main.py",
            "import sys\nsys.exit('no rows in train.csv')",
            "main.py ended with exit status 1: no rows in train.csv",
        ),
        ("main.py", KILLED.format("SIGKILL"), "main.py was killed by signal 9, perhaps out of memory."),
        ("main.py", KILLED.format("SIGSEGV"), "main.py was killed by signal 11 (segmentation fault)."),
        ("train.sh", KILLED_IN_A_SHELL, "train.sh was killed by signal 9, perhaps out of memory."),
        (
            "train.sh",
            "#!/bin/sh\ncat nowhere.csv\n",
            "train.sh ended with exit status 1: cat: nowhere.csv: No such file or directory",
        ),
    ],
)
def test_the_reason_of_a_program_that_fails(tmp_path, program, content, reason):
    job = run(tmp_path, program, **{program.replace(".", "__"): content})
    assert job.status == 1, job.log
    assert job.failure == reason
    assert job.log.count(f"Error: {reason}") == 1


def test_the_log_of_a_program_is_passed_on_as_it_is(tmp_path):
    job = run(tmp_path, "main.py", main__py="import sys\nprint('10%\\r100%', file=sys.stderr)\nprint('done')\n")
    assert job.status == 0, job.log
    assert "10%" in job.log
    assert "done" in job.log
    assert not (job.ml / "output/failure").exists()


@pytest.mark.parametrize("module", ["scipy_of_nobody", "scipy_of_nobody.signal"])
def test_a_module_that_is_missing(tmp_path, module):
    job = run(tmp_path, "train-coach.py", **{"train-coach__py": f"import {module}\n{LAUNCHER}"})
    assert job.status == 1
    assert job.failure.startswith(
        f"train-coach.py failed with ModuleNotFoundError: No module named 'scipy_of_nobody' {NOT_IN_THE_IMAGE}"
    )


@pytest.mark.parametrize(
    ("preset", "reason"),
    [
        ("raise KeyError('speed')", "KeyError: 'speed'"),
        ("import scipy_of_nobody", f"ModuleNotFoundError: No module named 'scipy_of_nobody' {NOT_IN_THE_IMAGE}"),
        ("import sys; sys.exit('no track for the car')", "no track for the car"),
        ("import sys; sys.exit(7)", "The program ended with exit status 7."),
        ("assert False", "AssertionError"),
    ],
)
def test_a_preset_that_fails_in_a_launcher(tmp_path, preset, reason):
    job = run(tmp_path, "train-coach.py", **{"train-coach__py": LAUNCHER, "preset-own__py": preset})
    assert job.status == 1
    assert job.failure.startswith(reason)
    assert "\n" not in job.failure


def test_where_coach_would_exit_its_sentence_is_the_reason(tmp_path):
    """Coach's own presets and environments end the process so, by exit(1)."""
    preset = "from rl_coach.logger import screen\nscreen.error('Please set the path\\n  to the data set.')\n"
    job = run(tmp_path, "train-coach.py", **{"train-coach__py": LAUNCHER, "preset-own__py": preset})
    assert job.status == 1
    assert job.failure == "Please set the path to the data set."
    assert "Traceback" not in job.log


def test_the_image_lends_its_evaluation_program_to_a_source_without_one(tmp_path):
    source = tmp_path / "source"
    (source / "src").mkdir(parents=True)
    (source / "src/preset-own.py").write_text("raise KeyError('the preset beside the program')", encoding="utf-8")
    mode = {"sagemaker_submit_directory": str(source), "sagemaker_program": "src/evaluate-coach.py"}
    channel = tmp_path / "beside/input/data/checkpoint"
    channel.mkdir(parents=True)
    (channel / ".coach_checkpoint").write_text("0_Step-0.ckpt", encoding="utf-8")
    job = run_training(tmp_path / "beside", {**mode, "RLCOACH_PRESET": "preset-own"})
    assert "Program> Program=src/evaluate-coach.py, Reason=the source has none, hence the image's" in job.log
    assert job.failure == "KeyError: 'the preset beside the program'"


@pytest.mark.parametrize(
    ("requirements", "constraint", "reason"),
    [
        ("simulator-of-nobody==9.9\n", "", "No matching distribution found for simulator-of-nobody==9.9."),
        ("numpy==2.1.0\n", "numpy==1.23.5\n", "it asks for numpy==2.1.0, but the image depends on numpy==1.23.5."),
        (
            "simulator==2.0\n",
            "numpy==1.23.5\n",
            "simulator 2.0 depends on numpy>=2, but the image depends on numpy==1.23.5.",
        ),
        ("no requirement\n", "", "Invalid requirement: 'no requirement'"),
    ],
)
def test_a_requirement_that_cannot_be_installed(tmp_path, monkeypatch, requirements, constraint, reason):
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(constraint)
    monkeypatch.setenv("PIP_CONSTRAINT", str(constraints))
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels(tmp_path / "wheels")))
    job = run(tmp_path, "main.py", main__py="print('started')", requirements__txt=requirements)
    assert job.status == 1
    assert job.failure.startswith(f"requirements.txt cannot be installed: {reason}")
    assert "\n" not in job.failure
    assert "started" not in job.log


def wheels(folder: Path) -> Path:
    """Make a folder with a simulator that needs a newer numpy than the image's."""
    folder.mkdir()
    metadata = "Metadata-Version: 2.1\nName: simulator\nVersion: 2.0\nRequires-Dist: numpy>=2\n"
    with zipfile.ZipFile(folder / "simulator-2.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("simulator.py", "")
        wheel.writestr("simulator-2.0.dist-info/METADATA", metadata)
        wheel.writestr("simulator-2.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("simulator-2.0.dist-info/RECORD", "")
    return folder


@pytest.mark.parametrize("handler", ["", "import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))"])
def test_a_program_that_was_asked_to_stop_has_not_failed(tmp_path, handler):
    # In short pieces: Python calls no handler for a signal that arrives just before it sleeps until it has slept.
    main = f"import sys, time\n{handler}\nprint('started', flush=True)\nfor _ in range(600):\n    time.sleep(0.1)\n"
    hyperparameters = submit(tmp_path, "main.py", main__py=main)
    ml = tmp_path / "ml"
    ml.mkdir()
    process = start_training(ml, hyperparameters)
    assert process.stdout is not None
    before = []
    for line in process.stdout:
        before.append(line)
        if line.startswith("started"):
            break
    asked = time.monotonic()
    os.kill(process.pid, signal.SIGTERM)
    log, _ = process.communicate(timeout=30)
    assert process.returncode == 0, "".join(before) + log
    assert time.monotonic() - asked < 15
    assert not (ml / "output/failure").exists()
