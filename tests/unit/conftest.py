"""Policy artifacts of both presets without a training, with weights that give answers of a trained policy's size."""

from pathlib import Path

import numpy as np
import pytest
from jobs import DQN, PPO


def export(folder: Path, preset: str) -> Path:
    from graphs import make_graph, trained_parameters
    from sagemaker_rl.coach.graph import agent_of
    from sagemaker_rl.coach.normalization import normalizations_of
    from sagemaker_rl.policy.export import export_policy

    graph_manager = make_graph(folder, preset)
    agent = agent_of(graph_manager)
    random = np.random.default_rng(5)
    observations = random.uniform((-1.2, -0.07), (0.6, 0.07), size=(100, 2))
    for each in normalizations_of(agent):
        each.running_observation_stats.push_val(observations)
    for parameter in trained_parameters(agent):
        weights = parameter.data().asnumpy()
        parameter.set_data(weights + random.normal(scale=0.05, size=weights.shape))
    export_policy(agent, graph_manager, folder / "model", {"preset": preset, "environment_steps": 24000})
    return folder / "model"


@pytest.fixture(scope="session")
def ppo_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("ppo-model"), PPO)


@pytest.fixture(scope="session")
def dqn_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("dqn-model"), DQN)
