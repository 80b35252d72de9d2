"""What all charts have in common: the empty figure, thinned curves, legend, tooltips and the words beside it."""

from typing import Any

import numpy as np
from bokeh.models import BoxZoomTool, HoverTool, PanTool, ResetTool, SaveTool, WheelZoomTool
from bokeh.plotting import figure as bokeh_figure

from sagemaker_rl.report.styles import StyledRun

MAX_POINTS = 8_000
"""The curves of a chart have at most so many points together."""
FEW_RUNS = 4
"""With more runs, charts leave out what costs kilobytes per run: training rewards, and the dots on losses."""


def new_figure(x_label: str, y_label: str, height: int = 300, **options: Any) -> Any:
    """Return an empty Bokeh figure; ``options`` are more of its own."""
    figure = bokeh_figure(
        height=height,
        sizing_mode="stretch_width",
        tools=[PanTool(), BoxZoomTool(), WheelZoomTool(), ResetTool(), SaveTool()],
        active_drag=None,  # on a phone the finger scrolls the page
        active_scroll=None,
        x_axis_label=x_label,
        y_axis_label=y_label,
        background_fill_alpha=0,
        border_fill_alpha=0,
        outline_line_alpha=0,
        min_border=4,
        **options,
    )
    figure.toolbar.logo = None
    figure.toolbar.autohide = False
    figure.xgrid.grid_line_alpha = figure.ygrid.grid_line_alpha = 0.25
    figure.axis.axis_label_text_font_style = "normal"
    return figure


def thin(x: np.ndarray, y: np.ndarray, num_curves: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return fewer points of a long curve, float32: the lowest and the highest of each of many stretches.

    Args:
        x: ``(points,)``.
        y: ``(points,)``.
        num_curves: how many curves share the chart; no curve has more than a fifth of ``MAX_POINTS``.
    """
    max_points = MAX_POINTS // max(5, num_curves)
    x, y = x.astype(np.float32), y.astype(np.float32)
    if len(y) <= max_points:
        return x, y
    stretches = np.array_split(np.arange(len(y)), max_points // 2)
    kept = sorted({int(stretch[pick(y[stretch])]) for stretch in stretches for pick in (np.argmin, np.argmax)})
    return x[kept], y[kept]


def legend_option(label: str, shown: bool) -> dict[str, str]:
    """Return the argument that puts a line into the figure's legend; nothing if it is not to be shown there."""
    return {"legend_label": label} if shown else {}


def place_legend(figure: Any) -> None:
    """Put the legend, if there is one, above the data; a click on a line's label hides the line."""
    if figure.legend:
        figure.add_layout(figure.legend[0], "above")
        figure.legend[0].orientation = "horizontal"
        figure.legend[0].click_policy = "hide"
        figure.legend[0].background_fill_alpha = 0
        figure.legend[0].border_line_alpha = 0
        figure.legend[0].ncols = 2


def narrow_axis_of_constant(figure: Any, curves: list[np.ndarray]) -> None:
    """Keep the y axis near the value of curves that never change: Bokeh's own span around it is 2."""
    values = np.concatenate(curves)
    if np.ptp(values) == 0:
        figure.y_range.default_span = 0.2 * abs(float(values[0])) or 0.2


def add_tooltip(figure: Any, renderer: Any, lines: list[tuple[str, str]], visible: bool = True) -> None:
    """Show ``lines``, names and values, where the pointer is over what ``renderer`` drew.

    Args:
        figure: the Bokeh figure.
        renderer: the line, dots, bars or image.
        lines: the values are Bokeh's fields, ``@x{0.00}``.
        visible: whether the toolbar has a button for it; one for each run would be too many.
    """
    figure.add_tools(HoverTool(renderers=[renderer], tooltips=lines, visible=visible))


def run_line(styled: StyledRun) -> list[tuple[str, str]]:
    """Return the line of a tooltip that names the run; none on a page about one run."""
    return [("run", f"{styled.number}, {styled.run.name}")] if styled.label else []


def chart_key(styled_runs: list[StyledRun], drawn: list[StyledRun]) -> tuple[StyledRun, ...]:
    """Return the runs that a chart shows, for its key; none for a chart of one run, which has a legend instead."""
    return tuple(styled for styled in styled_runs if styled in drawn) if len(styled_runs) > 1 else ()


def join_texts(texts: list[str]) -> str:
    """Return what is said of each run as one sentence."""
    return f"{'; '.join(texts)}."
