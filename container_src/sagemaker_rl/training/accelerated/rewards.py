"""Coach's reward filters on many rewards at once."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from rl_coach.filters.reward.reward_clipping_filter import RewardClippingFilter
from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter

REWARD_FILTERS: dict[type, Callable[[Any, np.ndarray], np.ndarray]] = {
    RewardRescaleFilter: lambda reward_filter, rewards: rewards * reward_filter.rescale_factor,
    RewardClippingFilter: lambda reward_filter, rewards: np.clip(
        rewards, reward_filter.clipping_low, reward_filter.clipping_high
    ),
}
"""Those that the fast path knows, and what each does; a preset with any other runs on stock Coach."""


def filter_rewards(filters: Iterable[Any], rewards: np.ndarray) -> np.ndarray:
    """Return ``rewards``, float64 ``(num_envs,)``, after all filters.

    Raises:
        KeyError: A filter is not in ``REWARD_FILTERS``.
    """
    for reward_filter in filters:
        rewards = REWARD_FILTERS[type(reward_filter)](reward_filter, rewards)
    return rewards
