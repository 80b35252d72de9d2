"""Coach without the packages that it never calls."""

import subprocess
import sys

from jobs import process_environment

PROGRAM = """
import importlib
import sys
from sagemaker_rl.coach import placeholders, repairs

repairs.apply()
assert not [name for name in sys.modules if name.partition(".")[0] == "scipy"], "Coach has imported SciPy"
import rl_coach.environments.gym_environment, rl_coach.utilities.shared_running_stats as stats
try:
    stats.redis.Redis()
except ImportError as error:
    assert "redis is not in this image" in str(error), error
else:
    raise SystemExit("the placeholder pretends to work")

from rl_coach.exploration_policies.truncated_normal import truncnorm
import scipy.signal

assert scipy.signal.lfilter([1], [1, -0.5], [1.0, 0.0]).tolist() == [1.0, 0.5]
assert 0 < truncnorm(-1, 1).rvs(random_state=0) + 1 < 2

placeholders.forget_placeholders()
for package in ("redis", "minio", "skimage.transform"):
    try:
        importlib.import_module(package)
    except ModuleNotFoundError:
        print("no", package)
"""


def test_placeholders_are_for_coach_alone_and_scipy_is_imported_late(tmp_path):
    """In a process of its own, which has imported nothing yet."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=process_environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-3:] == ["no redis", "no minio", "no skimage.transform"]
