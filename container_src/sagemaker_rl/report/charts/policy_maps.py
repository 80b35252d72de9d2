"""What does it do where? The policy and its value function over two state dimensions."""

from typing import Any, NamedTuple

import numpy as np
from bokeh.models import BasicTicker, ColumnDataSource, FixedTicker, LinearColorMapper, Range1d
from bokeh.models.annotations import ColorBar
from bokeh.palettes import Viridis256, interp_palette

from sagemaker_rl.report.cars import STATE_NAMES
from sagemaker_rl.report.charts.figures import add_tooltip, new_figure
from sagemaker_rl.report.formatting import format_number
from sagemaker_rl.report.parts import Chart
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.styles import COLOURS
from sagemaker_rl.report.trial import PolicyMap

POINTS_OF_PATH = 500
"""About so many steps of an episode are drawn."""
DIVERGING_COLOURS = ("#154a86", "#2f7fc1", "#8fbce6", "#f4f4f4", "#e9a06c", "#c4581a", "#8c1d18")
"""Of actions below 0, at 0 and above it."""
COLOURS_OF_THREE_ACTIONS = ("#2f7fc1", "#b9bec4", "#c4581a")


class HeatMap(NamedTuple):
    """What is drawn over the grid of states.

    Attributes:
        label: what a value is called.
        values: ``(nodes, nodes)``, first state dimension first; NaN where there is none.
        mapper: gives each value a colour.
        ticks: options of the colour bar.
        text: what it shows, in words.
    """

    label: str
    values: np.ndarray
    mapper: LinearColorMapper
    ticks: dict[str, Any]
    text: str


def draw_policy_maps(run: Run) -> list[Chart]:
    """Draw the actions, and the values where there are some, as heat maps with a few episodes on them.

    A map without any number is left out, and a note says so.
    """
    trial = run.trial
    if trial is None or trial.policy_map is None:
        return []
    charts = []
    for title, values, make_heat_map in (
        ("What the policy does", trial.policy_map.actions, _map_actions),
        ("Value of a state", trial.policy_map.values, _map_values),
    ):
        if values is None:
            continue
        if not np.isfinite(values).any():
            run.notes.append(f"{title}: no state has a number, so there is no map.")
            continue
        heat_map = make_heat_map(run, trial.policy_map, values)
        text = f"{heat_map.text} The lines are {len(trial.paths)} episodes."
        charts.append(Chart(title, text, _draw_heat_map(run, trial.policy_map, trial.paths, heat_map)))
    return charts


def state_names(run: Run) -> tuple[str, str]:
    """Return what the two state dimensions are called."""
    return STATE_NAMES if run.car else ("observation[0]", "observation[1]")


def _map_actions(run: Run, policy_map: PolicyMap, actions: np.ndarray) -> HeatMap:
    discrete = np.issubdtype(actions.dtype, np.integer)
    return _map_discrete_actions(run, actions) if discrete else _map_continuous_actions(actions)


def _map_discrete_actions(run: Run, actions: np.ndarray) -> HeatMap:
    names = run.car.action_names if run.car else ()
    first = 0 if names else int(actions.min())  # a Discrete space may start anywhere
    if not names:
        names = tuple(f"action {number}" for number in range(first, int(actions.max()) + 1))
    palette = tuple(COLOURS[index % len(COLOURS)] for index in range(len(names)))
    if len(names) == len(COLOURS_OF_THREE_ACTIONS):
        palette = COLOURS_OF_THREE_ACTIONS
    mapper = LinearColorMapper(palette=palette, low=first - 0.5, high=first + len(names) - 0.5)
    named = dict(enumerate(names, start=first))
    shares = ", ".join(f"{name} in {np.mean(actions == number):.0%}" for number, name in named.items())
    ticks = {"ticker": FixedTicker(ticks=list(named)), "major_label_overrides": named}
    return HeatMap("action", actions, mapper, ticks, f"Of all states: {shares}.")


def _map_continuous_actions(actions: np.ndarray) -> HeatMap:
    actions = np.where(np.isfinite(actions), actions, np.nan)
    largest = float(np.nanmax(np.abs(actions))) or 1.0
    mapper = LinearColorMapper(palette=interp_palette(DIVERGING_COLOURS, 255), low=-largest, high=largest)
    low, high = (format_number(value, ".3g") for value in (np.nanmin(actions), np.nanmax(actions)))
    text = f"From {low} to {high}; below 0 in {np.mean(actions < 0):.0%} of all states, which are blue."
    return HeatMap("action", actions, mapper, {"ticker": BasicTicker()}, text + _describe_gaps(actions))


def _map_values(run: Run, policy_map: PolicyMap, values: np.ndarray) -> HeatMap:
    values = np.where(np.isfinite(values), values, np.nan)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    mapper = LinearColorMapper(palette=Viridis256, low=low, high=high)
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    x_name, y_name = (name.lower() for name in state_names(run))
    text = (
        f"From {format_number(low)} to {format_number(high)}, highest at {x_name} {policy_map.axes[0][row]:.2f} and "
        f"{y_name} {policy_map.axes[1][column]:.3f}.{_describe_gaps(values)}{_describe_value_scale(run)}"
    )
    return HeatMap("value", values, mapper, {}, text)


def _describe_value_scale(run: Run) -> str:
    """Say why values are no returns, as far as it is known; empty if they are."""
    scale, discount = run.job.get("reward_scale"), run.setting_value("discount")
    if not isinstance(scale, int | float) or not isinstance(discount, int | float):
        return " It is of rewards as the algorithm takes them, perhaps scaled and discounted."
    changes = [f"times {scale:g}"] * (scale != 1) + [f"discounted by {discount:g} a step"] * (discount != 1)
    return f" It is of rewards {' and '.join(changes)}, so no return of an episode." if changes else ""


def _describe_gaps(values: np.ndarray) -> str:
    share = float(np.mean(~np.isfinite(values)))
    return f" In {share:.1%} of all states it is no number." if share else ""


def _draw_heat_map(run: Run, policy_map: PolicyMap, paths: list[np.ndarray], heat_map: HeatMap) -> Any:
    """Draw a heat map, the paths of some episodes on it, and a colour bar beside it; return the Bokeh figure."""
    x, y = policy_map.axes
    x_name, y_name = state_names(run)
    figure = new_figure(
        x_name,
        y_name,
        height=340,
        x_range=Range1d(start=float(x[0]), end=float(x[-1])),
        y_range=Range1d(start=float(y[0]), end=float(y[-1])),
    )
    image = figure.image(
        [np.ascontiguousarray(heat_map.values.T, dtype=np.float32)],
        x=float(x[0]),
        y=float(y[0]),
        dw=float(x[-1] - x[0]),
        dh=float(y[-1] - y[0]),
        color_mapper=heat_map.mapper,
    )
    lines = [(x_name, "$x{0.000}"), (y_name, "$y{0.0000}"), (heat_map.label, "@image{0.000}")]
    add_tooltip(figure, image, lines)
    for path in paths:
        if len(path):
            thinned = path[:: max(1, len(path) // POINTS_OF_PATH)]
            points = ColumnDataSource({"x": thinned[:, 1], "y": thinned[:, 2]})
            figure.line("x", "y", source=points, color="black", line_width=2.5, alpha=0.55)
            figure.line("x", "y", source=points, color="white", line_width=1, alpha=0.9)
    bar = ColorBar(color_mapper=heat_map.mapper, background_fill_alpha=0, width=10, **heat_map.ticks)
    figure.add_layout(bar, "right")
    return figure
