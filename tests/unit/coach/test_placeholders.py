"""Coach without the packages that it never calls."""

import subprocess
import sys

import pytest
from jobs import process_environment


@pytest.mark.parametrize("package", ["redis", "minio", "skimage.transform"])
def test_placeholders_are_for_coach_alone(tmp_path, package):
    code = f"""
import importlib
from sagemaker_rl.coach import placeholders, repairs
repairs.apply()
import rl_coach.environments.gym_environment, rl_coach.utilities.shared_running_stats as stats
try:
    stats.redis.Redis()
except ImportError as error:
    assert "redis is not in this image" in str(error), error
else:
    raise SystemExit("the placeholder pretends to work")
placeholders.forget_placeholders()
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
from sagemaker_rl.coach import repairs

repairs.apply()
assert not [name for name in sys.modules if name.partition(".")[0] == "scipy"], "Coach has imported SciPy"
from rl_coach.exploration_policies.truncated_normal import truncnorm
import scipy.signal

assert scipy.signal.lfilter([1], [1, -0.5], [1.0, 0.0]).tolist() == [1.0, 0.5]
assert 0 < truncnorm(-1, 1).rvs(random_state=0) + 1 < 2
"""
    subprocess.run([sys.executable, "-c", program], env=process_environment(tmp_path), check=True, timeout=60)
