"""When training ends before its schedule does: evaluations find no better policy any more.

As with Keras' ``EarlyStopping`` and Hugging Face's ``EarlyStoppingCallback``, whose name for the number is taken.
"""

import math
from typing import Any

from sagemaker_rl.job.hyperparameters import checked_count
from sagemaker_rl.training.best_policy import BestPolicy


class EarlyStopping:
    """Tells whether to end a training.

    A preset that says what return it expects to reach (Coach's ``preset_validation_params``) is given time until then:
    a car that has not found the flag yet finds no better policy for many evaluations either.

    Args:
        graph_manager: the preset's; its attribute ``early_stopping_patience``, if it has one, is the default.
        patience: evaluations in a row that find no better policy; 0 for never, None for what the preset says.

    Raises:
        InputError: The preset's is no whole number, 0 or more.
    """

    def __init__(self, graph_manager: Any, patience: int | None) -> None:
        if patience is None:
            of_preset = getattr(graph_manager, "early_stopping_patience", 0)
            patience = checked_count("early_stopping_patience", of_preset)
        self._patience = patience
        expected = getattr(graph_manager, "preset_validation_params", None)
        self._least_reward = float(expected.min_reward_threshold) if expected and expected.test else -math.inf

    def is_due(self, best: BestPolicy) -> bool:
        """Tell whether training is to end after the evaluations that ``best`` has considered."""
        has_learnt = best.reward is not None and best.reward >= self._least_reward
        return has_learnt and 0 < self._patience <= best.evaluations_since
