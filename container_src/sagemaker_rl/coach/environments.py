"""A preset's environment: made from its level, and its observations and rewards checked."""

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from sagemaker_rl.errors import InputError


def environment_maker(graph_manager: Any) -> Callable[[], Any] | None:
    """Return a function that makes the preset's environment, checked; None unless its level is ``module:name``.

    ``name`` is a class, or a function that returns an environment.
    """
    level = str(graph_manager.env_params.level)
    module, separator, name = level.partition(":")
    if not separator or "/" in level or "." in level:
        return None
    make = getattr(importlib.import_module(module), name)
    return lambda: check_steps(make(**graph_manager.env_params.additional_simulator_parameters), level)


def check_steps(env: Any, name: str) -> Any:
    """Make ``env.step`` raise InputError where its observation or reward is not finite; return ``env``.

    Without it a NaN spreads through normalization to every weight, and the job notices it when all is lost.

    Args:
        env: a gym environment.
        name: as the preset calls it.
    """
    step = env.step
    steps = 0

    def checked_step(action: Any) -> Any:
        nonlocal steps
        result = step(action)
        steps += 1
        observation, reward = result[0], float(result[1])
        if not math.isfinite(reward):
            raise InputError(f"Environment {name} gave the reward {reward} in its step {steps}, expected a number.")
        if not np.isfinite(observation).all():
            raise InputError(
                f"Environment {name} gave the observation {np.asarray(observation).tolist()} in its step {steps}, "
                "expected finite numbers."
            )
        return result

    env.step = checked_step
    return env
