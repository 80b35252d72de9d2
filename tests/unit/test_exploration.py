"""Random actions that are held for a while."""

import numpy as np
import pytest
from graphs import make_graph
from jobs import DQN
from sagemaker_rl.coach import repairs
from sagemaker_rl.coach.graph import agent_of

repairs.apply()


def test_durations_are_uniform_and_actions_do_not_change_meanwhile():
    from sagemaker_rl.exploration import HeldActions

    held, random = HeldActions(1000, 3, 8), np.random.default_rng(0)
    greedy = np.full(1000, -1)
    history = []
    held.decide(random, 1.0)
    durations = held.steps_left.copy()
    for _ in range(8):
        held.decide(random, 0.0)
        history.append(held.take(greedy))
    assert np.bincount(durations, minlength=9)[1:].min() > 80  # of 125 expected each
    assert durations.max() == 8
    actions = np.array(history)
    for env in range(1000):
        assert (actions[: durations[env], env] == actions[0, env]).all()
        assert (actions[durations[env] :, env] == -1).all()
    assert np.bincount(actions[0], minlength=3).min() > 250


def test_one_step_at_most_is_plain_epsilon_greedy():
    from sagemaker_rl.exploration import HeldActions

    held, random = HeldActions(1000, 3, 1), np.random.default_rng(0)
    explored = 0
    for _ in range(50):
        explored += int(held.decide(random, 0.1).sum())
        held.take(np.zeros(1000, dtype=np.int64))
    assert explored / 50_000 == pytest.approx(0.1, rel=0.1)


def test_what_is_held_ends_with_the_episode():
    from sagemaker_rl.exploration import HeldActions

    held = HeldActions(2, 3, 1000)
    held.decide(np.random.default_rng(0), 1.0)
    held.drop(np.array([True, False]))
    assert held.steps_left[0] == 0
    assert held.steps_left[1] > 1


def test_coachs_own_path_explores_alike(tmp_path):
    """Of a policy made by Coach from the preset: epsilon and the durations give the share of steps that explore."""
    from rl_coach.core_types import RunPhase

    agent = agent_of(make_graph(tmp_path, DQN))
    policy = agent.exploration_policy
    assert type(policy).__name__ == "HeldEGreedy"
    assert agent.ap.exploration.max_duration == policy.held.max_duration == 40
    values = np.array([0.0, 1.0, 0.0])
    shares = {}
    for phase in (RunPhase.HEATUP, RunPhase.TRAIN, RunPhase.TEST):
        policy.change_phase(phase)
        policy.epsilon_schedule.current_value = policy.epsilon_schedule.final_value = 0.1
        policy.reset()
        actions = [policy.get_action(values if policy.requires_action_values() else None)[0] for _ in range(20_000)]
        shares[phase] = np.mean(np.array(actions) != 1) * 3 / 2  # a third of the random actions is the greedy one
    assert shares[RunPhase.HEATUP] == pytest.approx(1, abs=0.06)
    share_held = 20.5 / (20.5 + 9)  # steps held, and steps until an action is held: (1 - 0.1) / 0.1
    assert shares[RunPhase.TRAIN] == pytest.approx(share_held, abs=0.06)
    assert shares[RunPhase.TEST] == 0


def test_epsilon_takes_a_step_with_every_action_in_training():
    from rl_coach.core_types import RunPhase
    from rl_coach.schedules import LinearSchedule
    from rl_coach.spaces import DiscreteActionSpace
    from sagemaker_rl.exploration import HeldEGreedy, HeldEGreedyParameters

    assert HeldEGreedyParameters().max_duration == 40
    policy = HeldEGreedy(DiscreteActionSpace(3), LinearSchedule(0.0, 1.0, 10), 0.25, max_duration=5)
    assert (policy.held.num_actions, policy.held.max_duration, len(policy.held.actions)) == (3, 5, 1)
    seen = {}
    for phase in (RunPhase.TRAIN, RunPhase.TEST, RunPhase.HEATUP):
        policy.change_phase(phase)
        before = policy.epsilon_schedule.current_value
        seen[phase] = policy.get_control_param()
        action, probabilities = policy.get_action(np.array([0.0, 0.0, 1.0]))
        assert (type(action), probabilities.tolist()) == (int, np.eye(3)[action].tolist())
        assert bool(policy.epsilon_schedule.current_value > before) is (phase == RunPhase.TRAIN)
        policy.held.steps_left[:] = 3
        assert not policy.requires_action_values()
        policy.reset()
        assert policy.requires_action_values()
    assert seen == {RunPhase.TRAIN: 0.0, RunPhase.TEST: 0.25, RunPhase.HEATUP: 1.0}


def test_actions_that_are_taken_do_not_change_with_those_that_are_held():
    from sagemaker_rl.exploration import HeldActions

    held, random = HeldActions(100, 3, 4), np.random.default_rng(0)
    assert held.decide(random, 1.0).all()
    assert not HeldActions(100, 3, 4).decide(random, 0.0).any()
    taken = held.take(None)
    before = taken.copy()
    held.actions += 1
    assert taken.tolist() == before.tolist()


def test_a_car_that_reaches_the_flag_lets_go(tmp_path):
    from rl_coach.core_types import RunPhase
    from sagemaker_rl.training.accelerated.dqn import DQNRun

    run = DQNRun(make_graph(tmp_path, DQN), None, 0, lambda: None)
    run.greedy.held.steps_left[:] = 30
    run.envs.position[0], run.envs.velocity[0] = 0.49, 0.05
    with run.graph_manager.phase_context(RunPhase.TRAIN):
        run._step_and_store(np.full(run.envs.num_envs, 2))
    assert run.greedy.held.steps_left.tolist() == [0] + [30] * (run.envs.num_envs - 1)


@pytest.mark.parametrize(("max_duration", "least", "most"), [(40, 4, 30), (1, 0, 0)])
def test_heatup_of_the_preset_finds_the_flag_and_without_holding_it_does_not(tmp_path, max_duration, least, most):
    from sagemaker_rl.training.accelerated.dqn import DQNRun

    change = {"agent_params__exploration__max_duration": max_duration}
    graph_manager = make_graph(tmp_path, DQN, **change)
    run = DQNRun(graph_manager, None, 11, lambda: None)
    run.heatup(graph_manager.heatup_steps)
    assert len(run.replay) == graph_manager.heatup_steps.num_steps
    climbs = int((run.replay.not_done[: len(run.replay)] == 0).sum())
    assert least <= climbs <= most
