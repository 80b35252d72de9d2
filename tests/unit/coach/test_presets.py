"""Where presets are found, and what is set before Coach is imported."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
from agent_presets import write_agent
from jobs import CONTAINER_SRC, PPO
from sagemaker_rl.coach.presets import find_preset, import_coach, import_preset, prepare_environment, preset_stem
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.ml_paths import MLPaths

SET = {
    "COACH_BACKEND": "mxnet",
    "MXNET_ENGINE_INFO": "0",
    "MXNET_ENGINE_TYPE": "NaiveEngine",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYGAME_HIDE_SUPPORT_PROMPT": "1",
}


@pytest.mark.parametrize("name", ["my-car", "my-car.py", "my-car:graph_manager", "my-car.py:graph_manager"])
def test_a_name_as_checkpoints_have_it(name):
    assert preset_stem(name) == "my-car"


def test_the_nearest_folder_comes_first(tmp_path, monkeypatch):
    """Beside the launcher, in the job's code, in the current folder, in the image, among Coach's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launcher").mkdir()
    paths = MLPaths(tmp_path / "ml")
    paths.code.mkdir(parents=True)
    import rl_coach

    assert find_preset("CartPole_DQN", paths) == Path(rl_coach.__path__[0]) / "presets" / "CartPole_DQN.py"
    assert find_preset(PPO, paths) == CONTAINER_SRC / f"{PPO}.py"
    for folder in (tmp_path, paths.code, tmp_path / "launcher"):
        for name in (PPO, "CartPole_DQN"):
            (folder / f"{name}.py").touch()
            assert find_preset(name, paths, tmp_path / "launcher") == folder / f"{name}.py"
    assert find_preset(PPO, paths) == paths.code / f"{PPO}.py"


def test_a_preset_in_a_folder_beside_the_launcher_and_in_none_above(tmp_path):
    (tmp_path / "launcher/presets").mkdir(parents=True)
    (tmp_path / "launcher/presets/own.py").touch()
    (tmp_path / "other.py").touch()
    launcher = tmp_path / "launcher"
    assert find_preset("presets/own", MLPaths(tmp_path), launcher) == launcher / "presets/own.py"
    assert find_preset("presets/../presets/own.py", MLPaths(tmp_path), launcher) == launcher / "presets/own.py"
    for name in ("../other", "presets/../../other", str(tmp_path / "other")):
        with pytest.raises(InputError, match="which is no preset here"):
            find_preset(name, MLPaths(tmp_path), launcher)


def test_a_mistyped_name_gets_the_nearest(tmp_path):
    with pytest.raises(InputError, match="'preset-mountain-car-dqm', which is no preset here, did you mean 'preset-m"):
        find_preset("preset-mountain-car-dqm", MLPaths(tmp_path))


def test_what_packages_read_is_set_where_the_user_has_not(monkeypatch):
    for name in SET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    prepare_environment()
    assert {name: os.environ.get(name) for name in SET} == {**SET, "OMP_NUM_THREADS": "3"}


def test_garbage_is_collected_again_after_an_import(tmp_path):
    preset = write_agent(tmp_path, "dqn_agent:DQNAgent")
    for action in (import_coach, lambda: import_preset(preset)):
        action()
        assert gc.isenabled()
    gc.disable()
    try:
        import_coach()
        assert not gc.isenabled(), "whoever has disabled it does not want it"
    finally:
        gc.enable()
    preset.write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        import_preset(preset)
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("", "defines no graph_manager of a single agent, expected a BasicRLGraphManager."),
        ("graph_manager = None", "defines no graph_manager of a single agent"),
        ("graph_manager = object()", "defines no graph_manager of a single agent"),
        ("import tensorflow.keras", "imports TensorFlow, but Coach runs on MXNet here: expected an agent and heads"),
    ],
)
def test_a_file_that_is_no_preset(tmp_path, code, sentence):
    (tmp_path / "preset-own.py").write_text(code + "\n")
    with pytest.raises(InputError) as error:
        import_preset(tmp_path / "preset-own.py")
    assert sentence in str(error.value)


def test_another_missing_module_is_the_users(tmp_path):
    (tmp_path / "preset-own.py").write_text("import tensorflow_probability_of_mine\n")
    with pytest.raises(ModuleNotFoundError):
        import_preset(tmp_path / "preset-own.py")


def test_a_preset_imports_what_lies_beside_it_and_the_log_has_no_colours(tmp_path):
    """In a process of its own, as Coach is imported but once."""
    preset = write_agent(tmp_path, "dqn_agent:DQNAgent", "import warnings, np_beside\nwarnings.warn('mine')")
    (preset.parent / "np_beside.py").touch()
    code = f"""
from pathlib import Path
from sagemaker_rl.coach.presets import import_preset
manager = import_preset(Path({str(preset)!r}))
from rl_coach.base_parameters import Frameworks
from rl_coach.logger import screen
print({{network.framework.name for network in manager.agent_params.network_wrappers.values()}})
screen.log_title("plain")
screen.warning("heard")
"""
    environment = {**os.environ, "PYTHONPATH": str(CONTAINER_SRC)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["{'mxnet'}", "## plain", "!! heard"]
    warned = [line for line in done.stderr.splitlines() if "Warning" in line]
    assert len(warned) == 1, "of packages about each other nobody needs to hear"
    assert "UserWarning: mine" in warned[0]
