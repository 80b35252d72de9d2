"""Epsilon-greedy actions in a batch of environments, and epsilon's schedule."""

from types import SimpleNamespace

import numpy as np
import pytest
from rl_coach.exploration_policies.e_greedy import EGreedy
from rl_coach.schedules import ConstantSchedule, ExponentialSchedule, LinearSchedule, PieceWiseSchedule
from rl_coach.spaces import DiscreteActionSpace
from sagemaker_rl.exploration import HeldEGreedy
from sagemaker_rl.training.accelerated.explorations import LONGEST_HOLD, EpsilonGreedy, evaluation_policy


def egreedy(schedule=None, evaluation_epsilon=0.0):
    return EGreedy(DiscreteActionSpace(4), schedule or ConstantSchedule(0.5), evaluation_epsilon)


SCHEDULES = {
    "down": lambda: LinearSchedule(0.9, 0.1, 50),
    "up": lambda: LinearSchedule(0.1, 0.9, 50),
    "constant": lambda: ConstantSchedule(0.3),
    "flat": lambda: LinearSchedule(0.4, 0.4, 10),
    "exponential": lambda: ExponentialSchedule(0.9, 0.2, 0.97),
    "pieces": lambda: PieceWiseSchedule(
        [(LinearSchedule(0.9, 0.5, 10), SimpleNamespace(num_steps=15)), (LinearSchedule(0.4, 0.0, 20), None)]
    ),
}


@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_a_schedule_takes_a_step_for_every_environment_step(make):
    ours, theirs = make(), make()
    greedy = EpsilonGreedy(egreedy(ours), 3, np.random.default_rng(0))
    for steps in (1, 16, 3, 0, 29, 1, 4, 40):
        greedy.step_schedule(steps)
        for _ in range(steps):
            theirs.step()
        assert ours.current_value == theirs.current_value


def test_actions_are_random_with_the_probability_epsilon():
    greedy = EpsilonGreedy(egreedy(), 4_000, np.random.default_rng(1))
    best = np.full(4_000, 3)
    assert (greedy.act(0.0, lambda: best) == 3).all()
    actions = greedy.act(0.4, lambda: best)
    assert actions.dtype == np.int64
    assert np.mean(actions != 3) == pytest.approx(0.4 * 3 / 4, abs=0.03)
    assert set(greedy.act(1.0, lambda: pytest.fail("nobody needs the best")).tolist()) == {0, 1, 2, 3}


def test_held_actions_last_as_long_as_the_exploration_says():
    exploration = HeldEGreedy(DiscreteActionSpace(4), ConstantSchedule(0.5), 0.0, max_duration=7)
    assert LONGEST_HOLD[HeldEGreedy](exploration) == 7
    assert LONGEST_HOLD[EGreedy](egreedy()) == 1
    greedy = EpsilonGreedy(exploration, 3_000, np.random.default_rng(2))
    assert (greedy.held.num_actions, greedy.held.max_duration) == (4, 7)
    greedy.act(1.0, lambda: np.zeros(3_000, dtype=np.int64))
    left = greedy.held.steps_left
    assert (left.min(), left.max()) == (0, 6)


def test_evaluations_explore_by_their_own_epsilon():
    best = np.zeros(2_000, dtype=np.int64)

    def best_actions(observations):
        return best

    random = np.random.default_rng(3)
    assert evaluation_policy(egreedy(), 2_000, random, best_actions) is best_actions
    act = evaluation_policy(egreedy(ConstantSchedule(1.0), 0.2), 2_000, random, best_actions)
    assert np.mean(act(np.zeros((2_000, 1))) != 0) == pytest.approx(0.2 * 3 / 4, abs=0.03)
