"""The best known returns, and the command that wrote them."""

import json
import subprocess
import sys

import numpy as np
from jobs import CONTAINER_SRC, process_environment
from sagemaker_rl.report.cars import CARS, PATIENCE
from sagemaker_rl.report.optimum import COMMAND, OPTIMUM_FILE, PROBLEMS, find_optimum


def test_each_car_is_a_problem_with_an_optimum():
    assert CARS.keys() == PROBLEMS.keys() == json.loads(OPTIMUM_FILE.read_text())["environments"].keys()


def test_the_cached_optimum_is_the_best_that_was_measured():
    discrete, continuous = (find_optimum(f"patient_envs:{name}") for name in PROBLEMS)
    assert -98 < discrete.mean < -97
    assert (discrete.returns.min(), discrete.returns.max()) == (-104, -83)
    assert 99.767 < continuous.mean < 100
    assert continuous.steps.max() < PATIENCE
    assert discrete.returns_from(np.array([-0.6]))[0] == discrete.returns[0]
    assert find_optimum("own:Corridor") is None


def test_its_command_writes_it(tmp_path):
    written = tmp_path / "optimum.json"
    command = [sys.executable, *COMMAND.split()[1:], "--coarser", "12", "--sweeps", "1500", "--starts", "5"]
    subprocess.run(
        [*command, "--output", written], env=process_environment(tmp_path), cwd=CONTAINER_SRC, check=True, timeout=300
    )
    content = json.loads(written.read_text())
    assert content["command"] == COMMAND
    cached = json.loads(OPTIMUM_FILE.read_text())
    assert cached["command"] == COMMAND
    for name, solution in content["environments"].items():
        assert len(solution["returns"]) == 5
        assert solution.keys() == cached["environments"][name].keys()
