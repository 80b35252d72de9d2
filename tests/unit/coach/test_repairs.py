"""The repairs to Coach, each against what it stands in for."""

from types import SimpleNamespace

import numpy as np
from sagemaker_rl.coach import repairs

repairs.apply()


def test_discounted_sums_equal_scipys():
    from rl_coach.agents.actor_critic_agent import ActorCriticAgent
    from scipy.signal import lfilter

    rewards = np.random.default_rng(0).normal(size=2000)
    expected = lfilter([1], [1, -0.97], rewards[::-1])[::-1]
    assert np.allclose(ActorCriticAgent.discount(SimpleNamespace(), rewards, 0.97), expected, rtol=1e-12, atol=1e-12)


def test_constant_takes_a_list_that_holds_none():
    import mxnet as mx

    for value, expected in (([None], 0.0), ([0.5], 0.5), (2.0, 2.0)):
        assert mx.init.Constant(value).value == expected
