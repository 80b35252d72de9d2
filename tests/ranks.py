"""What ranks compute together; as a program of mpirun it writes that: ``ranks.py FOLDER``.

A test computes the same in its own process.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from graphs import CORRIDOR, make_graph
from jobs import DQN, PPO
from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.job.ranks import Ranks, of_this_job
from sagemaker_rl.training.accelerated import ppo_learner

COPIES = 6
SEEDS = range(5)
SHORT = {
    PPO: {
        "agent_params__algorithm__num_consecutive_playing_steps": 1200,
        "agent_params__algorithm__optimization_epochs": 2,
        "agent_params__network_wrappers__main__batch_size": 300,
    },
    DQN: {"heatup_steps": 300, "agent_params__algorithm__num_consecutive_training_steps": 2},
    CORRIDOR: {
        "agent_params__algorithm__num_consecutive_playing_steps": 1200,
        "agent_params__algorithm__optimization_epochs": 2,
        "agent_params__network_wrappers__main__batch_size": 300,
    },
}
"""Presets, and what makes their trainings short: cars on arrays by either algorithm, and instances of gym's."""


def compute(folder: Path, ranks: Ranks) -> dict[str, np.ndarray]:
    """Return transitions, gradients, weights and returns, by what they are of."""
    found: dict[str, np.ndarray] = {}
    for preset, changes in SHORT.items():
        for seed in SEEDS if preset == CORRIDOR else (0,):
            found.update(_train(folder, preset, changes, seed, ranks))
    found.update(_gradients_of_blocks(folder, ranks))
    return found


def _train(folder: Path, preset: str, changes: dict[str, Any], seed: int, ranks: Ranks) -> dict[str, np.ndarray]:
    """Train for 2,400 steps and evaluate; every step is kept."""
    from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
    from sagemaker_rl.training.accelerated.support import run_class_of

    graph_manager = make_graph(folder, preset, **changes)
    run = run_class_of(graph_manager)(graph_manager, COPIES, seed, lambda: None, ranks=ranks)
    steps: list[Any] = []
    step = run.envs.step
    found = {}

    def keep(actions: np.ndarray) -> Any:
        taken = step(actions)
        steps.append((actions, *taken))
        return taken

    run.envs.step = keep
    run.heatup(graph_manager.heatup_steps)
    run.train_and_act(EnvironmentSteps(1200 if preset == DQN else 2400))
    if preset == CORRIDOR:  # a car's episodes are long
        run.evaluate(EnvironmentEpisodes(3))
        found["returns"] = np.array([run.table.evaluation["Evaluation Reward"]])
    names = ("actions", "final_observations", "observations", "rewards", "dones", "truncated")
    for name, column in zip(names, zip(*steps, strict=True), strict=True):
        found[name] = np.stack(column)
    found["weights"] = np.concatenate([weights.ravel() for weights in _weights(run.agent)])
    run.close()
    return {f"{preset} {seed} {name}": array for name, array in found.items()}


def _weights(agent: Any) -> list[np.ndarray]:
    parameters = agent.networks["main"].online_network.model.collect_params().values()
    return [parameter.data().asnumpy() for parameter in parameters]


def _gradients_of_blocks(folder: Path, ranks: Ranks) -> dict[str, np.ndarray]:
    """Return the gradients of batches of one block to five, and what they know of them."""
    agent = agent_of(make_graph(folder))
    learner = ppo_learner.PPOLearner(agent, np.random.default_rng(0), ranks=ranks)
    random, found = np.random.default_rng(1), {}
    for rows in (1000, ppo_learner.ROWS + 1, 4 * ppo_learner.ROWS + 7):
        shapes = ((rows, 2), (rows, 1), (rows,), (rows,), (rows,))
        columns = [random.normal(size=shape).astype(np.float32) for shape in shapes]
        result = learner.compute_gradients(columns)
        assert learner.dense is not None
        found[f"{rows} gradients"] = learner.dense.gradients.copy()
        found[f"{rows} ratios"] = result.ratios
        found[f"{rows} loss"] = np.array([result.total_loss])
        found[f"{rows} values"] = learner.heads(columns[0])[0]
    return found


def main() -> None:
    """Write what this rank has found into the folder."""
    ranks, folder = of_this_job(), Path(sys.argv[1])
    own = folder / str(ranks.rank)
    own.mkdir(parents=True)
    np.savez(folder / f"{ranks.rank}.npz", **compute(own, ranks))


if __name__ == "__main__":
    main()
