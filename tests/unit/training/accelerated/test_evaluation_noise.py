"""Explorations on the fast path against the installed rl_coach: Coach's noise in evaluations, and e-greedy PPO."""

import numpy as np
import pytest
from agent_presets import write_agent
from graphs import make_graph
from jobs import DQN, PPO
from sagemaker_rl.coach.graph import create_graph
from sagemaker_rl.coach.presets import import_preset

GREEDY_PPO = """
from rl_coach.exploration_policies.e_greedy import EGreedyParameters
from rl_coach.schedules import LinearSchedule
agent_params.exploration = EGreedyParameters()
agent_params.exploration.epsilon_schedule = LinearSchedule(0.6, 0.0, 400)
agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(200)
"""


def ppo_run(folder, changes: str):
    graph_manager = import_preset(write_agent(folder, "clipped_ppo_agent:ClippedPPOAgent", changes))
    create_graph(graph_manager, folder, seed=3)
    from rl_coach.core_types import RunPhase
    from sagemaker_rl.training.accelerated.ppo import PPORun

    run = PPORun(graph_manager, 4, 0, lambda: None)
    graph_manager.phase = RunPhase.TRAIN
    return run


def test_noise_of_a_box_is_coachs(tmp_path):
    """From the same stream, number by number: NumPy's old generator is what Coach draws from."""
    graph_manager = make_graph(tmp_path, PPO, agent_params__exploration__evaluation_noise_percentage=0.4)
    from rl_coach.core_types import RunPhase
    from sagemaker_rl.training.accelerated.ppo import PPORun

    run = PPORun(graph_manager, 2, 0, lambda: None)
    policy = run.policy
    run.policy = lambda states: [3000 * policy(states)[0], policy(states)[1]]  # beyond the bounds, too
    states = np.random.default_rng(1).uniform(-1, 0.5, size=(200, 2)).astype(np.float32)
    ours = run.evaluation_policy(200, np.random.RandomState(7))(states)
    exploration = run.agent.exploration_policy
    exploration.change_phase(RunPhase.TEST)
    np.random.seed(7)
    mean, deviation = run.policy(run.normalize(states))
    space = run.agent.spaces.action
    theirs = [
        np.clip(exploration.get_action([m[None], d[None]]), space.low, space.high)
        for m, d in zip(mean, deviation, strict=True)
    ]
    assert np.abs(ours - np.array(theirs)).max() < 1e-6
    assert 0.05 < (np.abs(ours) == 1).mean() < 0.95
    assert 0.05 < (np.abs(mean) > 1).mean() < 0.95


@pytest.mark.parametrize("max_duration", [1, 20])
def test_noise_of_discrete_actions_is_coachs(tmp_path, max_duration):
    changes = {"evaluation_epsilon": 0.3, "max_duration": max_duration}
    graph_manager = make_graph(
        tmp_path, DQN, **{f"agent_params__exploration__{name}": value for name, value in changes.items()}
    )
    from rl_coach.core_types import RunPhase
    from sagemaker_rl.training.accelerated.dqn import DQNRun

    run = DQNRun(graph_manager, None, 0, lambda: None)
    run.best_actions = lambda observations: np.ones(len(observations), dtype=np.int64)
    act = run.evaluation_policy(100, np.random.default_rng(0))
    ours = np.mean([act(np.zeros((100, 2))) != 1 for _ in range(200)])
    exploration = run.agent.exploration_policy
    exploration.change_phase(RunPhase.TEST)
    values = np.array([0.0, 1.0, 0.0])
    theirs = np.mean([exploration.get_action(values)[0] != 1 for _ in range(12_000)])
    mean_duration = (max_duration + 1) / 2
    assert ours == pytest.approx(2 / 3 * mean_duration / (mean_duration + 0.7 / 0.3), abs=0.02)
    assert ours == pytest.approx(theirs, abs=0.03)


def test_evaluations_meet_the_same_noise_and_the_deterministic_policy_has_none(tmp_path):
    graph_manager = make_graph(tmp_path, DQN, agent_params__exploration__evaluation_epsilon=0.1)
    from rl_coach.core_types import EnvironmentEpisodes
    from sagemaker_rl.training.accelerated.dqn import DQNRun

    run = DQNRun(graph_manager, None, 5, lambda: None)
    run.best_actions = lambda observations: np.where(observations[:, 1] < 0, 0, 2)
    totals = []
    for _ in range(2):
        run.evaluate(EnvironmentEpisodes(20))
        totals.append(run.agent.accumulated_rewards_across_evaluation_episodes)
        run.evaluator.play(20)
    assert totals[0] == totals[1]
    run.agent.exploration_policy.evaluation_epsilon = 0.0
    run.evaluate(EnvironmentEpisodes(20))
    assert run.agent.accumulated_rewards_across_evaluation_episodes > totals[0]
    run.agent.exploration_policy.evaluation_epsilon = 0.1
    batches = [run.evaluator.play(20).returns for _ in range(2)]
    assert batches[0] != batches[1]


def test_ppo_explores_by_epsilon_as_coachs_agent_does(tmp_path):
    run = ppo_run(tmp_path, GREEDY_PPO)
    from sagemaker_rl.training.accelerated.support import reason_for_stock

    assert reason_for_stock(run.graph_manager) is None
    agent, exploration = run.agent, run.agent.exploration_policy
    taken, sampled = [], []
    step, sample = run.step, run._sample
    run.step = lambda actions: taken.append(actions) or step(actions)
    run._sample = lambda policy: sampled.append(policy) or sample(policy)
    observations, best = [], []
    for _ in range(400 // 4):
        observations.append(run.observations)
        best.append(run.best_actions(run.observations))
        run.play_and_learn()
    assert not sampled
    assert agent.training_iteration == 2
    assert exploration.epsilon_schedule.current_value == pytest.approx(0.0, abs=1e-9)
    # Of two actions, half of the random ones are the best one, too.
    assert np.mean(np.array(taken) != np.array(best)) == pytest.approx(0.3 / 2, abs=0.06)
    exploration.epsilon_schedule.current_value = exploration.epsilon_schedule.final_value = 0.0
    states = np.random.default_rng(2).uniform(-1, 1, size=(50, 1)).astype(np.float32)
    run.observations = states
    run.greedy = type(run.greedy)(exploration, len(states), run.random)
    theirs = [int(agent.choose_action({"observation": state}).action) for state in states]
    assert run._explore().tolist() == theirs
    exploration.evaluation_epsilon = 0.4
    act = run.evaluation_policy(len(states), np.random.default_rng(0))
    assert np.mean([act(states) != theirs for _ in range(100)]) == pytest.approx(0.2, abs=0.03)


def test_ppo_with_epsilon_learns_from_its_own_probabilities(tmp_path, monkeypatch):
    """The likelihood ratios before the first gradient step are 1, whatever chose the action."""
    run = ppo_run(tmp_path, GREEDY_PPO + "agent_params.network_wrappers['main'].batch_size = 200\n")
    ratios = []
    gradient_step = run.learner.gradient_step
    monkeypatch.setattr(
        run.learner,
        "gradient_step",
        lambda columns, rows: (
            ratios.append(([column[rows] for column in columns], gradient_step(columns, rows))) or ratios[-1][1]
        ),
    )
    for _ in range(50):
        run.play_and_learn()
    (states, actions, old_log_probs, *_), first = ratios[0]
    assert np.abs(first.ratios - 1).max() < 1e-6
    assert len(np.unique(actions)) == 2
    assert (old_log_probs < -1e-3).all()
    assert len(states) == 200


def test_an_exploration_that_the_fast_path_lacks_goes_to_stock_coach(tmp_path):
    changes = """
from rl_coach.exploration_policies.e_greedy import EGreedyParameters
agent_params.exploration = EGreedyParameters()
"""
    box = "gym.spaces.Box(-2.0, 2.0, shape=(1,), dtype=np.float32)"
    graph_manager = import_preset(write_agent(tmp_path, "clipped_ppo_agent:ClippedPPOAgent", changes, box))
    create_graph(graph_manager, tmp_path, seed=3)
    from sagemaker_rl.training.accelerated.support import reason_for_stock

    assert reason_for_stock(graph_manager) == "the exploration of continuous actions is EGreedy"
