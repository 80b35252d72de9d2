"""When training ends before its schedule does: evaluations find no better policy any more.

As with Keras' ``EarlyStopping`` and Hugging Face's ``EarlyStoppingCallback``, whose name for the number is taken.
"""

import math
from collections.abc import Iterable
from typing import Any

from sagemaker_rl.job.hyperparameters import checked_count
from sagemaker_rl.training.best_policy import BestPolicy

SCHEDULE = (
    "batch_size",
    "num_consecutive_playing_steps",
    "num_consecutive_training_steps",
    "optimization_epochs",
    "steps_between_evaluation_periods",
)
"""Values of a preset that decide how much is learnt between two evaluations: how long to wait depends on that."""


class EarlyStopping:
    """Tells whether to end a training.

    A preset that says what return it expects to reach (Coach's ``preset_validation_params``) is given time until then:
    a car that has not found the flag yet finds no better policy for many evaluations either.

    Args:
        graph_manager: the preset's; its attribute ``early_stopping_patience``, if it has one, is the default, for the
            preset's own schedule.
        patience: evaluations in a row that find no better policy; 0 for never, None for what the preset says.
        changes: what hyperparameters changed in the preset, as (path, value).

    Raises:
        InputError: The preset's is no whole number, 0 or more.
    """

    def __init__(self, graph_manager: Any, patience: int | None, changes: Iterable[tuple[str, Any]] = ()) -> None:
        if patience is None:
            of_preset = getattr(graph_manager, "early_stopping_patience", 0)
            patience = checked_count("early_stopping_patience", of_preset)
            if any(path.partition(":")[0].rpartition(".")[2] in SCHEDULE for path, _ in changes):
                patience = 0
        self._patience = patience
        expected = getattr(graph_manager, "preset_validation_params", None)
        self._least_reward = float(expected.min_reward_threshold) if expected and expected.test else -math.inf

    def is_due(self, best: BestPolicy) -> bool:
        """Tell whether training is to end after the evaluations that ``best`` has considered."""
        has_learnt = best.reward is not None and best.reward >= self._least_reward
        return has_learnt and 0 < self._patience <= best.evaluations_since
