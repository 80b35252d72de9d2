"""A job in an environment that only its time limit ends, with Coach's default evaluation noise and e-greedy PPO."""

from functools import partial
from pathlib import Path

import numpy as np
from agent_presets import write_agent
from jobs import run_prepared
from sagemaker_rl.policy.artifact import Policy

LIMIT = """

def limited():
    return gym.wrappers.TimeLimit(Own(), max_episode_steps=20)
"""
CHANGES = """
from rl_coach.architectures.layers import Dense
from rl_coach.exploration_policies.e_greedy import EGreedyParameters

env_params = GymVectorEnvironment(level="own:limited")
schedule_params.improve_steps = EnvironmentSteps(4000)
schedule_params.steps_between_evaluation_periods = EnvironmentSteps(4000)
agent_params.exploration = EGreedyParameters()
agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(500)
agent_params.algorithm.discount = 0.9
network = agent_params.network_wrappers["main"]
network.learning_rate = 0.003
network.input_embedders_parameters["observation"].scheme = [Dense(16)]
network.middleware_parameters.scheme = [Dense(16)]
"""


def write_project(ml: Path) -> None:
    write_agent(ml, "clipped_ppo_agent:ClippedPPOAgent", CHANGES)
    own = ml / "code/own.py"
    source = own.read_text(encoding="utf-8").replace("self.steps % 20 == 0", "False")
    own.write_text(source + LIMIT, encoding="utf-8")


def test_the_critic_looks_beyond_the_time_limit(tmp_path):
    """A reward of 1 for ever is worth 1 / (1 - 0.9) everywhere; 20 steps of it are worth 6 on average."""
    job = run_prepared(tmp_path, {"RLCOACH_PRESET": "preset-own", "seed": "1"}, before=write_project)
    assert job.status == 0, job.log
    lines = job.log.splitlines()
    assert "Path> Path=accelerated, Environments=1" in lines
    assert [line for line in lines if line.startswith("Noise> Evaluation epsilon=0.05, Reason=evaluations explore")]
    policy = Policy.load(tmp_path / "model")
    values = policy.heads(np.linspace(-1, 1, 9, dtype=np.float32)[:, None])[policy.head_names.index("state_value")]
    assert np.abs(values - 10).max() < 1.5
