"""The policy of the best evaluation is what a job ends with."""

import math

import numpy as np
from graphs import make_graph
from jobs import PPO
from sagemaker_rl.coach.graph import agent_of


def weights_of(agent) -> list[np.ndarray]:
    parameters = agent.networks["main"].online_network.model.collect_params().values()
    return [parameter.data().asnumpy().copy() for parameter in parameters]


def change(agent, by: float) -> None:
    for parameter in agent.networks["main"].online_network.model.collect_params().values():
        if parameter.grad_req != "null":
            parameter.set_data(parameter.data() + by)


def test_weights_and_statistics_of_the_best_evaluation_come_back(tmp_path):
    from sagemaker_rl.training.best_policy import BestPolicy

    graph_manager = make_graph(tmp_path, PPO)
    agent = agent_of(graph_manager)
    (statistics,) = [
        f.running_observation_stats for f in agent.pre_network_filter.observation_filters["observation"].values()
    ]
    best = BestPolicy(graph_manager)
    best.restore()  # nothing yet, and nothing happens
    best.consider(-5.0, 10)
    change(agent, 0.25)
    best.consider(-5.0, 15)  # of two that are as good, the one that was trained longer
    assert (best.reward, best.steps) == (-5.0, 15)
    change(agent, 0.5)
    statistics.push_val(np.array([[0.3, 0.05], [0.1, -0.02]]))
    wanted, mean = weights_of(agent), statistics.mean.copy()
    best.consider(7.0, 20)
    for worse in (6.9, math.nan, None):
        change(agent, 0.1)
        statistics.push_val(np.array([[0.6, 0.07]]))
        best.consider(worse, 30)
    assert (best.reward, best.steps) == (7.0, 20)
    assert any((now != then).any() for now, then in zip(weights_of(agent), wanted, strict=True))
    best.restore()
    for now, then in zip(weights_of(agent), wanted, strict=True):
        assert (now == then).all()
    assert (statistics.mean == mean).all()


def test_evaluations_since_the_best_are_counted_and_equal_ones_among_them(tmp_path):
    from sagemaker_rl.training.best_policy import BestPolicy

    best = BestPolicy(make_graph(tmp_path, PPO))
    counts = []
    for reward in (math.nan, -2.0, -2.0, None, -3.0, math.inf, -1.0, -1.5):
        best.consider(reward, 10)
        counts.append(best.evaluations_since)
    assert counts == [1, 0, 1, 1, 2, 3, 0, 1]


def test_of_equal_evaluations_the_last_counts_and_a_first_one_that_is_no_number_does_not(tmp_path):
    from sagemaker_rl.training.best_policy import BestPolicy

    graph_manager = make_graph(tmp_path, PPO)
    agent = agent_of(graph_manager)
    best = BestPolicy(graph_manager)
    for no_number in (None, math.nan, math.inf, -math.inf):
        best.consider(no_number, 5)
    assert (best.reward, best.steps) == (None, 0)
    best.consider(-3.0, 10)
    change(agent, 0.5)
    wanted = weights_of(agent)
    best.consider(-3.0, 20)
    assert (best.reward, best.steps) == (-3.0, 20)
    change(agent, 0.5)
    best.consider(-3.1, 30)
    best.restore()
    for now, then in zip(weights_of(agent), wanted, strict=True):
        assert (now == then).all()
