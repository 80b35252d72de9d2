"""Jobs of a few steps in the test's own process, on both paths."""

import contextlib
import csv
import importlib
import io
import json
import re
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import CORRIDOR
from jobs import CSV, ROOT
from sagemaker_rl.coach.preset_values import set_value
from sagemaker_rl.coach.presets import import_preset
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import SIGNALS, STOP
from sagemaker_rl.policy.artifact import Policy

PERIOD, EPISODE = 40, 10
SHORT = {
    "agent_params.algorithm.num_consecutive_playing_steps": 20,
    "agent_params.algorithm.num_steps_between_copying_online_weights_to_target": 20,
    "agent_params.algorithm.optimization_epochs": 1,
    "agent_params.network_wrappers.main.batch_size": 10,
    "agent_params.network_wrappers.main.learning_rate": 0.01,
    "improve_steps": 3 * PERIOD,
    "steps_between_evaluation_periods": PERIOD,
    "evaluation_steps:EnvironmentEpisodes": 2,
}
"""Three periods of four episodes in training and two in the evaluation."""


@dataclass
class Job:
    """A job that has ended: its folders, and what it printed."""

    paths: MLPaths
    log: str

    def lines(self, name: str) -> list[dict[str, str]]:
        """Return the values in the metric lines of a name."""
        found = re.findall(rf"^{name}> (.*)$", self.log, re.M)
        return [dict(part.split("=", 1) for part in line.split(", ")) for line in found]

    def metadata(self):
        return json.loads((self.paths.intermediate / "metadata.json").read_text())

    def policy(self):
        return json.loads((self.paths.model / "policy.json").read_text())

    def rows(self) -> list[dict[str, str]]:
        with (self.paths.intermediate / CSV).open(newline="") as file:
            return list(csv.DictReader(file))

    def checkpoint(self) -> str:
        return (self.paths.checkpoint / ".coach_checkpoint").read_text()

    def weights(self) -> dict[str, np.ndarray]:
        return Policy.load(self.paths.model).parameters()


def make_graph_manager(changes=(), stop_at: int = 0, stop_by: int = signal.SIGTERM) -> Any:
    """Return the corridor's graph manager, not created yet, with an environment whose rewards become less and less.

    So the first evaluation is the best.

    Args:
        changes: values of the preset, by their paths without ``rl.``.
        stop_at: the environment step in which a signal arrives, counted in training and evaluation; 0 for none.
        stop_by: that signal.
    """
    graph_manager = import_preset(ROOT / "tests/resources/custom_environment/preset-corridor.py")
    corridor = importlib.import_module(CORRIDOR)

    class Fading(corridor.Corridor):
        taken = 0

        def step(self, action):
            Fading.taken += 1
            observation, _, _, info = super().step(action)
            if stop_at and Fading.taken == stop_at + 1:  # Coach takes one as it makes the environment
                signal.raise_signal(stop_by)
            return observation, -float(Fading.taken), self.steps == EPISODE, info

    corridor.Fading = Fading
    graph_manager.env_params.level = "corridor:Fading"
    for path, value in {**SHORT, **dict(changes)}.items():
        set_value(graph_manager, f"rl.{path}", value, path)
    return graph_manager


@contextlib.contextmanager
def a_process() -> Iterator[io.StringIO]:
    """Give what is printed; networks are numbered, and signals are handled, as in a job's own process."""
    import mxnet as mx

    printed = io.StringIO()
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(printed),
        mx.name.NameManager(),
    ):
        patch.setattr(STOP, "_received", "")
        patch.setattr(sys, "unraisablehook", sys.unraisablehook)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
        STOP.install()
        try:
            yield printed
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)


def run_job(
    folder: Path,
    fast: bool,
    changes=(),
    stop_at: int = 0,
    stop_by: int = signal.SIGTERM,
    prepare: Callable[[Any], None] = lambda graph_manager: None,
    seed: int = 3,
    changed: tuple[tuple[str, Any], ...] = (),
    **options: Any,
) -> Job:
    """Run a training job.

    Args:
        folder: of the job.
        fast: on the fast path, else by stock Coach.
        changes: see make_graph_manager.
        stop_at: see there.
        stop_by: see there.
        prepare: changes the graph manager further.
        seed: of the job.
        changed: what else the job's hyperparameters are said to have changed in the preset.
        options: of the job.
    """
    from sagemaker_rl.training import loop
    from sagemaker_rl.training.job_options import Options

    graph_manager = make_graph_manager(changes, stop_at, stop_by)
    prepare(graph_manager)
    paths = MLPaths(folder)
    paths.create_outputs()
    with a_process() as printed:
        chosen = Options(seed=seed, accelerate=fast, parallel_environments=1, **options)
        chosen = loop.create(graph_manager, paths, [], chosen)
        loop.train(graph_manager, paths, "preset-corridor", {"seed": str(seed)}, [("rl.a", 1), *changed], chosen)
    return Job(paths, printed.getvalue())


PATHS = pytest.mark.parametrize("fast", [True, False], ids=["fast", "stock"])
"""Of a test of both paths."""
