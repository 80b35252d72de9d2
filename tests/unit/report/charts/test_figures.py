"""What all charts have in common: thinned curves, and runs that can be told apart."""

import numpy as np
import pytest
from launch.sagemaker.report import MAX_RUNS
from sagemaker_rl.report.charts.figures import (
    MAX_POINTS,
    add_tooltip,
    chart_key,
    join_texts,
    narrow_axis_of_constant,
    new_figure,
    place_legend,
    run_line,
    thin,
)
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
    charts = [*draw_return_distribution(shown), *draw_returns_by_start(shown), *draw_signals(shown)]
    assert len(charts) == 2 + 3
    for chart in charts:
        assert not chart.figure.legend
        assert chart.key == tuple(shown)
        # Only one run's button for tooltips is in the toolbar.
        tools = [tool for tool in chart.figure.tools if type(tool).__name__ == "HoverTool"]
        assert [tool.visible for tool in tools] == [True] + [False] * (MAX_RUNS - 1)
    (alone,) = draw_rewards_by_episode(style_runs(runs[:1]))
    assert alone.figure.legend


@pytest.mark.parametrize(("runs", "most"), [(1, 1_600), (5, 1_600), (6, 1_333), (20, 400)])
def test_the_highest_and_lowest_of_a_long_curve_are_kept(runs, most):
    values = np.sin(np.arange(50_000.0))
    values[12_345], values[23_456] = 9, -9
    x, y = thin(np.arange(50_000.0), values, runs)
    assert most - 2 <= len(y) <= most <= MAX_POINTS / max(runs, 5)
    assert (y.max(), y.min()) == (9, -9)
    assert (np.diff(x) > 0).all()
    assert (values[x.astype(int)].astype(np.float32) == y).all()
    assert x.dtype == y.dtype == np.float32


@pytest.mark.parametrize(("points", "kept"), [(1_600, 1_600), (1_602, 1_600)])
def test_a_curve_of_few_points_is_whole(points, kept):
    x, y = thin(np.arange(points) + 7.0, np.arange(points) % 5.0)
    assert abs(len(x) - kept) <= (0 if points == kept else 2)
    assert (x[0], x.dtype, y.dtype) == (7, np.float32, np.float32)
    assert len(thin(np.arange(points), np.arange(points), 1)[0]) == len(x)


@pytest.mark.parametrize(
    ("curves", "span"), [([[-2, -2], [-2]], 0.4), ([[0, 0]], 0.2), ([[5.0]], 1.0), ([[1], [1.5]], 2.0)]
)
def test_the_axis_of_a_constant_is_narrow(curves, span):
    figure = new_figure("x", "y")
    narrow_axis_of_constant(figure, [np.array(curve) for curve in curves])
    assert figure.y_range.default_span == pytest.approx(span)  # 2 is Bokeh's


def test_a_figure_has_its_labels_and_leaves_the_finger_to_the_page():
    figure = new_figure("Episode", "Loss", height=200)
    assert (figure.xaxis.axis_label, figure.yaxis.axis_label, figure.height) == ("Episode", "Loss", 200)
    assert (new_figure("x", "y").height, figure.toolbar.active_drag, figure.toolbar.active_scroll) == (300, None, None)
    assert figure.sizing_mode == "stretch_width"
    assert figure.background_fill_alpha == figure.border_fill_alpha == 0  # the page's own paper, also in the dark
    assert figure.toolbar.logo is None
    assert [type(tool).__name__ for tool in figure.tools] == [
        *("PanTool", "BoxZoomTool", "WheelZoomTool", "ResetTool", "SaveTool")
    ]


def test_a_legend_stands_above_and_hides_lines():
    figure = new_figure("x", "y")
    place_legend(figure)
    assert not figure.above
    figure.line([1, 2], [1, 2], legend_label="a line")
    place_legend(figure)
    (legend,) = figure.above
    assert (legend.orientation, legend.click_policy, legend.ncols) == ("horizontal", "hide", 2)
    assert legend.items[0].label.value == "a line"


def test_a_tooltip_belongs_to_what_was_drawn():
    figure = new_figure("x", "y")
    first, second = figure.line([1, 2], [1, 2]), figure.line([1, 2], [2, 3])
    add_tooltip(figure, second, [("step", "@x{0}")])
    add_tooltip(figure, first, [("step", "@y{0}")], visible=False)
    tools = figure.tools[-2:]
    assert [tool.renderers for tool in tools] == [[second], [first]]
    assert [tool.tooltips for tool in tools] == [[("step", "@x{0}")], [("step", "@y{0}")]]
    assert [tool.visible for tool in tools] == [True, False]


def test_runs_are_named_where_there_are_several():
    styled = style_runs([Run("a"), Run("b"), Run("c")])
    (alone,) = style_runs([Run("a")])
    assert run_line(styled[1]) == [("run", "2, b")]
    assert run_line(alone) == []
    assert chart_key(styled, [styled[2], styled[0], styled[0]]) == (styled[0], styled[2])
    assert chart_key([alone], [alone]) == ()
    assert join_texts(["a", "b"]) == "a; b."
