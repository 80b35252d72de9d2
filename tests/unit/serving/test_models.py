"""Which sort of model a folder holds."""

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


def test_a_folder_that_may_not_be_looked_into_is_left_to_loading(folder, monkeypatch):
    def refuse(path):
        raise PermissionError

    monkeypatch.setattr(Path, "is_file", refuse)
    assert not models.has_user_code(folder, "inference.py")
