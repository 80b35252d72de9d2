"""A policy that answers: passes of limited size, formats, and which executor computes it."""

import json
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sagemaker_rl.errors import RequestError
from sagemaker_rl.serving import handler, plan, servable
from sagemaker_rl.serving.negotiation import ACTIONS, HEADS, RequestedFormat
from sagemaker_rl.serving.servable import ROWS_PER_PASS, Servable

SPACE = SimpleNamespace(shape=(2,), low=np.array([-1.0, -2.0]), high=np.array([3.0, 4.0]))


def policy(**more):
    return SimpleNamespace(
        observation_space=SPACE,
        filters=(),
        head_names=("first", "second"),
        actions_of=lambda heads: heads[0][:, 0],
        filtered=lambda observations: observations,
        **more,
    )


def forward(observations):
    """Return a head with a row's sum, and one with its two numbers swapped."""
    return [observations.sum(axis=1, keepdims=True), observations[:, ::-1]]


def test_large_batches_are_computed_in_passes():
    sizes = []

    def counted(observations):
        sizes.append(len(observations))
        return forward(observations)

    tested = Servable(Path("/a"), policy(), "none", counted)
    assert sizes == [size for size in (1, 4, 16, 64, 256, 1024, 2048) for _ in range(3)]
    sizes.clear()
    rows = np.arange(2 * (2 * ROWS_PER_PASS + 1), dtype=np.float32).reshape(-1, 2)
    heads = tested.heads(rows)
    assert sizes == [ROWS_PER_PASS, ROWS_PER_PASS, 1]
    for head, expected in zip(heads, forward(rows), strict=True):
        assert np.array_equal(head, expected)
    sizes.clear()
    tested.heads(rows[:ROWS_PER_PASS])
    assert sizes == [ROWS_PER_PASS]


def test_a_quick_pass_is_the_quickest_of_three(monkeypatch):
    ticks = iter([0.0, 5.0, 10.0, 10.001, 20.0, 23.0])
    monkeypatch.setattr(servable, "time", SimpleNamespace(process_time=lambda: next(ticks)))
    assert servable._least_seconds(lambda: None) == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("seconds", "rows"),
    [
        (lambda rows: 0.002, 0),
        (lambda rows: 0.0019, 2048),
        (lambda rows: 0.0015 * rows, 1),
        (lambda rows: 0.00041 * rows, 4),
        (lambda rows: 0.0004 * rows, 4),
        (lambda rows: 0.001 + 0.0001 * rows, 5),  # ten are, but of 16 no pass has been tried that was
        (lambda rows: 0.000002 * rows, 1000),
        (lambda rows: 0.000001 * rows, 1999),
        (lambda rows: 0.0000009 * rows, 2048),
        (lambda rows: 0.00001 if rows < 2048 else 0.002, 2047),
    ],
)
def test_how_many_observations_are_computed_in_two_milliseconds(monkeypatch, seconds, rows):
    monkeypatch.setattr(servable, "_least_seconds", lambda call: seconds(len(call.args[0])))
    quick = Servable(Path("/a"), policy(), "none", forward).quick_rows
    assert quick == pytest.approx(rows, abs=1)


def test_heads_and_actions_are_written():
    tested = Servable(Path("/a"), policy(), "none", forward)
    heads = forward(np.array([[1.0, 2.0], [3.0, 5.0]], dtype=np.float32))

    def written(output, has_instances=False):
        return json.loads(
            tested.encode(heads, RequestedFormat("application/json", "application/json", output), has_instances)
        )

    assert written(HEADS) == [[[3.0], [8.0]], [[2.0, 1.0], [5.0, 3.0]]]
    assert written(ACTIONS) == [3.0, 8.0]
    assert written(ACTIONS, True) == {"predictions": [3.0, 8.0]}
    assert written(HEADS, True)["predictions"][1] == {"first": [8.0], "second": [5.0, 3.0]}
    for wrong in (np.nan, np.inf):
        heads[1][1, 0] = wrong
        with pytest.raises(RequestError, match="is not finite"):
            written(HEADS)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / servable.SYMBOL_FILE).write_text("the symbol")
    return tmp_path


def loaded(folder, monkeypatch, compiled_plan, difference=0.0, **options):
    """Load a policy whose plan is ``compiled_plan``; return it, and what was compared with MXNet."""
    compared = []

    def largest_difference(compiled, run_mxnet, low, high):
        compared.append((low.tolist(), high.tolist()))
        if isinstance(difference, Exception):
            raise difference
        return difference

    def compile_plan(symbol, parameters, name):
        assert (symbol, parameters) == ("the symbol", "parameters")
        if isinstance(compiled_plan, Exception):
            raise compiled_plan
        return compiled_plan

    mxnet = policy(run_graph=lambda observations: [observations - 1], parameters=lambda: "parameters")
    monkeypatch.setattr(handler, "model_fn", lambda name: name == str(folder) and mxnet)
    monkeypatch.setattr(plan, "compile_plan", compile_plan)
    monkeypatch.setattr(plan, "largest_difference", largest_difference)
    return Servable.load(folder, **options), compared


def test_which_executor_computes(folder, monkeypatch):
    row = np.array([[1.0, 2.0]])
    tested, compared = loaded(folder, monkeypatch, lambda x: [x + 1], plan.TOLERANCE)
    assert (tested.executor, tested.heads(row)[0].tolist()) == ("NumPy plan", [[2.0, 3.0]])
    assert compared == [([-1.0, -2.0], [3.0, 4.0])]
    assert tested.folder == folder
    for compiled_plan, difference, executor in (
        (plan.UnknownGraphError("Convolution"), 0.0, "MXNet (Convolution has no plan)"),
        (forward, 2 * plan.TOLERANCE, f"MXNet (a graph that differs by {2 * plan.TOLERANCE:.1e} in NumPy has no plan)"),
        (forward, float("nan"), "MXNet (a graph that differs by nan in NumPy has no plan)"),
        (forward, IndexError("short"), "MXNet (a graph that fails in NumPy (short) has no plan)"),
    ):
        tested, _ = loaded(folder, monkeypatch, compiled_plan, difference)
        assert (tested.executor, tested.heads(row)[0].tolist()) == (executor, [[0.0, 1.0]])
    tested, compared = loaded(folder, monkeypatch, forward, compiled=False)
    assert (tested.executor, compared) == ("MXNet", [])
