"""The repairs to Coach, each against what it stands in for."""

import subprocess
import sys
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from jobs import process_environment
from sagemaker_rl.coach import repairs as coach_repairs
from sagemaker_rl.coach.repairs import FilmStrip

coach_repairs.apply()


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


def test_a_film_strip_is_bounded_and_evenly_spaced():
    strip = FilmStrip()
    kept = []
    for step in range(10_000):
        if strip.wants_next():
            strip.append(np.full((400, 600, 3), step % 251, dtype=np.uint8))
            kept.append(step)
    assert 0 < len(strip) <= coach_repairs.MAX_GIF_FRAMES
    assert strip[0].shape == (200, 300, 3)
    assert strip[0][0, 0, 0] == 0
    shown = [int(frame[0, 0, 0]) for frame in strip]
    stride = (shown[1] - shown[0]) % 251
    assert all((later - earlier) % 251 == stride for earlier, later in pairwise(shown[:100]))


@pytest.mark.parametrize("package", ["redis", "minio", "skimage.transform"])
def test_placeholders_are_for_coach_alone(tmp_path, package):
    code = f"""
import importlib
from sagemaker_rl.coach import repairs as coach_repairs
coach_repairs.apply()
import rl_coach.environments.gym_environment, rl_coach.utilities.shared_running_stats as stats
try:
    stats.redis.Redis()
except ImportError as error:
    assert "redis is not in this image" in str(error), error
else:
    raise SystemExit("the placeholder pretends to work")
coach_repairs.forget_placeholders()
try:
    importlib.import_module({package!r})
except ModuleNotFoundError:
    print("absent")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=process_environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "absent"


def test_coach_is_imported_without_scipy_and_others_find_it(tmp_path):
    program = """
import sys
from sagemaker_rl.coach import repairs as coach_repairs

coach_repairs.apply()
assert not [name for name in sys.modules if name.partition(".")[0] == "scipy"], "Coach has imported SciPy"
from rl_coach.exploration_policies.truncated_normal import truncnorm
import scipy.signal

assert scipy.signal.lfilter([1], [1, -0.5], [1.0, 0.0]).tolist() == [1.0, 0.5]
assert 0 < truncnorm(-1, 1).rvs(random_state=0) + 1 < 2
"""
    subprocess.run([sys.executable, "-c", program], env=process_environment(tmp_path), check=True, timeout=60)
