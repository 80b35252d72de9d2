"""The charts of the returns from unseen starts."""

import dataclasses

import numpy as np
import pytest
from job_folders import make_trial, set_environment
from sagemaker_rl.report.charts.returns import BINS, draw_return_distribution, draw_returns_by_start
from sagemaker_rl.report.optimum import find_optimum
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.styles import COLOURS, DASH, OPTIMUM_COLOUR, style_runs
from sagemaker_rl.report.trial import FILE as TRIAL_FILE

CAR_JOB = {"environment": "patient_envs:PatientContinuousMountainCar"}


def glyphs(chart) -> list[str]:
    return [type(renderer.glyph).__name__ for renderer in chart.figure.renderers]


def make_run(returns, name="a-job", job=None, starts=None) -> Run:
    trial = make_trial(episodes=len(returns))
    starts = trial.starts if starts is None else np.array(starts, np.float32)
    return Run(name, job=job or {}, trial=dataclasses.replace(trial, returns=np.array(returns, float), starts=starts))


def test_the_line_of_the_best_known_is_of_the_same_starts(folder):
    """Of the discrete car's starts some are a swing nearer than others: their mean is not that of all starts."""
    set_environment(folder, "patient_envs:PatientMountainCar")
    trial = make_trial(mean_return=-120.0)
    trial.starts[:, 0] = -0.59
    trial.save(folder / "output/data" / TRIAL_FILE)
    run = Run.read(folder)
    assert abs(run.best_known - find_optimum(run.environment).mean) > 0.5
    for runs, mark in (([run], "a line"), ([run, run], "a thick green line")):
        (chart,) = draw_return_distribution(style_runs(runs))
        (line,) = [renderer for renderer in chart.figure.renderers if type(renderer.glyph).__name__ == "VSpan"]
        assert line.data_source.data["x"] == [pytest.approx(run.best_known)]
        assert line.glyph.line_color == OPTIMUM_COLOUR
        sentence = f" The best known policy has {run.best_known:.2f} on average from these starts, and {mark} marks it."
        assert chart.text.endswith(sentence)
        (edges,) = {(bars["left"][0], bars["right"][-1]) for bars in bars_of(chart)}
        assert edges[0] < run.trial.returns.min() and edges[1] > run.best_known  # with a margin


def bars_of(chart) -> list[dict]:
    return [each.data_source.data for each in chart.figure.renderers if type(each.glyph).__name__ == "Quad"]


def test_the_distribution_of_a_runs_returns():
    (chart,) = draw_return_distribution(style_runs([make_run([1, 1, 2, 5, 11])]))
    assert chart.title == "Returns of unseen starts"
    assert chart.text == "This policy: 5 episodes from 1.00 to 11.00, median 2.00."
    assert (chart.key, glyphs(chart)) == ((), ["Quad"])
    (bars,) = bars_of(chart)
    assert len(bars["top"]) == BINS
    assert (bars["left"][0], bars["right"][-1]) == (pytest.approx(0.5), pytest.approx(11.5))
    assert bars["top"].sum() == 5
    assert chart.figure.renderers[0].glyph.bottom == 0
    assert chart.table.header == ["Run", "From", "To", "Episodes"]
    width = 11 / BINS
    assert chart.table.rows == [
        ["a-job", f"{0.5 + place * width:.2f}", f"{0.5 + (place + 1) * width:.2f}", str(count)]
        for place, count in ((1, 2), (5, 1), (16, 1), (38, 1))
    ]
    assert chart.figure.y_range.start == 0
    assert (chart.figure.xaxis.axis_label, chart.figure.yaxis.axis_label) == ("Return of an episode", "Episodes")
    (tool,) = [tool for tool in chart.figure.tools if type(tool).__name__ == "HoverTool"]
    assert tool.tooltips == [("return", "@left{0.00} to @right{0.00}"), ("episodes", "@top")]
    assert [item.label.value for item in chart.figure.legend[0].items] == ["this policy"]


def test_returns_that_are_all_the_same_have_a_margin_too():
    (chart,) = draw_return_distribution(style_runs([make_run([3, 3])]))
    (bars,) = bars_of(chart)
    assert (bars["left"][0], bars["right"][-1]) == (2, 4)


def test_the_distributions_of_several_runs_are_outlines():
    runs = [make_run([1, 2, 6]), make_run([1, np.inf]), Run("c"), make_run([3, 5], "d")]
    styled = style_runs([*runs, *[Run("e")] * 3, make_run([4, 4])])
    (chart,) = draw_return_distribution(styled)
    assert chart.text == (
        "The lowest, the median, the highest return: "
        "run 1: 1.00, 2.00, 6.00; run 4: 3.00, 4.00, 5.00; run 8: 4.00, 4.00, 4.00."
    )
    assert chart.key == (styled[0], styled[3], styled[7])
    assert glyphs(chart) == ["Quad", "Line"] * 3
    assert not chart.figure.legend
    bars, outline = (chart.figure.renderers[place] for place in (2, 3))
    assert (bars.glyph.fill_alpha, bars.glyph.line_alpha) == (0, 0)
    counts, x, y = bars.data_source.data["top"], outline.data_source.data["x"], outline.data_source.data["y"]
    assert (counts.sum(), len(x), len(y)) == (2, 2 * BINS + 2, 2 * BINS + 2)
    assert (y[0], y[-1]) == (0, 0)
    np.testing.assert_array_equal(y[1:-1:2], counts)
    np.testing.assert_array_equal(y[2:-1:2], counts)
    np.testing.assert_array_equal(x[1:-1:2], bars.data_source.data["left"])
    np.testing.assert_array_equal(x[2:-1:2], bars.data_source.data["right"])
    lines = chart.figure.renderers[1::2]
    assert [line.glyph.line_color for line in lines] == [COLOURS[0], COLOURS[3], COLOURS[7]]
    assert [line.glyph.line_dash for line in lines] == [(), (), DASH]
    assert [row[0] for row in chart.table.rows[:1]] == ["Run 1"]
    tools = [tool for tool in chart.figure.tools if type(tool).__name__ == "HoverTool"]
    assert [tool.visible for tool in tools] == [True, False, False]
    assert tools[1].tooltips[0] == ("run", "4, d")


def test_returns_by_start_are_beside_the_best_known_ones():
    run = make_run([90, 99, 98], job=CAR_JOB, starts=[[-0.6, 0], [-0.5, 0], [-0.45, 0]])
    (chart,) = draw_returns_by_start(style_runs([run]))
    assert chart.title == "Return by start position"
    best = find_optimum("PatientContinuousMountainCar")
    assert chart.text == (
        f"This policy: the furthest from the best known is the start at -0.600, {best.returns[0] - 90:.2f} below it; "
        f"on average it is {run.regret:.2f}."
    )
    line, dots = chart.figure.renderers
    assert line.data_source.data["x"].tolist() == best.starts.tolist()
    assert line.data_source.data["y"].tolist() == best.returns.tolist()
    assert dots.data_source.data["x"].tolist() == pytest.approx([-0.6, -0.5, -0.45])
    assert dots.data_source.data["y"].tolist() == [90, 99, 98]
    assert (line.glyph.line_color, dots.glyph.line_color) == (OPTIMUM_COLOUR, COLOURS[0])
    assert [item.label.value for item in chart.figure.legend[0].items] == ["best known", "this policy"]
    (tool,) = [tool for tool in chart.figure.tools if type(tool).__name__ == "HoverTool"]
    assert (tool.renderers, tool.tooltips) == ([dots], [("start", "@x{0.000}"), ("return", "@y{0.00}")])
    assert (chart.figure.xaxis.axis_label, chart.figure.yaxis.axis_label) == ("Start position", "Return")
    assert chart.key == ()


def test_returns_by_start_of_several_runs():
    starts = [[-0.6, 0], [-0.5, 0]]
    runs = [make_run([90, 99], job=CAR_JOB, starts=starts), make_run([np.nan, 1]), make_run([98, 80], "c", CAR_JOB)]
    runs[2] = make_run([98, 80], "c", CAR_JOB, starts)
    styled = style_runs(runs)
    (chart,) = draw_returns_by_start(styled)
    best = find_optimum("PatientContinuousMountainCar").returns_from(np.array([-0.6, -0.5]))
    assert chart.text == (
        "The thick green line is the best known. Below it on average, and at most: "
        f"run 1: {runs[0].regret:.2f}, {best[0] - 90:.2f}; run 3: {runs[2].regret:.2f}, {best[1] - 80:.2f}."
    )
    assert chart.key == (styled[0], styled[2])
    assert not chart.figure.legend
    tools = [tool for tool in chart.figure.tools if type(tool).__name__ == "HoverTool"]
    assert [tool.visible for tool in tools] == [True, False]
    assert tools[1].tooltips[0] == ("run", "3, c")


def test_runs_of_two_environments_have_no_common_optimum():
    runs = [make_run([1, 2], job=CAR_JOB), make_run([1, 3], job={"environment": "patient_envs:PatientMountainCar"})]
    styled = style_runs(runs)
    (chart,) = draw_return_distribution(styled)
    assert "best known" not in chart.text
    assert glyphs(chart) == ["Quad", "Line"] * 2
    assert draw_returns_by_start(styled) == []
    for nothing in ([], style_runs([Run("a", job=CAR_JOB)]), style_runs([make_run([np.nan, 1], job=CAR_JOB)])):
        assert draw_return_distribution(nothing) == draw_returns_by_start(nothing) == []
