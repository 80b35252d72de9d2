"""What an environment of one's own gives is looked at before it reaches the networks."""

import math
from typing import Any

import numpy as np

from sagemaker_rl.errors import InputError


def check_steps(env: Any, name: str) -> Any:
    """Let ``env.step`` raise InputError if its observation or reward is not finite; return ``env``.

    Without it a NaN travels through normalization into every weight, and the job learns of it when nothing is left.

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
