"""Environments of gymnasium, and ids that it or gym has registered, through whole jobs."""

import json
import shutil

import numpy as np
import pytest
from jobs import CSV, ROOT, give_checkpoint, run_prepared
from own_environments import train_own
from PIL import Image
from sagemaker_rl.policy.artifact import Policy

PROJECT = ROOT / "tests/resources/gymnasium_environment"
GREENHOUSE = {"RLCOACH_PRESET": "preset-greenhouse", "seed": "1"}
OF_THE_PRESET = """
import gymnasium

gymnasium.register(
    "own/Lever-v2",
    entry_point="own:OfGymnasium",
    max_episode_steps=20,
    reward_threshold=20.0,
    additional_wrappers=(gymnasium.wrappers.ClipReward.wrapper_spec(min_reward=-1.0, max_reward=1.0),),
)


class OfGymnasium(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1.0, 1.0, shape=(1,), dtype=np.float32)
    action_space = gymnasium.spaces.Discrete(3, start=4)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.np_random.uniform(-1.0, 1.0, 1).astype(np.float32), {}

    def step(self, action):
        assert self.action_space.contains(action)
        return np.zeros(1, dtype=np.float32), 5.0 if action == 6 else 0.0, False, False, {}
"""
"""A lever with the positions 4, 5 and 6, of which the last is worth 1 in each of 20 steps."""


def with_project(ml):
    shutil.copytree(PROJECT, ml / "code")


@pytest.fixture(scope="module")
def greenhouse(tmp_path_factory):
    job = run_prepared(tmp_path_factory.mktemp("greenhouse"), GREENHOUSE, before=with_project)
    assert job.status == 0, job.log
    return job


def test_an_environment_written_for_gymnasium_is_learnt(greenhouse):
    assert "Path> Path=accelerated" in greenhouse.log
    assert greenhouse.metadata()["evaluation_reward"] == 100
    description = json.loads((greenhouse.ml / "model/policy.json").read_text())
    assert description["environment"] == "greenhouse:Greenhouse"
    assert description["action_space"] == {"type": "discrete", "n": 2}
    with np.load(greenhouse.ml / "output/data/trial.npz") as trial:
        assert set(trial["returns"]) == {100.0}
        assert len(np.unique(trial["starts"][:, 0])) == len(
            trial["starts"]
        )  # the next reset has the seed, no later one
    assert Policy.load(greenhouse.ml / "model").actions(np.array([[-2.9, 0.0], [2.9, 1.0]])).tolist() == [1, 0]


def test_its_evaluation_is_drawn(greenhouse):
    gifs = sorted((greenhouse.ml / "output/intermediate/gifs").glob("*.gif"))
    with Image.open(gifs[-1]) as image:
        assert image.size == (60, 100)
        assert image.n_frames >= 15  # of every fifth of 100 steps, where it has changed
    assert "GIFs=none" not in greenhouse.log


def test_it_is_evaluated(greenhouse, tmp_path):
    give_checkpoint(tmp_path, greenhouse)
    program = {"sagemaker_program": "evaluate-coach.py", "evaluate_steps": "100"}
    job = run_prepared(tmp_path, {**GREENHOUSE, **program}, before=with_project)
    assert job.status == 0, job.log
    result = json.loads((tmp_path / "output/data/evaluation.json").read_text())
    assert set(result["returns"]) == {100.0}
    assert list((tmp_path / "output/intermediate/gifs").glob("*.gif"))


@pytest.mark.parametrize(("preset", "accelerate"), [("ppo", "1"), ("dqn", "0")])
def test_an_id_that_the_users_module_registers_is_played_on_both_paths(tmp_path, preset, accelerate):
    steps = {"improve_steps": "2000", "evaluation_freq_env_steps": "1000"} if preset == "ppo" else {}
    job = train_own(
        tmp_path, {"accelerate": accelerate, **steps}, preset, level="own:own/Lever-v2", members=OF_THE_PRESET
    )
    assert job.status == 0, job.log
    assert f"Path={'accelerated' if accelerate == '1' else 'stock Coach'}" in job.log
    assert job.metadata()["evaluation_reward"] == 20
    description = json.loads((tmp_path / "model/policy.json").read_text())
    assert description["environment"] == "own:own/Lever-v2"
    assert description["action_space"] == {"type": "discrete", "n": 3, "start": 4}
    assert (tmp_path / "output/data/trial.npz").is_file()
    assert "own:own/Lever-v2" in (tmp_path / "output/data/report.html").read_text()
    rows = (tmp_path / "output/intermediate" / CSV).read_text().splitlines()
    success = rows[0].split(",").index("Success Rate")
    assert "1.0" in {row.split(",")[success] for row in rows[1:]}  # its threshold is that of the registry


def test_cartpole_is_played_by_its_id(tmp_path):
    job = train_own(tmp_path, {}, "dqn", level="CartPole-v1")
    assert job.status == 0, job.log
    assert "Path=accelerated" in job.log
    assert json.loads((tmp_path / "model/policy.json").read_text())["environment"] == "CartPole-v1"
    assert 8 <= job.metadata()["evaluation_reward"] <= 500
