"""What all charts have in common: thinned curves, and runs that can be told apart."""

import numpy as np
import pytest
from launch.sagemaker.report import MAX_RUNS
from sagemaker_rl.report.charts.figures import MAX_POINTS, thin
from sagemaker_rl.report.charts.learning import draw_rewards_by_episode, draw_signals
from sagemaker_rl.report.charts.returns import draw_return_distribution, draw_returns_by_start
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.styles import style_runs


def test_many_runs_are_told_apart(folder):
    runs = [Run.read(folder) for _ in range(MAX_RUNS)]
    shown = style_runs(runs)
    assert len({styled.colour for styled in shown}) == MAX_RUNS
    assert len({styled.label for styled in shown}) == MAX_RUNS
    assert {styled.dash for styled in shown[: MAX_RUNS // 2]} != {styled.dash for styled in shown[MAX_RUNS // 2 :]}
    (chart,) = draw_rewards_by_episode(shown)
    assert chart.text.startswith("Evaluations only, as the runs are many.")
    assert chart.key == tuple(shown)
    assert not chart.figure.legend
    assert len(chart.figure.renderers) == 2 * MAX_RUNS  # a line and its dots
    (few,) = draw_rewards_by_episode(style_runs(runs[:2]))
    assert few.text.startswith("Thin: training; thick, with dots: evaluation.")
    assert len(few.figure.renderers) == 6
    charts = [*draw_return_distribution(shown), *draw_returns_by_start(shown), *draw_signals(shown)]
    assert len(charts) == 2 + 3
    for chart in charts:
        assert not chart.figure.legend
        assert chart.key == tuple(shown)
    (alone,) = draw_rewards_by_episode(style_runs(runs[:1]))
    assert alone.figure.legend


@pytest.mark.parametrize("runs", [1, 20])
def test_the_highest_and_lowest_of_a_long_curve_are_kept(runs):
    values = np.sin(np.arange(50_000.0))
    values[12_345], values[23_456] = 9, -9
    x, y = thin(np.arange(50_000.0), values, runs)
    assert len(y) <= MAX_POINTS / max(runs, 5)
    assert (y.max(), y.min()) == (9, -9)
    assert (values[x.astype(int)].astype(np.float32) == y).all()
