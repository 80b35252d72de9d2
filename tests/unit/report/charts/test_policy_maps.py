"""The heat maps of the policy and of its values."""

import dataclasses

import numpy as np
import pytest
from job_folders import make_trial
from sagemaker_rl.report.charts.policy_maps import (
    COLOURS_OF_THREE_ACTIONS,
    DIVERGING_COLOURS,
    POINTS_OF_PATH,
    draw_policy_maps,
)
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.styles import COLOURS
from sagemaker_rl.report.trial import PolicyMap

AXES = (np.array([-1.2, -0.3, 0.6]), np.array([-0.07, 0.07]))
ACTIONS = np.array([[-1.5, 0.0], [0.25, 0.5], [-0.5, 1.0]])
VALUES = np.array([[1.0, 2.0], [3.0, 9.5], [-4.0, 0.0]])
CARS = {name: {"environment": f"patient_envs:Patient{name}"} for name in ("MountainCar", "ContinuousMountainCar")}


def make_run(actions=ACTIONS, values=VALUES, job=None, paths=()) -> Run:
    policy_map = PolicyMap(AXES, np.array(actions), values)
    return Run("a", job=job or {}, trial=dataclasses.replace(make_trial(), policy_map=policy_map, paths=list(paths)))


def test_the_map_of_a_continuous_policy():
    chart, _ = draw_policy_maps(make_run(paths=[np.zeros((0, 4)), np.zeros((2, 4))]))
    assert chart.title == "What the policy does"
    assert chart.text == ("From -1.5 to 1; below 0 in 33% of all states, which are blue. The lines are 2 episodes.")
    image = chart.figure.renderers[0]
    np.testing.assert_array_equal(image.data_source.data["image"][0], ACTIONS.T)
    assert {name: getattr(image.glyph, name) for name in ("x", "y", "dw", "dh")} == {
        "x": -1.2,
        "y": -0.07,
        "dw": pytest.approx(1.8),
        "dh": pytest.approx(0.14),
    }
    mapper = image.glyph.color_mapper
    assert (mapper.low, mapper.high, len(mapper.palette)) == (-1.5, 1.5, 255)
    assert (mapper.palette[0], mapper.palette[-1]) == (DIVERGING_COLOURS[0], DIVERGING_COLOURS[-1])
    figure = chart.figure
    assert [(each.start, each.end) for each in (figure.x_range, figure.y_range)] == [(-1.2, 0.6), (-0.07, 0.07)]
    assert (figure.xaxis.axis_label, figure.yaxis.axis_label) == ("observation[0]", "observation[1]")
    assert figure.tools[-1].tooltips == [
        ("observation[0]", "$x{0.000}"),
        ("observation[1]", "$y{0.0000}"),
        ("action", "@image{0.000}"),
    ]
    (bar,) = figure.right
    assert bar.color_mapper is mapper


def test_the_map_of_values():
    _, chart = draw_policy_maps(make_run(job=CARS["ContinuousMountainCar"]))
    assert chart.title == "Value of a state"
    assert chart.text == (
        "From -4.00 to 9.50, highest at position -0.30 and velocity 0.070. It is of rewards as the algorithm takes "
        "them, perhaps scaled and discounted. The lines are 0 episodes."
    )
    mapper = chart.figure.renderers[0].glyph.color_mapper
    assert (mapper.low, mapper.high) == (-4, 9.5)
    assert (chart.figure.xaxis.axis_label, chart.figure.yaxis.axis_label) == ("Position", "Velocity")
    assert chart.figure.tools[-1].tooltips[-1] == ("value", "@image{0.000}")
    assert len(draw_policy_maps(make_run(values=None))) == 1


@pytest.mark.parametrize(
    ("scale", "discount", "sentence"),
    [
        (0.03, 0.9, " It is of rewards times 0.03 and discounted by 0.9 a step, so no return of an episode."),
        (1, 0.9, " It is of rewards discounted by 0.9 a step, so no return of an episode."),
        (0.5, 1, " It is of rewards times 0.5, so no return of an episode."),
        (1, 1.0, ""),
        (None, 0.9, " It is of rewards as the algorithm takes them, perhaps scaled and discounted."),
        (1, "x", " It is of rewards as the algorithm takes them, perhaps scaled and discounted."),
    ],
)
def test_values_say_what_they_are_of(scale, discount, sentence):
    job = {"reward_scale": scale, "settings": [{"name": "discount", "value": discount}]}
    _, chart = draw_policy_maps(make_run(job=job))
    assert chart.text.endswith(f" 0.070.{sentence} The lines are 0 episodes.")


def test_maps_that_are_no_numbers():
    actions = np.full((3, 2), -1e-5)
    actions[0, 0] = np.inf
    run = make_run(actions, np.full((3, 2), np.nan))
    (chart,) = draw_policy_maps(run)
    assert chart.text == (
        "From -1e-05 to -1e-05; below 0 in 83% of all states, which are blue. In 16.7% of all states it is no number. "
        "The lines are 0 episodes."
    )
    assert run.notes == ["Value of a state: no state has a number, so there is no map."]
    np.testing.assert_array_equal(
        np.isnan(chart.figure.renderers[0].data_source.data["image"][0]), [[1, 0, 0], [0] * 3]
    )
    values = VALUES.copy()
    values[1, 1], values[2, 1] = np.nan, -np.inf
    _, chart = draw_policy_maps(make_run(values=values))
    assert "From -4.00 to 3.00, highest at observation[0] -0.30 and observation[1] -0.070. In 33.3% of" in chart.text
    chart, _ = draw_policy_maps(make_run(np.zeros((3, 2))))
    mapper = chart.figure.renderers[0].glyph.color_mapper
    assert (mapper.low, mapper.high) == (-1, 1)


def test_actions_are_called_by_the_environments_own_numbers():
    chart, _ = draw_policy_maps(make_run([[-1, -1], [-1, 0], [2, 2]]))
    assert chart.text.startswith("Of all states: action -1 in 50%, action 0 in 17%, action 1 in 0%, action 2 in 33%. ")
    mapper = chart.figure.renderers[0].glyph.color_mapper
    assert (mapper.low, mapper.high, tuple(mapper.palette)) == (-1.5, 2.5, COLOURS[:4])
    (bar,) = chart.figure.right
    assert bar.ticker.ticks == [-1, 0, 1, 2]
    assert bar.major_label_overrides == {number: f"action {number}" for number in (-1, 0, 1, 2)}


def test_a_cars_actions_have_names_also_those_that_it_never_takes():
    chart, _ = draw_policy_maps(make_run([[1, 1], [1, 2], [1, 2]], job=CARS["MountainCar"]))
    assert chart.text.startswith("Of all states: push left in 0%, coast in 67%, push right in 33%.")
    mapper = chart.figure.renderers[0].glyph.color_mapper
    assert (mapper.low, mapper.high, tuple(mapper.palette)) == (-0.5, 2.5, COLOURS_OF_THREE_ACTIONS)


@pytest.mark.parametrize(("points", "drawn"), [(3, 3), (2 * POINTS_OF_PATH - 1, 999), (2 * POINTS_OF_PATH, 500)])
def test_paths_are_thinned(points, drawn):
    path = np.arange(points * 4.0).reshape(points, 4)
    chart, _ = draw_policy_maps(make_run(paths=[path, path[:0]]))
    _, black, white = chart.figure.renderers
    assert black.data_source is white.data_source
    every = round(points / drawn)
    assert black.data_source.data["x"].tolist() == path[::every, 1].tolist()
    assert black.data_source.data["y"].tolist() == path[::every, 2].tolist()
    assert len(black.data_source.data["x"]) == drawn


def test_there_may_be_no_maps():
    assert draw_policy_maps(Run("a")) == draw_policy_maps(Run("a", trial=make_trial(dimensions=3))) == []
