"""The charts of the training."""

import numpy as np
import pytest
from sagemaker_rl.report.charts.learning import (
    ROWS_IN_TABLE,
    draw_rewards_by_episode,
    draw_rewards_by_time,
    draw_signals,
)
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.styles import COLOURS, DASH, style_runs

NAN = np.nan
COLUMNS = {
    "Episode #": [3, 4, 5, 6],
    "Wall-Clock Time": [0.25, 0.5, NAN, 2.0],
    "Training Reward": [7, -1, 2, NAN],
    "Evaluation Reward": [NAN, -3.5, 10.25, 4],
    "Loss/Mean": [5, 4, NAN, 2.5],
    "KL Divergence/Mean": [0, 0, 0, 0],
    "Learning Rate/Mean": [1e-4, 1e-4, 1e-4, 1e-4],
}


def make_run(name="a-job", **changes) -> Run:
    columns = {**COLUMNS, **changes}
    return Run(name, columns={name: np.array(values, float) for name, values in columns.items() if values})


def drawn(chart) -> list[tuple[str, list[float], list[float]]]:
    """Return kind, x and y of whatever a chart's figure draws."""
    return [
        (
            type(renderer.glyph).__name__,
            *(np.round(renderer.data_source.data[axis].astype(float), 6).tolist() for axis in ("x", "y")),
        )
        for renderer in chart.figure.renderers
    ]


def tooltips(chart) -> list[list[tuple[str, str]]]:
    return [tool.tooltips for tool in chart.figure.tools if type(tool).__name__ == "HoverTool"]


def test_rewards_of_a_run_over_episodes_and_over_time():
    styled = style_runs([make_run()])
    (chart,), (timed,) = draw_rewards_by_episode(styled), draw_rewards_by_time(styled)
    assert (chart.title, timed.title) == ("Reward over episodes", "Reward over wall time")
    assert chart.text == "The evaluation reward begins at -3.50, is 10.25 at its best and 4.00 at the end."
    assert timed.text == "The evaluation reward begins at -3.50, is 4.00 at its best and 4.00 at the end."
    evaluations = [4, 5, 6], [-3.5, 10.25, 4]
    assert drawn(chart) == [("Line", [3, 4, 5], [7, -1, 2]), ("Line", *evaluations), ("Scatter", *evaluations)]
    assert drawn(timed) == [
        ("Line", [0.25, 0.5], [7, -1]),
        ("Line", [0.5, 2], [-3.5, 4]),
        ("Scatter", [0.5, 2], [-3.5, 4]),
    ]
    assert [each.figure.xaxis.axis_label for each in (chart, timed)] == ["Episode", "Seconds of training"]
    assert chart.figure.yaxis.axis_label == "Reward of an episode"
    assert chart.table.header == ["Run", "Episode", "Seconds", "Evaluation reward"]
    assert chart.table.rows == [
        ["a-job", "4", "0.5", "-3.50"],
        ["a-job", "5", "nan", "10.25"],
        ["a-job", "6", "2.0", "4.00"],
    ]
    assert tooltips(chart) == [
        [("Episode", "@x{0.[0]}"), ("training reward", "@y{0.00}")],
        [("Episode", "@x{0.[0]}"), ("evaluation reward", "@y{0.00}")],
    ]
    assert chart.key == ()
    assert [item.label.value for item in chart.figure.legend[0].items] == ["training", "evaluation"]
    colours = [renderer.glyph.line_color for renderer in chart.figure.renderers]
    assert colours == [COLOURS[0], COLOURS[1], COLOURS[1]]


def test_rewards_of_several_runs():
    runs = [make_run("a"), make_run("b", **{"Evaluation Reward": []}), make_run("c", **{"Training Reward": []})]
    styled = style_runs([*runs, Run("d"), Run("e", job={"kind": "evaluation"}, columns=runs[0].columns)])
    (chart,) = draw_rewards_by_episode(styled)  # four trainings
    assert chart.text == (
        "Thin: training; thick, with dots: evaluation. The evaluation reward at first, at its best, at the end: "
        "run 1: -3.50, 10.25, 4.00; run 3: -3.50, 10.25, 4.00."
    )
    assert chart.key == tuple(styled[:3])
    assert [kind for kind, *_ in drawn(chart)] == ["Line", "Line", *["Line", "Scatter"] * 2]
    colours = [renderer.glyph.line_color for renderer in chart.figure.renderers]
    assert colours == [COLOURS[0], COLOURS[1], *[COLOURS[0]] * 2, *[COLOURS[2]] * 2]
    assert [row[0] for row in chart.table.rows] == ["Run 1"] * 3 + ["Run 3"] * 3
    visible = [tool.visible for tool in chart.figure.tools if type(tool).__name__ == "HoverTool"]
    assert visible == [False, False, True, False]
    assert tooltips(chart)[-1][0] == ("run", "3, c")
    assert not chart.figure.legend
    (many,) = draw_rewards_by_episode(style_runs([*runs, *runs]))
    assert many.text.startswith("Evaluations only, as the runs are many. The evaluation reward at first")
    assert len(many.figure.renderers) == 2 * 4
    assert [renderer.glyph.line_dash for renderer in many.figure.renderers][:1] == [()]


def test_the_seventh_runs_lines_are_dashed():
    styled = style_runs([make_run()] * 7)
    (rewards,) = draw_rewards_by_episode(styled)
    assert [renderer.glyph.line_dash for renderer in rewards.figure.renderers[-4::2]] == [(), DASH]
    loss = draw_signals(styled)[0]
    assert [renderer.glyph.line_dash for renderer in loss.figure.renderers] == [()] * 6 + [DASH]


def test_rewards_without_evaluations():
    run = make_run(**{"Evaluation Reward": []})
    (chart,) = draw_rewards_by_episode(style_runs([run]))
    assert (chart.text, chart.table.rows) == ("The training reward; there is no evaluation.", [])
    (chart,) = draw_rewards_by_episode(style_runs([run, run]))
    assert chart.text == "Thin: training; thick, with dots: evaluation."
    assert draw_rewards_by_episode(style_runs([Run("a")])) == []
    assert draw_rewards_by_episode([]) == []


def test_the_table_has_the_last_evaluations():
    count = ROWS_IN_TABLE + 3
    run = Run("a", columns={"Episode #": np.arange(count), "Evaluation Reward": np.arange(count) / 2})
    (chart,) = draw_rewards_by_episode(style_runs([run]))
    assert [row[1] for row in chart.table.rows] == [str(episode) for episode in range(3, count)]


def test_signals_of_a_run():
    loss, rate = draw_signals(style_runs([make_run()]))  # no KL divergence: it is 0
    assert (loss.title, loss.text, loss.key) == ("Loss", "From 5 to 2.5.", ())
    points = [3, 4, 6], [5, 4, 2.5]
    assert drawn(loss) == [("Line", *points), ("Scatter", *points)]
    assert tooltips(loss) == [[("episode", "@x{0}"), ("Loss", "@y{0.0000}")]]
    assert loss.figure.tools[-1].renderers == loss.figure.renderers[1:]  # the dots
    assert (loss.figure.xaxis.axis_label, loss.figure.yaxis.axis_label, loss.figure.height) == ("Episode", "Loss", 200)
    assert loss.figure.y_range.default_span == 2
    assert (rate.title, rate.text) == ("Learning rate", "From 0.0001 to 0.0001.")
    assert rate.figure.y_range.default_span == pytest.approx(0.2e-4)  # a constant curve stays near its value


def test_signals_of_several_runs():
    runs = [make_run("a", **{"Loss/Mean": []}), make_run("b"), make_run("c"), Run("d")]
    styled = style_runs(runs)
    loss, _ = draw_signals(styled)
    assert loss.text == "At first and at the end: run 2: 5, 2.5; run 3: 5, 2.5."
    assert loss.key == tuple(styled[1:3])
    assert [kind for kind, *_ in drawn(loss)] == ["Line", "Scatter"] * 2
    assert [tool.visible for tool in loss.figure.tools[-2:]] == [True, False]
    assert tooltips(loss)[1][0] == ("run", "3, c")
    loss, _ = draw_signals(style_runs([*runs, Run("e")]))
    assert [kind for kind, *_ in drawn(loss)] == ["Line"] * 2
    assert draw_signals(style_runs([Run("a", job={"kind": "evaluation"}, columns=runs[1].columns)])) == []
