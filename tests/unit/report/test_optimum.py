"""The best known returns, and the command that wrote them."""

import json
import math

import numpy as np
import pytest
from sagemaker_rl.report import optimum
from sagemaker_rl.report.cars import CARS, PATIENCE
from sagemaker_rl.report.dynamic_programming import Grid, Problem, iterate_values, play_greedy_policy
from sagemaker_rl.report.optimum import COMMAND, OPTIMUM_FILE, PROBLEMS, find_optimum


def test_each_car_is_a_problem_with_an_optimum():
    assert CARS.keys() == PROBLEMS.keys() == json.loads(OPTIMUM_FILE.read_text())["environments"].keys()
    assert all(problem.car is CARS[name] for name, problem in PROBLEMS.items())


def test_the_cached_optimum_is_the_best_that_was_measured():
    discrete, continuous = (find_optimum(f"patient_envs:{name}") for name in PROBLEMS)
    assert -98 < discrete.mean < -97
    assert (discrete.returns.min(), discrete.returns.max()) == (-104, -83)
    assert 99.767 < continuous.mean < 100
    assert continuous.steps.max() < PATIENCE
    for best in (discrete, continuous):
        assert best.mean == pytest.approx(best.returns.mean(), abs=1e-4)
        assert best.std == pytest.approx(best.returns.std(), abs=1e-4)
        assert (best.starts[0], best.starts[-1]) == (-0.6, -0.4)
        assert len(best.starts) == len(best.returns) == len(best.steps) == 401
    assert discrete.steps.tolist() == (-discrete.returns).tolist()
    between = (continuous.starts[7] + continuous.starts[8]) / 2
    expected = continuous.returns[0], (continuous.returns[7] + continuous.returns[8]) / 2
    np.testing.assert_allclose(continuous.returns_from(np.array([-0.6, between])), expected, rtol=1e-12)
    assert find_optimum("PatientMountainCar").mean == discrete.mean
    assert find_optimum("own:Corridor") is None


def test_actions_are_denser_where_a_patient_car_needs_them():
    problem = PROBLEMS["PatientContinuousMountainCar"]
    assert problem.actions[[0, 10, 20, 25, 40]].tolist() == [-1, -0.25, 0, 0.0625, 1]
    assert (len(problem.actions), len(problem.rollout_actions)) == (41, 161)
    assert problem.rollout_actions[[0, 40, 160]].tolist() == [-1, -0.25, 1]
    assert PROBLEMS["PatientMountainCar"].actions.tolist() == [0, 1, 2]


def test_the_price_with_the_best_mean_return_is_kept():
    problem = Problem(
        CARS["PatientContinuousMountainCar"],
        np.linspace(-1, 1, 5),
        np.linspace(-1, 1, 9),
        prices=(1e-2, 1e-1, 1.0),
        intervals=(80, 60),
    )
    starts = np.array([-0.6, -0.47, -0.4])
    by_price = {}
    for price in problem.prices:
        grid = Grid.covering(problem.car, 41, 31)
        values = iterate_values(problem.car.step, grid, problem.actions, 300, price, tolerance=1e-6)
        by_price[price] = play_greedy_policy(problem, grid, values, starts)
    best = max(by_price, key=lambda price: by_price[price][0].mean())
    returns, steps = by_price[best]
    assert best != 1.0
    assert optimum.solve(problem, 2, 300, starts) == {
        "mean": round(math.fsum(returns) / 3, 4),
        "std": round(float(np.std(returns)), 4),
        "returns": [round(each, 4) for each in returns.tolist()],
        "steps": steps.tolist(),
        "price_of_a_step": best,
    }


def test_its_command_writes_it(tmp_path, monkeypatch, capsys):
    written = tmp_path / "optimum.json"
    arguments = ["--coarser", "16", "--sweeps", "300", "--starts", "5", "--output", str(written)]
    monkeypatch.setattr("sys.argv", ["optimum", *arguments])
    optimum.main()
    content = json.loads(written.read_text())
    assert content["command"] == COMMAND == f"python -m {optimum.__name__}"
    cached = json.loads(OPTIMUM_FILE.read_text())
    assert cached["command"] == COMMAND
    assert content["environments"].keys() == PROBLEMS.keys()
    for name, solution in content["environments"].items():
        assert solution.keys() == cached["environments"][name].keys()
        best = find_optimum(name).returns_from(np.linspace(-0.6, -0.4, 5))
        assert len(solution["returns"]) == 5
        below = best - solution["returns"]  # a coarse grid's policy is a little worse
        assert -0.01 <= below.min() <= below.max() < 3
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(" +- ")[0] for line in printed] == [
        f"{name}: {solution['mean']}" for name, solution in content["environments"].items()
    ]
