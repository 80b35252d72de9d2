"""The charts of an episode."""

import numpy as np
import pytest
from sagemaker_rl.report.charts.episode import draw_trace
from sagemaker_rl.report.run import EpisodeTrace, Run
from sagemaker_rl.report.styles import COLOURS

CONTINUOUS, DISCRETE = ({"environment": f"patient_envs:Patient{name}MountainCar"} for name in ("Continuous", ""))
POINTS = np.array([[0, -0.5, 0.01, 2], [1, -0.25, 0.02, 0], [2, np.nan, 0.0, 0]], np.float32)


def make_run(job, columns=("step", "observation[0]", "observation[1]", "action[0]"), points=POINTS) -> Run:
    return Run("a", job=job, trace=EpisodeTrace(list(columns), points))


@pytest.mark.parametrize(
    ("job", "title", "label", "glyph"),
    [
        (CONTINUOUS, "Force", "Force", "Line"),
        (DISCRETE, "Action (0 left, 1 none, 2 right)", "Action", "Step"),
    ],
)
def test_a_cars_action_comes_first_then_velocity_and_position(job, title, label, glyph):
    charts = draw_trace(make_run(job))
    assert [(chart.title, chart.text) for chart in charts] == [
        (title, "From 0 to 2."),
        ("Velocity", "From 0 to 0.02."),
        ("Position", "From -0.5 to -0.25."),
    ]
    figures = [chart.figure for chart in charts]
    assert [figure.yaxis.axis_label for figure in figures] == [label, "Velocity", "Position"]
    assert {figure.xaxis.axis_label for figure in figures} == {"Environment step"}
    assert {figure.height for figure in figures} == {200}
    renderers = [renderer for figure in figures for renderer in figure.renderers]
    assert [type(renderer.glyph).__name__ for renderer in renderers] == [glyph, "Line", "Line"]
    assert [renderer.glyph.line_color for renderer in renderers] == [COLOURS[1], COLOURS[0], COLOURS[0]]
    for renderer, column in zip(renderers, (3, 2, 1), strict=True):
        np.testing.assert_array_equal(renderer.data_source.data["x"], POINTS[:, 0])
        np.testing.assert_array_equal(renderer.data_source.data["y"], POINTS[:, column])
    assert figures[0].tools[-1].tooltips == [("step", "@x{0}"), (title, "@y{0.0000}")]


def test_another_environments_dimensions_are_called_as_in_the_file():
    kinds = ("action", "observation")
    columns = ["step", *(f"{kind}[{number}]" for kind in reversed(kinds) for number in range(5))]
    points = np.arange(22, dtype=np.float32).reshape(2, 11)
    points[:, 6], points[:, 2] = 7, np.nan  # action[0], observation[1]
    charts = draw_trace(make_run({"environment": "own:Own"}, columns, points))
    titles = [f"{kind}[{number}]" for kind in kinds for number in range(3)]
    titles.remove("observation[1]")
    assert [chart.title for chart in charts] == titles
    assert {type(chart.figure.renderers[0].glyph).__name__ for chart in charts} == {"Line"}
    spans = [chart.figure.y_range.default_span for chart in charts]
    assert spans == [pytest.approx(1.4), 2, 2, 2, 2]  # of a constant, and Bokeh's own


def test_there_may_be_no_trace():
    assert draw_trace(Run("a", job=CONTINUOUS)) == []
