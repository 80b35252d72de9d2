"""An episode: what was done and observed in the last recorded evaluation, step by step."""

import numpy as np

from sagemaker_rl.report.cars import STATE_NAMES
from sagemaker_rl.report.charts.figures import add_tooltip, narrow_axis_of_constant, new_figure
from sagemaker_rl.report.formatting import format_number
from sagemaker_rl.report.parts import Chart
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.styles import COLOURS

MAX_ACTIONS = 3
MAX_OBSERVATIONS = 3
"""So many dimensions of an action and of an observation have a chart."""


def draw_trace(run: Run) -> list[Chart]:
    """Draw a small chart of each dimension: of the actions, then of the observations."""
    if run.trace is None:
        return []
    charts = []
    for name in _choose_columns(run, run.trace.columns):
        values = run.trace.points[:, run.trace.columns.index(name)]
        title = _title(run, name)
        is_action = name.startswith("action")
        figure = new_figure("Environment step", title.partition(" (")[0], height=200)
        draw = figure.step if is_action and run.car and run.car.action_names else figure.line
        line = draw(run.trace.points[:, 0], values, color=COLOURS[1] if is_action else COLOURS[0], line_width=1.5)
        add_tooltip(figure, line, [("step", "@x{0}"), (title, "@y{0.0000}")])
        finite = values[np.isfinite(values)]
        if not len(finite):
            continue
        narrow_axis_of_constant(figure, [finite])
        low, high = (format_number(value, ".4g") for value in (finite.min(), finite.max()))
        charts.append(Chart(title, f"From {low} to {high}.", figure))
    return charts


def _choose_columns(run: Run, columns: list[str]) -> list[str]:
    """Return which columns to draw, actions first; of a car the velocity comes before the position."""
    actions = [name for name in columns if name.startswith("action")]
    observations = [name for name in columns if name.startswith("observation")]
    if run.car:
        observations = observations[::-1]
    return actions[:MAX_ACTIONS] + observations[:MAX_OBSERVATIONS]


def _title(run: Run, column: str) -> str:
    if run.car is None:
        return column
    titles = {
        "action[0]": run.car.action_title,
        "observation[0]": STATE_NAMES[0],
        "observation[1]": STATE_NAMES[1],
    }
    return titles.get(column, column)
