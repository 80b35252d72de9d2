"""Which files count as written, and what an environment that writes some runs on."""

import os
import sqlite3
import tempfile
from pathlib import Path
from types import SimpleNamespace

import gym
import pytest
from agent_presets import write_agent
from sagemaker_rl.coach.graph import create_graph
from sagemaker_rl.coach.presets import import_preset
from sagemaker_rl.coach.written_files import watch_first_episode, watching
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.training import choice


def close(descriptor):
    os.close(descriptor)


WRITING = {
    "w": lambda path: open(path, "w").close(),
    "ab": lambda path: open(os.fsencode(path), "ab").close(),
    "r+": lambda path: open(path, "r+").close(),
    "of the system": lambda path: close(os.open(path, os.O_WRONLY)),
    "by keywords": lambda path: open(file=path, mode="w").close(),
    "by pathlib": lambda path: path.write_text("1"),
    "a database": lambda path: sqlite3.connect(path).close(),
}
OTHER = {
    "reading": lambda path: open(path).close(),
    "a new file": lambda path: open(path.with_name("new"), "x").close(),
    "a temporary file": lambda path: tempfile.NamedTemporaryFile(dir=path.parent).close(),
    "no file": lambda path: open(os.devnull, "w").close(),
    "an open file": lambda path: open(os.open(path, os.O_RDONLY)).close(),
    "a package's cache": lambda path: path.with_name(".cache").mkdir() or (path.parent / ".cache/fonts").touch(),
}


@pytest.mark.parametrize("way", [*WRITING, *OTHER])
def test_files_that_copies_would_share(tmp_path, way):
    file = tmp_path / "episodes.csv"
    file.touch()
    with watching() as paths:
        (WRITING | OTHER)[way](file)
    assert paths == ([str(file)] if way in WRITING else [])
    file.write_text("2")
    assert len(paths) <= 1 and (not paths or way in WRITING)  # the block has ended


def test_a_module_that_has_taken_open_from_io(tmp_path, monkeypatch):
    """As those that were written for Python 2, too, did."""
    (tmp_path / "older.py").write_text("from io import open\n\ndef write(path):\n    open(path, 'a').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    import older

    with watching() as paths:
        older.write(tmp_path / "rows.csv")
    assert paths == [str(tmp_path / "rows.csv")]


def test_after_an_error_nothing_is_noted(tmp_path):
    with pytest.raises(FileNotFoundError), watching() as outer, watching() as inner:
        (tmp_path / "a").touch()
        (tmp_path / "no/folder").write_text("1")
    (tmp_path / "b").write_text("1")
    assert outer == inner == [str(tmp_path / "a")]


ROWS = """
    def step(self, action):
        observation, reward, done, info = super().step(action)
        if done:
            with open({file!r}, "a") as file:
                file.write(f"{{id(self)}}\\n")
        return observation, reward, done, info
"""
LOG = """
    def __init__(self):
        self.log = open({file!r}, "w")
"""
NOTHING = ""


@pytest.mark.parametrize(
    ("members", "environments", "trains", "copies"),
    [
        (ROWS, None, True, 0),
        (ROWS, 2, True, 2),  # as asked for
        (ROWS, None, False, 1),
        (LOG, None, True, 0),
        (LOG, None, False, 0),
        (NOTHING, None, True, 16),
        (NOTHING, None, False, 1),
    ],
)
def test_an_environment_that_writes_files_has_one_copy(tmp_path, members, environments, trains, copies, capsys):
    preset = write_agent(tmp_path, "dqn_agent:DQNAgent", PRESET)
    own, file = tmp_path / "code/own.py", tmp_path / "rows.csv"
    subclass = f"\nBase = Own\nclass Own(Base):\n    pass\n{members.format(file=str(file))}"
    own.write_text(own.read_text() + subclass)
    graph_manager = import_preset(preset)
    create_graph(graph_manager, tmp_path, seed=3)
    run = choice.choose_run(graph_manager, MLPaths(tmp_path), 3, True, environments, trains)
    path = f"stock Coach, Reason=the environment writes files ({file}), which" if copies == 0 else "accelerated"
    assert f"Path> Path={path}" in capsys.readouterr().out
    if copies:
        assert run.envs.num_envs == copies
    if not trains:
        before = len(rows(file))
        assert len(run.play_at_least(1, 3)) == 3
        written = rows(file)[before:]
        assert len(written) == (3 if members == ROWS else 0)
        assert len(set(written)) <= 1
        assert graph_manager.environments[0].written_files == ([str(file)] if members else [])  # there is no trial


def test_the_first_episode_is_the_same_in_every_job():
    """Random actions until the episode ends, then the next one begins; files of both count."""

    class Remembers(gym.Env):
        action_space = gym.spaces.Discrete(5)
        taken = ()

        def reset(self):
            self.taken += ("reset",)

        def step(self, action):
            self.taken += (int(action),)
            return None, 0.0, len(self.taken) == 20, {}

    played = []
    for _ in range(2):
        environment = SimpleNamespace(env=Remembers(), written_files=[])
        environment.env.action_space.seed(None)
        watch_first_episode(environment)
        assert environment.written_files == []
        played.append(environment.env.taken)
    assert played[0] == played[1]
    assert played[0][-1] == "reset"
    assert len(played[0]) == 21
    assert len(set(played[0][:-1])) == 5


PRESET = """
agent_params.exploration.evaluation_epsilon = 0
agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(16)
"""


def rows(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
