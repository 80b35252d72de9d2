"""Which launcher an evaluation finds in the user's programs."""

import json
import sys

import pytest
from sagemaker_rl.presetless import find_launcher

LAUNCHER = "from sagemaker_rl.coach_launcher import SageMakerCoachLauncher\n"
MINE = "class Mine(SageMakerCoachLauncher):\n    of = {of!r}\n"
GUARD = 'if __name__ == "__main__":\n    raise SystemExit("trains")\n'


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Return a function that asks for a launcher, in a folder of these programs."""
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path / "ml"))
    monkeypatch.setattr(sys, "argv", ["evaluate-coach.py"])
    (tmp_path / "code").mkdir()

    def ask(name, **programs):
        config = tmp_path / "ml/input/config"
        config.mkdir(parents=True, exist_ok=True)
        (config / "hyperparameters.json").write_text(json.dumps({} if name is None else {"RLCOACH_PRESET": name}))
        for program, source in programs.items():
            (tmp_path / "code" / f"{program}.py").write_text(source)
        return find_launcher(tmp_path / "code")

    yield ask
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(f"{tmp_path}/"):
            del sys.modules[name]


def test_the_class_of_that_name_in_a_program(asked):
    mine = LAUNCHER + MINE
    found = asked(
        "Mine",
        **{
            "a-broken": "class Mine(:\n",
            "a-deep": "-" * 4_000 + "1",
            "a-deeper": "-" * 20_000 + "1",
            "b-unguarded": mine.format(of="b") + 'raise SystemExit("trains")\n',
            "c-of-another": (LAUNCHER + MINE.replace("Mine", "Yours")).format(of="c") + GUARD,
            "d-no-launcher": "class Mine:\n    pass\n" + GUARD,
            "e-no-class": LAUNCHER + "Mine = SageMakerCoachLauncher\n" + GUARD,
            "f-it-is": mine.format(of="f") + GUARD,
            "g-too-late": mine.format(of="g") + GUARD,
        },
    )
    assert found is not None
    assert (found.__name__, found.of, found.__module__) == ("Mine", "f", "f_it_is")
    assert sys.modules["f_it_is"].Mine is found
    assert "a_broken" not in sys.modules
    assert "b_unguarded" not in sys.modules


def test_a_condition_on_something_else_is_no_guard(asked):
    assert asked("Mine", a=(LAUNCHER + MINE).format(of="a") + "if True:\n    pass\n") is None


@pytest.mark.parametrize("name", [None, "", "preset-own", 5])
def test_a_preset_is_no_class(asked, name):
    assert asked(name, main=(LAUNCHER + MINE).format(of="") + GUARD) is None


def test_a_preset_of_that_name_comes_first(asked):
    assert asked("Mine", Mine=(LAUNCHER + MINE).format(of="") + GUARD) is None


def test_the_name_may_come_as_an_argument_and_the_file_decides(asked, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["evaluate-coach.py", "--RLCOACH_PRESET", "Mine"])
    program = (LAUNCHER + MINE).format(of="") + GUARD
    found = asked(None, main=program)
    assert found is not None and found.__name__ == "Mine"
    assert asked("Yours", main=program) is None
