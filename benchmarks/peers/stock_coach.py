"""Stock Intel Coach on the original notebook's job: our preset file, Coach's own ``improve()``, only the repairs.

Nothing of ``sagemaker_rl.training`` runs. The job is the one that ours is: the same
hyperparameters, evaluations, CSV, GIFs, and a checkpoint after each evaluation. It runs in the current folder.
"""

import argparse
import importlib.util
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from events import emit
from sagemaker_rl.coach import repairs
from unseen_starts import Act, play, unseen_starts

CONTAINER_SRC = Path(__file__).resolve().parents[2] / "container_src"
PRESET = CONTAINER_SRC / "preset-mountain-car-continuous-clipped-ppo.py"
ENGINE = "NaiveEngine"
"""MXNet's, as in our jobs: it acts faster on one observation than the default, ThreadedEnginePerDevice."""


def load_preset(file: Path) -> Any:
    """Return a preset's graph manager, set to run on MXNet, with Coach's log going to the current folder."""
    os.environ.setdefault("MXNET_ENGINE_TYPE", ENGINE)
    repairs.apply()
    from rl_coach import logger
    from rl_coach.base_parameters import Frameworks

    logger.experiment_path = str(Path.cwd())
    logger.screen.set_use_colors(False)
    sys.path.insert(0, str(file.parent))  # Coach imports the environment by its module's name
    spec = importlib.util.spec_from_file_location("preset", file)
    assert spec and spec.loader
    preset = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(preset)
    for network in preset.graph_manager.agent_params.network_wrappers.values():
        network.framework = Frameworks.mxnet
    return preset.graph_manager


def set_notebook_hyperparameters(graph_manager: Any, improve_steps: int, training_steps: int, episodes: int) -> None:
    """Set what the notebook's estimator sets, under the names and in the places of ``train-coach.py``."""
    from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps

    algorithm = graph_manager.agent_params.algorithm
    network = graph_manager.agent_params.network_wrappers["main"]
    algorithm.discount = 0.995
    algorithm.gae_lambda = 0.997
    algorithm.optimization_epochs = 15
    algorithm.num_consecutive_playing_steps = EnvironmentSteps(training_steps)
    algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentSteps(training_steps)
    # What our preset adds to the notebook's values is taken back: its schedule differs, and they would spoil this one.
    algorithm.beta_entropy = 0
    network.learning_rate_decay_rate = 0.0
    network.learning_rate_decay_steps = 0
    network.learning_rate = 0.004
    network.batch_size = 256
    graph_manager.improve_steps = EnvironmentSteps(improve_steps)
    # An evaluation begins with a new episode: where there is none, let no episode be cut off for it.
    graph_manager.steps_between_evaluation_periods = EnvironmentSteps(training_steps if episodes else improve_steps)
    graph_manager.evaluation_steps = EnvironmentEpisodes(episodes)


def create_graph(graph_manager: Any, seed: int) -> Any:
    """Create environment, agent and networks, and return the agent."""
    from rl_coach.base_parameters import Frameworks, TaskParameters

    here = Path.cwd()
    graph_manager.create_graph(
        TaskParameters(
            framework_type=Frameworks.mxnet,
            experiment_path=str(here),
            checkpoint_save_dir=str(here / "checkpoint"),
            seed=seed,
            use_cpu=True,
        )
    )
    return graph_manager.level_managers[0].acting_agent()


class Seconds:
    """Counts the seconds that the calls of some functions take."""

    def __init__(self) -> None:
        self.total = 0.0

    def counting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``function`` with its seconds counted."""

        def counted(*arguments: Any) -> Any:
            started = time.monotonic()
            try:
                return function(*arguments)
            finally:
                self.total += time.monotonic() - started

        return counted


def report_evaluations(graph_manager: Any, agent: Any, evaluating: Seconds) -> None:
    """Have every evaluation followed by a checkpoint, as in our jobs, and by an event."""
    evaluate = evaluating.counting(graph_manager.evaluate)

    def evaluate_and_report(steps: Any) -> bool:
        success = bool(evaluate(steps))
        graph_manager.save_checkpoint()
        if agent.num_evaluation_episodes_completed:
            mean = agent.accumulated_rewards_across_evaluation_episodes / agent.num_evaluation_episodes_completed
            emit("evaluation", steps=steps_trained(graph_manager), mean_return=float(mean), spent=evaluating.total)
        return success

    graph_manager.evaluate = evaluate_and_report


def steps_trained(graph_manager: Any) -> int:
    """Return the environment steps taken in training so far."""
    from rl_coach.core_types import EnvironmentSteps, RunPhase

    return int(graph_manager.total_steps_counters[RunPhase.TRAIN][EnvironmentSteps])


def deterministic_policy(agent: Any) -> Act:
    """Return the agent's policy as its evaluation plays it: the mean, within the bounds of the action space."""
    filters = agent.pre_network_filter.observation_filters["observation"].values()

    def act(observations: np.ndarray) -> np.ndarray:
        for observation_filter in filters:
            observations = observation_filter.filter(observations, update_internal_state=False)
        _, mean, _ = agent.networks["main"].online_network.predict({"observation": observations})
        return np.clip(mean, agent.spaces.action.low, agent.spaces.action.high)

    return act


def main() -> None:
    """Train, and score the final policy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--improve-steps", type=int, default=100_000)
    parser.add_argument("--training-steps", type=int, default=75_000)
    parser.add_argument("--evaluation-episodes", type=int, default=3, help="0: no evaluation while training")
    parser.add_argument("--no-final", action="store_true", help="do not score the final policy")
    arguments = parser.parse_args()

    graph_manager = load_preset(PRESET)
    set_notebook_hyperparameters(
        graph_manager, arguments.improve_steps, arguments.training_steps, arguments.evaluation_episodes
    )
    agent = create_graph(graph_manager, arguments.seed)
    evaluating, learning = Seconds(), Seconds()
    report_evaluations(graph_manager, agent, evaluating)
    agent.train = learning.counting(agent.train)
    emit("started")
    graph_manager.improve()
    emit(
        "trained",
        steps=steps_trained(graph_manager),
        spent=evaluating.total,
        learning_seconds=learning.total,
        trainings=agent.training_iteration,
        training_steps=arguments.training_steps,
        peak_memory_kib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    )
    if not arguments.no_final:
        import patient_envs

        returns = play(patient_envs.PatientContinuousMountainCar, deterministic_policy(agent), unseen_starts())
        emit("final", returns=returns)


if __name__ == "__main__":
    main()
