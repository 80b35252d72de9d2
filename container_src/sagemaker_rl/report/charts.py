"""The report's charts, drawn by Bokeh (https://docs.bokeh.org), whose script goes into the page."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import (
    BasicTicker,
    BoxZoomTool,
    ColumnDataSource,
    FixedTicker,
    HoverTool,
    LinearColorMapper,
    PanTool,
    Range1d,
    ResetTool,
    SaveTool,
    WheelZoomTool,
)
from bokeh.models.annotations import ColorBar
from bokeh.palettes import Viridis256, interp_palette
from bokeh.plotting import figure

from sagemaker_rl.report import optimum
from sagemaker_rl.report.run import (
    CARS,
    EVALUATION_REWARD,
    LOSSES,
    TRAINING_REWARD,
    Run,
)
from sagemaker_rl.report.trial import PolicyMap

COLOURS = ("#2f7fc1", "#c4581a", "#2c8a57", "#a24fb0", "#8a6d10", "#c23b5a", "#4a6fd4", "#6b7a1f")
"""Of runs; each has a contrast of 3 or more with white and with the dark background."""
OPTIMUM_COLOUR = "#2c8a57"
MAX_POINTS = 8_000
"""Of the curves in a chart, together."""
FEW_RUNS = 4
"""Of more, the curves of losses have no dots: each costs the page some kilobytes."""
POINTS_ON_A_MAP = 500
"""Of a trajectory."""
BELOW_AND_ABOVE_0 = ("#154a86", "#2f7fc1", "#8fbce6", "#f4f4f4", "#e9a06c", "#c4581a", "#8c1d18")


@dataclass(frozen=True)
class Chart:
    """A chart, what it is called, and what it shows in words, for those who do not see it."""

    title: str
    text: str
    figure: Any
    table: tuple[list[str], list[list[str]]] | None = None
    """The same numbers: columns and rows."""


def thin(x: np.ndarray, y: np.ndarray, runs: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return some of a curve's points, float32: the lowest and the highest of each of many stretches.

    Args:
        x: ``(points,)``.
        y: ``(points,)``.
        runs: how many curves share the chart; no curve has more than a fifth of ``MAX_POINTS``.
    """
    most = MAX_POINTS // max(5, runs)
    x, y = x.astype(np.float32), y.astype(np.float32)
    if len(y) <= most:
        return x, y
    stretches = np.array_split(np.arange(len(y)), most // 2)
    kept = sorted({int(stretch[pick(y[stretch])]) for stretch in stretches for pick in (np.argmin, np.argmax)})
    return x[kept], y[kept]


def _figure(x_label: str, y_label: str, height: int = 300, **more: Any) -> Any:
    made = figure(
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
        **more,
    )
    made.toolbar.logo = None
    made.toolbar.autohide = False
    made.xgrid.grid_line_alpha = made.ygrid.grid_line_alpha = 0.25
    made.axis.axis_label_text_font_style = "normal"
    return made


def _place_legend(made: Any) -> None:
    if made.legend:
        made.add_layout(made.legend[0], "above")
        made.legend[0].orientation = "horizontal"
        made.legend[0].click_policy = "hide"
        made.legend[0].background_fill_alpha = 0
        made.legend[0].border_line_alpha = 0
        made.legend[0].ncols = 2


def _numbers(values: Any, digits: int = 2) -> list[str]:
    return [f"{value:.{digits}f}" for value in values]


# --- Did it learn? ---------------------------------------------------------------------------------------------------
def rewards(runs: list[Run], over_time: bool) -> Chart | None:
    """Return training and evaluation reward over episodes, or over wall time."""
    x_of = 1 if over_time else 0
    x_label = "Seconds of training" if over_time else "Episode"
    made = _figure(x_label, "Reward of an episode")
    texts, rows = [], []
    for run, colour in zip(runs, COLOURS * len(runs), strict=False):
        label = f"{run.name}: " if len(runs) > 1 else ""
        training, evaluation = (_placed(run.series(column), x_of) for column in (TRAINING_REWARD, EVALUATION_REWARD))
        if len(training[2]):
            x, y = thin(training[x_of], training[2], len(runs))
            line = made.line(x, y, color=colour, alpha=0.55, legend_label=f"{label}training")
            made.add_tools(_hover([line], [(x_label, "@x{0.[0]}"), ("training reward", "@y{0.00}")], visible=False))
        if len(evaluation[2]):
            second = colour if len(runs) > 1 else COLOURS[1]
            x, y = thin(evaluation[x_of], evaluation[2], len(runs))
            made.line(x, y, color=second, line_width=2.5, legend_label=f"{label}evaluation")
            dots = made.scatter(x, y, color=second, size=8, legend_label=f"{label}evaluation")
            made.add_tools(_hover([dots], [(x_label, "@x{0.[0]}"), ("evaluation reward", "@y{0.00}")]))
            first, best, last = evaluation[2][0], evaluation[2].max(), evaluation[2][-1]
            texts.append(
                f"{label}the evaluation reward begins at {first:.2f}, is {best:.2f} at its best "
                f"and {last:.2f} at the end."
            )
            rows += [
                [run.name, f"{episode:.0f}", f"{seconds:.1f}", f"{value:.2f}"]
                for episode, seconds, value in list(zip(*evaluation, strict=True))[-50:]
            ]
    if not made.renderers:
        return None
    _place_legend(made)
    text = " ".join(texts) or "The training reward; there is no evaluation yet."
    title = "Reward over wall time" if over_time else "Reward over episodes"
    return Chart(title, text[0].upper() + text[1:], made, (["Run", "Episode", "Seconds", "Evaluation reward"], rows))


def _placed(series: tuple[np.ndarray, ...], x_of: int) -> tuple[np.ndarray, ...]:
    """Return the rows of a series that have a place on the axis: stock Coach's last has no time."""
    known = np.isfinite(series[x_of])
    return tuple(column[known] for column in series)


def _hover(renderers: list[Any], tips: list[tuple[str, str]], visible: bool = True) -> HoverTool:
    return HoverTool(renderers=renderers, tooltips=tips, visible=visible)


def losses(runs: list[Run]) -> list[Chart]:
    """Return a small chart for each loss or signal that the algorithm of a run has."""
    charts = []
    for column, title in LOSSES.items():
        made = _figure("Episode", title, height=200)
        ends: list[str] = []
        for run, colour in zip(runs, COLOURS * len(runs), strict=False):
            episodes, _, values = run.series(column)
            if not len(values) or not np.any(values):  # Coach's KL divergence is 0 where it is not regularized
                continue
            x, y = thin(episodes, values, len(runs))
            drawn = [made.line(x, y, color=colour, line_width=2)]
            if len(runs) <= FEW_RUNS:
                drawn = [made.scatter(x, y, color=colour, size=4)]
            made.add_tools(_hover(drawn, [("run", run.name), ("episode", "@x{0}"), (title, "@y{0.0000}")], not ends))
            ends.append(f"{f'{run.name}: ' if len(runs) > 1 else ''}from {values[0]:.4g} to {values[-1]:.4g}")
        if ends:
            charts.append(Chart(title, f"{title} {'; '.join(ends)}.", made))
    return charts


# --- How good is it? -------------------------------------------------------------------------------------------------
def _tried(runs: list[Run]) -> list[tuple[Run, str]]:
    """Return the runs that have returns to draw, and their colours."""
    coloured = zip(runs, COLOURS * len(runs), strict=False)
    return [(run, colour) for run, colour in coloured if run.trial and np.isfinite(run.trial.returns).all()]


def _best_known(runs: list[Run]) -> optimum.Optimum | None:
    """Return the optimum that all runs can be held to."""
    return optimum.of(runs[0].environment) if len({run.environment for run in runs}) == 1 else None


def returns(runs: list[Run]) -> Chart | None:
    """Return the distribution of the returns of the unseen starts, with the optimum drawn in."""
    tried = _tried(runs)
    if not tried:
        return None
    best = _best_known(runs)
    everything = np.concatenate([run.trial.returns for run, _ in tried if run.trial is not None])
    low, high = float(everything.min()), float(max(everything.max(), best.mean if best else -np.inf))
    margin = 0.05 * (high - low) or 1.0
    edges = np.linspace(low - margin, high + margin, 41)
    made = _figure("Return of an episode", "Episodes")
    texts, rows = [], []
    for run, colour in tried:
        assert run.trial is not None
        counts, _ = np.histogram(run.trial.returns, edges)
        label = run.name if len(tried) > 1 else "This policy"
        bars = made.quad(
            top=counts, bottom=0, left=edges[:-1], right=edges[1:], color=colour, alpha=0.6, legend_label=label
        )
        tips = [("return", "@left{0.00} to @right{0.00}"), ("episodes", "@top")]
        made.add_tools(_hover([bars], tips, visible=run is tried[0][0]))
        texts.append(
            f"{label}: {len(run.trial.returns)} episodes from {run.trial.returns.min():.2f} to "
            f"{run.trial.returns.max():.2f}, median {np.median(run.trial.returns):.2f}."
        )
        rows += [
            [run.name, f"{left:.2f}", f"{right:.2f}", str(count)]
            for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
            if count
        ]
    if best:
        label = f"best known, {best.mean:.2f} on average"
        made.vspan(x=[best.mean], color=OPTIMUM_COLOUR, line_width=3, legend_label=label)
        texts.append(f"The best known policy has {best.mean:.2f} on average, and a line marks it.")
    made.y_range.start = 0
    _place_legend(made)
    text = " ".join(texts)
    return Chart("Returns of unseen starts", text, made, (["Run", "From", "To", "Episodes"], rows))


def returns_by_start(runs: list[Run]) -> Chart | None:
    """Return the returns by start position beside the best known ones; only a car has one."""
    best, tried = _best_known(runs), _tried(runs)
    if best is None or not tried:
        return None
    made = _figure("Start position", "Return")
    made.line(best.starts, best.returns, color=OPTIMUM_COLOUR, line_width=3, legend_label="best known")
    texts = []
    for run, colour in tried:
        assert run.trial is not None
        positions = run.trial.starts[:, 0]
        label = run.name if len(tried) > 1 else "This policy"
        dots = made.scatter(positions, run.trial.returns, color=colour, size=6, alpha=0.8, legend_label=label)
        made.add_tools(_hover([dots], [("start", "@x{0.000}"), ("return", "@y{0.00}")], visible=run is tried[0][0]))
        regret = best.at(positions) - run.trial.returns
        worst = int(regret.argmax())
        texts.append(
            f"{label}: the furthest from the best known is the start at {positions[worst]:.3f}, "
            f"{regret[worst]:.2f} below it; on average it is {regret.mean():.2f}."
        )
    _place_legend(made)
    return Chart("Return by start position", " ".join(texts), made)


# --- What does it do where? ------------------------------------------------------------------------------------------
def state_names(run: Run) -> tuple[str, str]:
    """Return what the two state dimensions are called."""
    return ("Position", "Velocity") if run.environment in CARS else ("observation[0]", "observation[1]")


def maps(run: Run) -> list[Chart]:
    """Return the policy, and the value function where there is one, as heat maps with a few trajectories on them."""
    if run.trial is None or run.trial.policy_map is None:
        return []
    policy_map = run.trial.policy_map
    names = state_names(run)
    charts = [_action_map(run, policy_map, names)]
    if policy_map.values is not None:
        low, high = float(policy_map.values.min()), float(policy_map.values.max())
        made = _heat_map(
            run,
            policy_map,
            policy_map.values,
            names,
            LinearColorMapper(palette=Viridis256, low=low, high=high),
            "value",
        )
        top = np.unravel_index(policy_map.values.argmax(), policy_map.values.shape)
        charts.append(
            Chart(
                "Value of a state",
                f"From {low:.2f} to {high:.2f}, highest at {names[0].lower()} {policy_map.axes[0][top[0]]:.2f} and "
                f"{names[1].lower()} {policy_map.axes[1][top[1]]:.3f}. The lines are {len(run.trial.paths)} episodes.",
                made,
            )
        )
    return charts


def _action_map(run: Run, policy_map: PolicyMap, names: tuple[str, str]) -> Chart:
    actions = policy_map.actions
    if np.issubdtype(actions.dtype, np.integer):
        count = int(actions.max()) + 1 if run.environment != "PatientMountainCar" else 3
        palette = (
            ("#2f7fc1", "#b9bec4", "#c4581a") if count == 3 else tuple(COLOURS[index % 8] for index in range(count))
        )
        mapper = LinearColorMapper(palette=palette, low=-0.5, high=count - 0.5)
        called = (
            ["push left", "coast", "push right"]
            if run.environment == "PatientMountainCar"
            else [f"action {n}" for n in range(count)]
        )
        shares = ", ".join(f"{name} in {np.mean(actions == n):.0%}" for n, name in enumerate(called))
        text, label = f"Of all states: {shares}.", "action"
        ticks: dict[str, Any] = {
            "ticker": FixedTicker(ticks=list(range(count))),
            "major_label_overrides": dict(enumerate(called)),
        }
    else:
        most = float(np.abs(actions).max()) or 1.0
        mapper = LinearColorMapper(palette=interp_palette(BELOW_AND_ABOVE_0, 255), low=-most, high=most)
        text = (
            f"From {actions.min():.2f} to {actions.max():.2f}; below 0 in {np.mean(actions < 0):.0%} of all states, "
            "which are blue."
        )
        label, ticks = "action", {"ticker": BasicTicker()}
    made = _heat_map(run, policy_map, actions.astype(np.float32), names, mapper, label, ticks)
    return Chart(
        "What the policy does",
        f"{text} The lines are {len(run.trial.paths) if run.trial else 0} episodes.",
        made,
    )


def _heat_map(
    run: Run,
    policy_map: PolicyMap,
    values: np.ndarray,
    names: tuple[str, str],
    mapper: LinearColorMapper,
    label: str,
    ticks: dict[str, Any] | None = None,
) -> Any:
    (x, y) = policy_map.axes
    made = _figure(
        names[0],
        names[1],
        height=340,
        x_range=Range1d(start=float(x[0]), end=float(x[-1])),
        y_range=Range1d(start=float(y[0]), end=float(y[-1])),
    )
    picture = made.image(
        [np.ascontiguousarray(values.T, dtype=np.float32)],
        x=float(x[0]),
        y=float(y[0]),
        dw=float(x[-1] - x[0]),
        dh=float(y[-1] - y[0]),
        color_mapper=mapper,
    )
    made.add_tools(_hover([picture], [(names[0], "$x{0.000}"), (names[1], "$y{0.0000}"), (label, "@image{0.000}")]))
    assert run.trial is not None
    for path in run.trial.paths:
        if len(path):
            every = max(1, len(path) // POINTS_ON_A_MAP)
            points = ColumnDataSource({"x": path[::every, 1], "y": path[::every, 2]})
            made.line("x", "y", source=points, color="black", line_width=2.5, alpha=0.55)
            made.line("x", "y", source=points, color="white", line_width=1, alpha=0.9)
    made.add_layout(ColorBar(color_mapper=mapper, background_fill_alpha=0, width=10, **(ticks or {})), "right")
    return made


# --- An episode ------------------------------------------------------------------------------------------------------
def traces(run: Run) -> list[Chart]:
    """Return force, velocity and the rest of the filmed episode, step by step."""
    if run.trace is None:
        return []
    header, points = run.trace
    charts = []
    for name in _most_telling(run, header):
        column = points[:, header.index(name)]
        title = _called(run, name)
        made = _figure("Environment step", title.partition(" (")[0], height=200)
        colour = COLOURS[1] if name.startswith("action") else COLOURS[0]
        draw = made.step if name.startswith("action") and run.environment == "PatientMountainCar" else made.line
        line = draw(points[:, 0], column, color=colour, line_width=1.5)
        made.add_tools(_hover([line], [("step", "@x{0}"), (title, "@y{0.0000}")]))
        charts.append(Chart(title, f"From {column.min():.4g} to {column.max():.4g}.", made))
    return charts


def _most_telling(run: Run, header: list[str]) -> list[str]:
    """Return which columns to draw: actions first, then observations, a car's velocity first, six at most."""
    observations = [name for name in header if name.startswith("observation")]
    if run.environment in CARS:
        observations = observations[::-1]
    return [name for name in header if name.startswith("action")][:3] + observations[:3]


def _called(run: Run, name: str) -> str:
    if run.environment not in CARS:
        return name
    action = "Force" if run.environment == "PatientContinuousMountainCar" else "Action (0 left, 1 none, 2 right)"
    return {"action[0]": action, "observation[0]": "Position", "observation[1]": "Velocity"}.get(name, name)
