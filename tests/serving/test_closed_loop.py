"""The endpoint in the agent's place, and an endpoint that works for a while."""

import os
import time
from pathlib import Path

import gym
import numpy as np
import pytest
from gym.envs.classic_control import Continuous_MountainCarEnv
from load import under_load
from sagemaker_rl.policy.artifact import Policy

EPISODES = 100
STEPS = 2_000
"""At most: a policy of a short training may leave a car in the valley."""
SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "15"))
"""Of the soak; by hand: ``SOAK_SECONDS=600 make test PYTEST_ARGS="tests/serving -k soak"``."""


def mean_return(act) -> float:
    """Drive the patient car from 100 starts, all in step."""
    cars: list[gym.Env] = [Continuous_MountainCarEnv() for _ in range(EPISODES)]
    observations = np.array([car.reset(seed=seed) for seed, car in enumerate(cars)], dtype=np.float32)
    returns, driving = np.zeros(EPISODES), np.arange(EPISODES)
    for _ in range(STEPS):
        actions = act(observations[driving])
        dones = np.zeros(len(driving), dtype=bool)
        for place, (car, action) in enumerate(zip(driving, actions, strict=True)):
            observation, reward, dones[place], *_ = cars[car].step(np.asarray(action, dtype=np.float32))
            observations[car] = observation
            returns[car] += reward
        driving = driving[~dones]
        if not len(driving):
            break
    return float(returns.mean())


@pytest.mark.parametrize(
    ("compiled", "tolerance"),
    [({"SAGEMAKER_RL_COMPILE": "0"}, {"abs": 1e-6}), ({}, {"rel": 1e-6})],
    ids=["by MXNet", "by the plan"],
)
def test_episodes_through_the_endpoint_return_what_the_agents_do(start, ppo_model, compiled, tolerance):
    """The same graph on the same executor does the same; a plan rounds in other places."""
    with start(ppo_model, **compiled) as server:

        def ask(observations: np.ndarray) -> list[list[float]]:
            body = [[float(number) for number in row] for row in observations]
            headers = {"X-Amzn-SageMaker-Custom-Attributes": "output=actions"}
            return server.client().post("/invocations", json=body, headers=headers).json()

        assert mean_return(ask) == pytest.approx(mean_return(Policy.load(ppo_model).actions), **tolerance)


def resident(pids: list[int]) -> float:
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_a_soak_leaves_memory_flat(start, ppo_model):
    with start(ppo_model) as server:
        workers = server.workers()
        with under_load(server.url, clients=16) as load:
            time.sleep(SOAK_SECONDS / 3)  # warm
            before = resident(workers)
            time.sleep(2 * SOAK_SECONDS / 3)
            after = resident(workers)
        assert load.statuses[200] > 100 * SOAK_SECONDS
        assert not load.failed
        assert not load.wrong
        assert server.workers() == workers
        assert after < 1.05 * before, f"{before:.0f} MB, then {after:.0f} MB"
