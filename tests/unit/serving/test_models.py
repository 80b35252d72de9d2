"""Which sort of model a folder holds."""

import os
from pathlib import Path

import pytest
from sagemaker_rl.errors import PolicyError
from sagemaker_rl.serving import models, servable, user_code
from sagemaker_rl.serving.settings import Settings

HANDLER = "def predict_fn(data, model): return data"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "policy.json").write_text("{}")
    return tmp_path


def test_a_model_with_functions_of_its_own(folder, capfd):
    (folder / "code/inference.py").write_text(HANDLER)
    assert models.has_user_code(folder, "inference.py")
    assert capfd.readouterr().out == ""


def test_a_program_that_cannot_answer_is_not_run_and_logged(folder, capfd):
    (folder / "code/train.py").write_text("print()")
    assert not models.has_user_code(folder, "train.py")
    assert "code/train.py is not run: it defines none of model_fn" in capfd.readouterr().out


def test_without_a_program_the_artifact_answers(folder, capfd):
    assert not models.has_user_code(folder, "inference.py")
    assert not models.has_user_code(folder, "another.py")  # there is none that it could mean
    (folder / "code/helper.py").write_text("")
    assert not models.has_user_code(folder, "inference.py")  # nobody has named a program
    assert not models.has_user_code(folder / "nowhere", "inference.py")
    assert capfd.readouterr().out == ""


def test_a_program_that_was_mistyped(folder):
    for name in ("b.py", "a.py", "c.txt"):
        (folder / "code" / name).write_text("")
    with pytest.raises(
        PolicyError, match=r"SAGEMAKER_PROGRAM is 'd.py', expected one of those in code/: a.py, b.py\.$"
    ):
        models.has_user_code(folder, "d.py")


def test_the_program_may_be_named(folder, monkeypatch):
    (folder / "code/mine.py").write_text(HANDLER)
    monkeypatch.setattr(user_code, "UserModel", lambda folder: ("the user's", folder))
    monkeypatch.setattr(servable.Servable, "load", lambda folder, compiled: ("the artifact", folder, compiled))
    mine = Settings.from_environment({"SAGEMAKER_PROGRAM": "mine.py", "SAGEMAKER_RL_COMPILE": "0"})
    assert models.load_model(folder, mine) == ("the user's", folder)
    default = Settings.from_environment({"SAGEMAKER_RL_COMPILE": "0"})
    assert models.load_model(folder, default) == ("the artifact", folder, False)


def test_a_folder_that_may_not_be_looked_into(folder, monkeypatch):
    """The artifact must not answer in the place of functions that cannot be read."""

    def refuse(path, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(PolicyError, match=r"/code/inference.py cannot be read: Permission denied\.$"):
        models.has_user_code(folder, "inference.py")


def test_a_program_that_may_not_be_read(folder, monkeypatch):
    (folder / "code/inference.py").write_text(HANDLER)
    monkeypatch.setattr(models.os, "access", lambda path, mode: mode != os.R_OK)
    with pytest.raises(PolicyError, match=r"/code/inference.py cannot be read: Permission denied\.$"):
        models.has_user_code(folder, "inference.py")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "is a FIFO, expected a file."),
        (os.mkdir, "is a folder, expected a file."),
        (lambda path: path.symlink_to("/dev/zero"), "is a device, expected a file."),
        (lambda path: path.symlink_to("inference.py"), "cannot be read: Too many levels of symbolic links."),
        (lambda path: path.symlink_to("nowhere"), "is a link to nowhere, which is not there."),
    ],
)
def test_a_program_that_is_no_file(folder, make, reason):
    make(folder / "code/inference.py")
    with pytest.raises(PolicyError) as refused:
        models.has_user_code(folder, "inference.py")
    assert str(refused.value) == f"{folder}/code/inference.py {reason}"


def test_code_that_is_no_folder_holds_no_program(folder):
    (folder / "code").rmdir()
    os.mkfifo(folder / "code")
    assert not models.has_user_code(folder, "inference.py")


def test_requirements_are_not_installed_on_a_multi_model_endpoint_and_that_is_said(folder, capfd, monkeypatch):
    def fail(folder):
        raise ModuleNotFoundError("No module named 'nowhere'", name="nowhere")

    (folder / "code/inference.py").write_text(HANDLER)
    several = Settings.from_environment({"SAGEMAKER_MULTI_MODEL": "true"})
    monkeypatch.setattr(user_code, "UserModel", lambda folder: "loaded")
    assert models.load_model(folder, several) == "loaded"
    assert capfd.readouterr().out == ""
    (folder / "code/requirements.txt").write_text("nowhere")
    assert models.load_model(folder, several) == "loaded"
    assert "code/requirements.txt is not installed on a multi-model endpoint" in capfd.readouterr().out
    monkeypatch.setattr(user_code, "UserModel", fail)
    with pytest.raises(PolicyError) as refused:
        models.load_model(folder, several)
    assert str(refused.value) == (
        "No module named 'nowhere': code/requirements.txt is not installed on a multi-model endpoint; install it in "
        "an image of your own (docs/serving.md)."
    )
    with pytest.raises(ModuleNotFoundError):
        models.load_model(folder, Settings.from_environment({}))
    assert "not installed" not in capfd.readouterr().out.partition("\n")[2]
