"""The training image's entry point, before it runs the job's program."""

import subprocess
import sys

import pytest
from jobs import process_environment, write_inputs
from sagemaker_rl import training_container
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.failures import ProgramFailed
from sagemaker_rl.job.ml_paths import MLPaths

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
        training_container._run_bundled_program(name)
