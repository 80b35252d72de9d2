"""A preset's ``frame_skip``, as Coach hands it to an environment."""

from typing import Any


def tell_frame_skip(env: Any, frame_skip: int) -> Any:
    """Return ``env``, told how many frames a step is to skip: environment and rewards are then stock Coach's.

    Coach repeats an action itself for Atari's environments alone. To any other it gives the number as the attribute
    ``frameskip``, 1 too, and leaves the rest to the environment (rl_coach/environments/gym_environment.py:317). A step
    is counted as one, whatever the environment makes of it.

    Args:
        env: a gym environment.
        frame_skip: of the preset's ``env_params``.
    """
    env.unwrapped.frameskip = frame_skip
    return env
