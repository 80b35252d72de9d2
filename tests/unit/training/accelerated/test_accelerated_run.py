"""What PPO's and DQN's runs share."""

import numpy as np
import pytest
from graphs import make_graph
from jobs import DQN


@pytest.mark.parametrize(
    ("steps", "at_most", "environments"), [(32768, 32, 32), (75000, 32, 30), (97, 16, 16), (5, 16, 5)]
)
def test_phases_are_divided_among_the_environments(steps, at_most, environments):
    from sagemaker_rl.training.accelerated.run import choose_num_envs

    assert choose_num_envs(steps, at_most) == environments


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
