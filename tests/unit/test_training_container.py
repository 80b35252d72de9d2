"""The training image's entry point, before it runs the job's program."""

import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
import sagemaker_training.errors
from jobs import process_environment, write_inputs
from sagemaker_rl import training_container
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.failures import ProgramFailed
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import SIGNALS, STOP

PROGRAM = """
import sys
import sagemaker_rl.training_container, sagemaker_rl.coach_launcher
print(sorted({"numpy", "mxnet", "gym", "rl_coach"} & sys.modules.keys()))
"""


def test_nothing_that_reads_the_environment_is_imported_before_the_launcher_prepares_it(tmp_path):
    """NumPy's BLAS with a thread for each processor takes a third more processor time, and other last bits."""
    command = [sys.executable, "-c", PROGRAM]
    printed = subprocess.run(command, env=process_environment(tmp_path), capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"


@pytest.fixture
def ml(tmp_path) -> MLPaths:
    """A tree as SageMaker gives it to a job, and what an earlier run left in it."""
    write_inputs(tmp_path, {})
    (tmp_path / "output").mkdir()
    for name in ("failure", "success"):
        (tmp_path / "output" / name).write_text("of long ago")
    return MLPaths(tmp_path)


def test_a_job_begins_with_folders_to_write_to_and_no_end_of_an_earlier_one(ml):
    training_container._prepare(ml)
    assert sorted(path.name for path in (ml.root / "output").iterdir()) == ["data"]  # and no intermediate
    assert ml.model.is_dir()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"sagemaker_s3_output": "s3://bucket/x"}, None),
        ({"sagemaker_s3_output": "file:///folder"}, None),
        ({"sagemaker_s3_output": ""}, None),
        ({"sagemaker_s3_output": "http://x"}, "sagemaker_s3_output is 'http://x', expected an s3:// URI."),
        ({"sagemaker_rl_package": "image"}, None),
        ({"sagemaker_rl_package": "source"}, None),
        ({"sagemaker_rl_package": "other"}, "sagemaker_rl_package is 'other', expected image or source."),
    ],
)
def test_hyperparameters_of_the_platform(ml, given, sentence):
    write_inputs(ml.root, given)
    if sentence is None:
        training_container._prepare(ml)
        return
    with pytest.raises(InputError) as raised:
        training_container._prepare(ml)
    assert str(raised.value) == f"Hyperparameter {sentence}"


@pytest.mark.parametrize("name", ["resourceconfig.json", "inputdataconfig.json"])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "is missing, expected as SageMaker writes it."),
        ("{", "cannot be read: "),
        ("[]", "holds list, expected a JSON object."),
    ],
)
def test_what_sagemaker_has_written_is_checked(ml, name, content, sentence):
    file = ml.config / name
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError) as raised:
        training_container._prepare(ml)
    assert str(raised.value).startswith(f"Configuration file {file} {sentence}")


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """Programs of the image: one that ends well and one for each way to end."""
    programs = {
        "good": "import sys; print(__name__, sys.argv[0])",
        "zero": "raise SystemExit(0)",
        "none": "raise SystemExit",
        "three": "raise SystemExit(3)",
        "red": "raise SystemExit('red')",
    }
    for name, source in programs.items():
        (tmp_path / f"{name}-coach.py").write_text(source)
    (tmp_path / "preset.py").touch()
    monkeypatch.setattr(training_container, "BUNDLED_CODE", tmp_path)
    monkeypatch.setattr(sys, "argv", ["before"])
    return tmp_path


def test_a_bundled_program_is_run_as_one(bundled, capsys):
    training_container._run_bundled_program("good-coach.py")
    assert capsys.readouterr().out == f"__main__ {bundled / 'good-coach.py'}\n"
    for name in ("zero", "none"):
        training_container._run_bundled_program(f"{name}-coach.py")


@pytest.mark.parametrize(("name", "status"), [("three", "3"), ("red", "red")])
def test_a_bundled_program_that_fails(bundled, name, status):
    with pytest.raises(ProgramFailed) as raised:
        training_container._run_bundled_program(f"{name}-coach.py")
    assert str(raised.value) == f"{name}-coach.py ended with exit status {status}."


@pytest.mark.parametrize("name", ["god-coach.py", "preset.py", "../good-coach.py"])
def test_only_entry_points_are_run(bundled, name):
    with pytest.raises(InputError, match=rf"^Hyperparameter sagemaker_program is {name!r}, (did you mean|known are) "):
        training_container._known_program(name)


@pytest.fixture
def job(ml, monkeypatch):
    """Have ``main`` and ``run_job`` work in the tree; return what they called. Handlers are put back."""
    calls = []
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(sys, "argv", ["training_container.py", "train"])
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(ml.root))
    monkeypatch.setenv("SAGEMAKER_TRAINING_MODULE", "another")
    monkeypatch.setattr(training_container, "write_report", lambda paths: calls.append(("report", paths)))
    monkeypatch.setitem(
        sys.modules,
        "sagemaker_training",
        SimpleNamespace(trainer=SimpleNamespace(train=lambda: calls.append("train")), errors=sagemaker_training.errors),
    )
    yield SimpleNamespace(ml=ml, calls=calls)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_until_the_job_listens_a_signal_ends_the_process_at_once(job, monkeypatch, number):
    ends = []
    monkeypatch.setattr(os, "_exit", ends.append)
    training_container.main()
    signal.raise_signal(number)
    assert ends == [0]
    assert job.calls == ["train"]
    assert os.environ["SAGEMAKER_TRAINING_MODULE"] == "sagemaker_rl.training_container:run_job"
    assert not (job.ml.root / "output/success").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "'', expected 'train'"),
        (["serve"], "'serve', expected 'train'; mountain-car-serving is the image that serves"),
        (["train", "now"], "'train now', expected 'train'"),
    ],
)
def test_another_command_is_refused(job, monkeypatch, capsys, arguments, said):
    monkeypatch.setattr(sys, "argv", ["training_container.py", *arguments])
    with pytest.raises(SystemExit) as end:
        training_container.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == f"Error: The command is {said}.\n"
    assert job.calls == []


def test_a_tree_that_is_not_right_ends_the_job_with_a_report(job):
    (job.ml.config / "resourceconfig.json").unlink()
    with pytest.raises(SystemExit) as end:
        training_container.main()
    assert end.value.code == 1
    assert job.calls == [("report", job.ml)]
    assert "resourceconfig.json is missing" in job.ml.failure.read_text()


def test_a_job_that_fails_tells_sagemaker_training_why(job, monkeypatch):
    monkeypatch.setattr(training_container, "_run_program", lambda paths: 1 / 0)
    with pytest.raises(sagemaker_training.errors.ClientError, match=r"^ZeroDivisionError: division by zero$"):
        training_container.run_job()
    assert job.calls == [("report", job.ml)]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_job_that_was_asked_to_stop_has_gone_well(job, monkeypatch, capsys, number):
    monkeypatch.setattr(STOP, "_received", "")
    monkeypatch.setattr(training_container, "_run_program", lambda paths: signal.raise_signal(number))
    job.ml.failure.unlink()
    training_container.run_job()
    assert capsys.readouterr().out == f"Stopped by {number.name}.\n"
    assert job.calls == [("report", job.ml)]
    assert not job.ml.failure.exists()


@pytest.mark.parametrize(
    ("given", "ran"),
    [
        ({}, ("bundled", "train-coach.py")),
        ({"sagemaker_program": "evaluate-coach.py"}, ("bundled", "evaluate-coach.py")),
        ({"sagemaker_submit_directory": "s3://x", "sagemaker_program": "a.py"}, ("user's", "a.py")),
    ],
)
def test_the_program_is_the_users_only_with_a_source(job, monkeypatch, given, ran):
    program = given.get("sagemaker_program")
    monkeypatch.setattr(training_container, "_run_bundled_program", lambda name: job.calls.append(("bundled", name)))
    monkeypatch.setattr(training_container, "run_users_program", lambda paths: job.calls.append(("user's", program)))
    (job.ml.hyperparameters).write_text(json.dumps(given))
    training_container._run_program(job.ml)
    assert job.calls == [ran]
