"""What PPO's and DQN's runs share."""

import numpy as np
import pytest
from graphs import make_graph
from jobs import DQN, PPO


@pytest.mark.parametrize(
    ("steps", "at_most", "environments"), [(32768, 32, 32), (75000, 32, 30), (97, 16, 16), (5, 16, 5)]
)
def test_phases_are_divided_among_the_environments(steps, at_most, environments):
    from sagemaker_rl.training.accelerated.vector_envs import choose_num_envs

    assert choose_num_envs(steps, at_most) == environments


@pytest.mark.parametrize(
    ("preset", "playing_steps", "asked", "environments"),
    [(PPO, None, None, 64), (PPO, 2048, None, 4), (PPO, 300, None, 1), (PPO, 2048, 64, 64), (DQN, None, None, 16)]
    + [(DQN, steps, None, steps) for steps in (1, 4)],
)
def test_the_number_of_copies_follows_from_the_schedule(tmp_path, preset, playing_steps, asked, environments):
    from sagemaker_rl.training.accelerated.support import run_class_of

    path = "agent_params__algorithm__num_consecutive_playing_steps"
    graph_manager = make_graph(tmp_path, preset, **({path: playing_steps} if playing_steps else {}))
    assert run_class_of(graph_manager)(graph_manager, asked, 1, lambda: None).envs.num_envs == environments


def test_every_evaluation_plays_the_same_start_states(tmp_path):
    from rl_coach.core_types import EnvironmentEpisodes
    from sagemaker_rl.training.accelerated.dqn import DQNRun

    run = DQNRun(make_graph(tmp_path, DQN), None, 5, lambda: None)
    run.best_actions = lambda observations: np.where(observations[:, 1] < 0, 0, 2)  # climbs from anywhere
    returns = []
    for _ in range(2):
        run.evaluate(EnvironmentEpisodes(20))
        returns.append(run.agent.accumulated_rewards_across_evaluation_episodes)
        run.evaluator.play(20)  # an evaluation job's batches go on in the stream
    assert returns[0] == returns[1]
    batches = [run.evaluator.play(20).returns for _ in range(2)]
    assert len(set(batches[0])) > 5
    assert batches[0] != batches[1]


def test_an_evaluation_job_plays_its_steps_after_a_trainings_evaluations_too(tmp_path):
    """The steps of earlier evaluations do not count."""
    from rl_coach.core_types import EnvironmentEpisodes
    from sagemaker_rl.training.accelerated.dqn import DQNRun

    run = DQNRun(make_graph(tmp_path, DQN), None, 5, lambda: None)
    run.best_actions = lambda observations: np.where(observations[:, 1] < 0, 0, 2)
    run.evaluate(EnvironmentEpisodes(20))
    returns = run.play_at_least(2_000, 1)
    assert sum(-episode_return for episode_return in returns) >= 2_000  # a step costs 1
