"""What a step of an environment costs, and how many processes that is worth."""

import random
import time

import gym
import numpy as np
import pytest
from graphs import CORRIDOR, make_graph
from jobs import PPO
from sagemaker_rl import cores
from sagemaker_rl.training.accelerated import step_cost
from sagemaker_rl.training.accelerated.step_cost import StepCost, begin_processes, measure


@pytest.fixture(autouse=True)
def _four_cores(monkeypatch):
    monkeypatch.setattr(cores, "count", lambda: 4)


class Sleeps(gym.Env):
    action_space = gym.spaces.Discrete(2)

    def __init__(self, draw=lambda: None):
        self.draw, self.steps, self.resets = draw, 0, 0

    def reset(self):
        self.resets += 1
        self.draw()

    def step(self, action):
        time.sleep(0.005)
        self.steps += 1
        return None, 0.0, self.steps % 4 == 0, {}


def test_a_step_costs_what_it_takes_and_is_measured_for_a_moment():
    env = Sleeps()
    started = time.monotonic()
    cost = measure(env)
    assert 0.005 <= cost.seconds < 0.05
    assert time.monotonic() - started < 1
    assert env.resets == env.steps // 4 + 1
    assert not cost.draws_globally


@pytest.mark.parametrize("draw", [np.random.rand, random.random], ids=["NumPy", "Python"])
def test_random_numbers_that_all_copies_share_are_noticed_and_given_back(draw):
    np.random.seed(3)
    random.seed(3)
    expected = np.random.rand(), random.random()
    np.random.seed(3)
    random.seed(3)
    assert measure(Sleeps(draw)).draws_globally
    assert (np.random.rand(), random.random()) == expected


@pytest.mark.parametrize(
    ("seconds", "copies", "processes"),
    [(0.005, 64, 4), (0.005, 3, 3), (0.001, 4, 4), (1e-6, 64, 1), (1e-5, 16, 1), (1e-5, 256, 4), (0.0, 64, 1)],
)
def test_processes_are_as_many_as_cores_where_they_pay(seconds, copies, processes):
    assert StepCost(seconds, draws_globally=False).choose_processes(copies) == processes
    assert StepCost(seconds, draws_globally=True).choose_processes(copies) == 1


@pytest.mark.parametrize(
    ("preset", "asked", "copies", "measured", "begun"),
    [
        (CORRIDOR, None, 8, True, 4),
        (CORRIDOR, None, 1, False, None),
        (CORRIDOR, 1, 8, False, None),
        (CORRIDOR, 3, 8, False, 3),
        (CORRIDOR, 30, 8, False, 8),
        (PPO, 3, 8, False, None),
        (PPO, None, 8, False, None),
    ],
)
def test_what_is_asked_for_is_begun(tmp_path, monkeypatch, preset, asked, copies, measured, begun):
    monkeypatch.setattr(step_cost, "EnvProcesses", lambda make, processes, level: (processes, level))
    monkeypatch.setattr(step_cost, "measure", lambda env: StepCost(0.01, draws_globally=False))
    processes, cost = begin_processes(make_graph(tmp_path, preset), lambda: None, copies, asked)
    assert (processes is None) == (begun is None)
    assert processes is None or processes[0] == begun
    assert (cost is not None) == measured
