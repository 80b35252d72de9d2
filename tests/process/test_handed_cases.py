"""Small sources as users wrote them (tests/resources/cases), each program run in a process, and what is right.

Those of the same kinds that train with other spaces are written from expressions in ``test_own_spaces.py``, others
that misbehave in ``test_misbehaving_environments.py``. Agents are in ``test_agent_jobs.py``, full disks in
``test_full_disk.py``, programs that fail in ``test_script_mode.py``, evaluations in
``tests/aws/test_local_own_source.py``, an endpoint's ``code/requirements.txt`` in
``tests/serving/test_user_program.py``.
"""

import json
import shutil
from pathlib import Path

import pytest
from jobs import ROOT, Job, prepared_process, process_environment, write_inputs
from own_environments import assert_refused

CASES = ROOT / "tests/resources/cases"
OWN = "Environment own:Own has the"
VECTOR = "expected a Box of one or three dimensions, or a Dict of them."
REFUSED = {
    "01-action-spaces/multibinary": f"{OWN} action space MultiBinary(3), expected Box or Discrete.",
    "01-action-spaces/multidiscrete": f"{OWN} action space MultiDiscrete([3 2]), expected Box or Discrete.",
    "02-dict-observations/without-embedders": (
        f"{OWN} observation space Dict('board': Box(0, 1, (4,), int32), 'position': Box(0, 9, (2,), int32)), "
        "but network main has the input 'observation', expected 'board' or 'position'."
    ),
    "03-observation-spaces/blackjack": (
        f"Environment Blackjack-v1 has the observation space Tuple(Discrete(32), Discrete(11), Discrete(2)), {VECTOR}"
    ),
    "03-observation-spaces/box-2d": f"{OWN} observation space Box(0.0, 1.0, (10, 10), float32), {VECTOR}",
    "03-observation-spaces/discrete": f"{OWN} observation space Discrete(16), {VECTOR}",
    "03-observation-spaces/multibinary": f"{OWN} observation space MultiBinary(4), {VECTOR}",
    "03-observation-spaces/multidiscrete": f"{OWN} observation space MultiDiscrete([4 5]), {VECTOR}",
    "06-box-action-other/unbounded": (
        f"{OWN} action space Box(-inf, inf, (2,), float32), expected a Box whose bounds are finite on both sides."
    ),
}
NO_PICTURE = "GIFs> GIFs=none, Reason=render() of own:Own"
OF_ARRAYS = "expected a uint8 array (height, width, 3)"
TRAINS = {
    "08-render-fails/render-float": f"{NO_PICTURE} gives float64 (20, 20, 3), {OF_ARRAYS}",
    "08-render-fails/render-nomode": (
        f"{NO_PICTURE} raises TypeError: Own.render() got an unexpected keyword argument 'mode'"
    ),
    "08-render-fails/render-none": f"{NO_PICTURE} gives None, {OF_ARRAYS}",
    "08-render-fails/render-notimpl": f"{NO_PICTURE} raises NotImplementedError",
    "09-reset-unchecked/gymnasium": "Path> Path=accelerated, ",
    "09-reset-unchecked/step-5-tuple": "Path> Path=accelerated, ",
}
"""How a line of the log begins."""


def run_case(ml: Path, case: str) -> Job:
    code = ml / "code"
    shutil.copytree(CASES / case, code)
    for common in CASES.glob("*.py"):
        if not (code / common.name).exists():
            shutil.copy(common, code)
    write_inputs(ml, {})
    return Job(ml, *prepared_process().run(code, process_environment(ml), 600, code / "train-coach.py"))


@pytest.mark.parametrize("case", REFUSED)
def test_a_case_that_cannot_be_trained(tmp_path, case):
    assert_refused(run_case(tmp_path, case), REFUSED[case])


@pytest.mark.parametrize("case", TRAINS)
def test_a_case_that_trains(tmp_path, case):
    job = run_case(tmp_path, case)
    assert job.status == 0, job.log
    assert any(line.startswith(TRAINS[case]) for line in job.log.splitlines()), job.log
    assert job.metadata()["environment_steps"] == 1000
    assert json.loads((tmp_path / "model/policy.json").read_text())["action_space"] == {"type": "discrete", "n": 2}


def test_every_case_is_here():
    folders = {str(file.parent.relative_to(CASES)) for file in CASES.glob("*/*/own.py")}
    assert folders == set(REFUSED) | set(TRAINS)
