"""Graphs of presets, created by Coach in the test's own process."""

from pathlib import Path
from typing import Any

import numpy as np
from jobs import PPO, ROOT
from sagemaker_rl.coach.graph import create_graph
from sagemaker_rl.coach.preset_values import set_value
from sagemaker_rl.coach.presets import find_preset, import_preset
from sagemaker_rl.job.ml_paths import MLPaths

CORRIDOR = "corridor"
"""The preset of tests/resources/custom_environment."""


def make_graph(folder: Path, preset: str = PPO, **changes: Any) -> Any:
    """Return a preset's graph manager, its graph created.

    ``changes`` are paths in the preset without ``rl.``, with ``__`` for a dot, and their values.
    """
    own = ROOT / "tests/resources/custom_environment/preset-corridor.py"
    graph_manager = import_preset(own if preset == CORRIDOR else find_preset(preset, MLPaths(folder)))
    for path, value in changes.items():
        set_value(graph_manager, f"rl.{path.replace('__', '.')}", value, path)
    folder.mkdir(exist_ok=True)
    create_graph(graph_manager, folder, seed=3)
    return graph_manager


def trained_parameters(agent: Any) -> list[Any]:
    """Return the parameters of an agent's online network that training changes."""
    parameters = agent.networks["main"].online_network.model.collect_params().values()
    return [parameter for parameter in parameters if parameter.grad_req != "null"]


def relative_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest difference, in parts of the largest value."""
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-8))


def gradients_of(learner: Any) -> list[np.ndarray]:
    """Return a copy of the gradients that a learner has computed, of each trained parameter."""
    if learner.dense:
        return [gradient.copy() for _, _, gradient in learner.dense._views()]
    return [gradient.asnumpy().copy() for gradient in learner.network._model_grads()]
