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
from sagemaker_rl.report.looks import COLOURS, Look
from sagemaker_rl.report.run import (
    CARS,
    EVALUATION_REWARD,
    LOSSES,
    TRAINING_REWARD,
    Run,
    as_read,
)
from sagemaker_rl.report.trial import PolicyMap

OPTIMUM_COLOUR = "#2c8a57"
MAX_POINTS = 8_000
"""Of the curves in a chart, together."""
FEW_RUNS = 4
"""Of more, only evaluations are drawn of the rewards, and the curves of losses have no dots: each costs kilobytes."""
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
    key: tuple[Look, ...] = ()
    """The runs that it shows, to be told apart beside it; empty on a page about one run."""


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


def _place_legend(made: Any, columns: int = 2) -> None:
    if made.legend:
        made.add_layout(made.legend[0], "above")
        made.legend[0].orientation = "horizontal"
        made.legend[0].click_policy = "hide"
        made.legend[0].background_fill_alpha = 0
        made.legend[0].border_line_alpha = 0
        made.legend[0].ncols = columns


def _legend(label: str, shown: bool) -> dict[str, str]:
    return {"legend_label": label} if shown else {}


def _span_of_a_constant(made: Any, drawn: list[np.ndarray]) -> None:
    """Let the axis of a curve that is always the same stay near it."""
    values = np.concatenate(drawn)
    if np.ptp(values) == 0:
        made.y_range.default_span = 0.2 * abs(float(values[0])) or 0.2


def _key(looks: list[Look], shown: list[Look]) -> tuple[Look, ...]:
    return tuple(look for look in looks if look in shown) if len(looks) > 1 else ()


def _sentence(runs: list[str]) -> str:
    return f"{'; '.join(runs)}."


# --- Did it learn? ---------------------------------------------------------------------------------------------------
def rewards(looks: list[Look], over_time: bool) -> Chart | None:
    """Return training and evaluation reward over episodes, or over wall time; of many runs, only the evaluations."""
    x_of = 1 if over_time else 0
    x_label = "Seconds of training" if over_time else "Episode"
    made = _figure(x_label, "Reward of an episode")
    several, everything = len(looks) > 1, len(looks) <= FEW_RUNS
    texts: list[str] = []
    rows: list[list[str]] = []
    drawn, shown = [], []
    for look in looks if everything else []:
        training = _placed(look.run.series(TRAINING_REWARD), x_of)
        if len(training[2]):
            x, y = thin(training[x_of], training[2], len(looks))
            drawn.append(y)
            shown.append(look)
            line = made.line(x, y, color=look.colour, line_dash=look.dash, **_legend("training", not several))
            tips = [*_tip(look), (x_label, "@x{0.[0]}"), ("training reward", "@y{0.00}")]
            made.add_tools(_hover([line], tips, visible=False))
    for look in looks:
        evaluation = _placed(look.run.series(EVALUATION_REWARD), x_of)
        if len(evaluation[2]):
            colour = look.colour if several else COLOURS[1]
            x, y = thin(evaluation[x_of], evaluation[2], len(looks))
            drawn.append(y)
            shown.append(look)
            legend = _legend("evaluation", not several)
            made.line(x, y, color=colour, line_width=2.5, line_dash=look.dash, **legend)
            dots = made.scatter(x, y, color=colour, size=8, **legend)
            tips = [*_tip(look), (x_label, "@x{0.[0]}"), ("evaluation reward", "@y{0.00}")]
            made.add_tools(_hover([dots], tips, visible=not rows))
            first, best, last = (as_read(value) for value in (evaluation[2][0], evaluation[2].max(), evaluation[2][-1]))
            texts.append(
                f"{look.label.lower()}: {first}, {best}, {last}"
                if several
                else f"The evaluation reward begins at {first}, is {best} at its best and {last} at the end."
            )
            rows += [
                [look.label or look.run.name, f"{episode:.0f}", f"{seconds:.1f}", as_read(value)]
                for episode, seconds, value in list(zip(*evaluation, strict=True))[-50:]
            ]
    if not drawn:
        return None
    _span_of_a_constant(made, drawn)
    _place_legend(made)
    text = " ".join(texts) or "The training reward; there is no evaluation."
    if several:
        what = (
            "Thin: training; thick, with dots: evaluation." if everything else "Evaluations only, as the runs are many."
        )
        text = f"{what} The evaluation reward at first, at its best, at the end: {_sentence(texts)}" if texts else what
    title = "Reward over wall time" if over_time else "Reward over episodes"
    return Chart(title, text, made, (["Run", "Episode", "Seconds", "Evaluation reward"], rows), _key(looks, shown))


def _placed(series: tuple[np.ndarray, ...], x_of: int) -> tuple[np.ndarray, ...]:
    """Return the rows of a series that have a place on the axis: stock Coach's evaluations may have no time."""
    known = np.isfinite(series[x_of])
    return tuple(column[known] for column in series)


def _tip(look: Look) -> list[tuple[str, str]]:
    return [("run", f"{look.label.removeprefix('Run ')}, {look.run.name}")] if look.label else []


def _hover(renderers: list[Any], tips: list[tuple[str, str]], visible: bool = True) -> HoverTool:
    return HoverTool(renderers=renderers, tooltips=tips, visible=visible)


def losses(looks: list[Look]) -> list[Chart]:
    """Return a small chart for each loss or signal that the algorithm of a run has."""
    charts = []
    several = len(looks) > 1
    for column, title in LOSSES.items():
        made = _figure("Episode", title, height=200)
        ends: list[str] = []
        drawn, shown = [], []
        for look in looks:
            episodes, _, values = look.run.series(column)
            if not len(values) or not np.any(values):  # Coach's KL divergence is 0 where it is not regularized
                continue
            x, y = thin(episodes, values, len(looks))
            drawn.append(y)
            shown.append(look)
            hovered = [made.line(x, y, color=look.colour, line_width=2, line_dash=look.dash)]
            if len(looks) <= FEW_RUNS:
                hovered = [made.scatter(x, y, color=look.colour, size=4)]
            made.add_tools(_hover(hovered, [*_tip(look), ("episode", "@x{0}"), (title, "@y{0.0000}")], not ends))
            first, last = (as_read(value, ".4g") for value in (values[0], values[-1]))
            ends.append(f"{look.label.lower()}: {first}, {last}" if several else f"From {first} to {last}")
        if ends:
            _span_of_a_constant(made, drawn)
            said = f"At first and at the end: {_sentence(ends)}" if several else _sentence(ends)
            charts.append(Chart(title, said, made, key=_key(looks, shown)))
    return charts


# --- How good is it? -------------------------------------------------------------------------------------------------
def _tried(looks: list[Look]) -> list[Look]:
    """Return those whose run has returns to draw."""
    return [look for look in looks if look.run.trial and np.isfinite(look.run.trial.returns).all()]


def _common_optimum(looks: list[Look]) -> optimum.Optimum | None:
    """Return the optimum that all runs can be held to."""
    environments = {look.run.environment for look in looks}
    return optimum.of(environments.pop()) if len(environments) == 1 else None


def returns(looks: list[Look]) -> Chart | None:
    """Return the distribution of the returns of the unseen starts, with the best known mean from them drawn in."""
    tried = _tried(looks)
    if not tried:
        return None
    several = len(looks) > 1
    known = _common_optimum(tried)
    starts = np.concatenate([look.run.trial.starts[:, 0] for look in tried if look.run.trial]) if known else np.empty(0)
    best = float(known.at(starts).mean()) if known else None
    everything = np.concatenate([look.run.trial.returns for look in tried if look.run.trial])
    low, high = float(everything.min()), float(everything.max())
    if best is not None:
        low, high = min(low, best), max(high, best)
    margin = 0.05 * (high - low) or 1.0
    edges = np.linspace(low - margin, high + margin, 41)
    made = _figure("Return of an episode", "Episodes")
    texts, rows = [], []
    for look in tried:
        assert look.run.trial is not None
        found = look.run.trial.returns
        counts, _ = np.histogram(found, edges)
        tips = [*_tip(look), ("return", "@left{0.00} to @right{0.00}"), ("episodes", "@top")]
        sides = {"top": counts, "bottom": 0, "left": edges[:-1], "right": edges[1:], "color": look.colour}
        if several:  # outlines, as bars would hide each other
            bars = made.quad(**sides, fill_alpha=0, line_alpha=0)
            x, y = np.repeat(edges, 2), np.concatenate([[0], np.repeat(counts, 2), [0]])
            made.line(x, y, color=look.colour, line_width=2, line_dash=look.dash)
        else:
            bars = made.quad(**sides, alpha=0.6, legend_label="this policy")
        made.add_tools(_hover([bars], tips, visible=look is tried[0]))
        least, middle, most = (as_read(value) for value in (found.min(), np.median(found), found.max()))
        texts.append(
            f"{look.label.lower()}: {least}, {middle}, {most}"
            if several
            else f"This policy: {len(found)} episodes from {least} to {most}, median {middle}."
        )
        rows += [
            [look.label or look.run.name, f"{left:.2f}", f"{right:.2f}", str(count)]
            for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
            if count
        ]
    text = f"The lowest, the median, the highest return: {_sentence(texts)}" if several else " ".join(texts)
    if best is not None:
        made.vspan(x=[best], color=OPTIMUM_COLOUR, line_width=3, **_legend(f"best known, {best:.2f}", not several))
        line = "a thick green line" if several else "a line"
        text += f" The best known policy has {best:.2f} on average from these starts, and {line} marks it."
    made.y_range.start = 0
    _place_legend(made)
    return Chart("Returns of unseen starts", text, made, (["Run", "From", "To", "Episodes"], rows), _key(looks, tried))


def returns_by_start(looks: list[Look]) -> Chart | None:
    """Return the returns by start position beside the best known ones; only a car has one."""
    tried = _tried(looks)
    best = _common_optimum(tried)
    if best is None or not tried:
        return None
    several = len(looks) > 1
    made = _figure("Start position", "Return")
    made.line(best.starts, best.returns, color=OPTIMUM_COLOUR, line_width=3, **_legend("best known", not several))
    texts = []
    for look in tried:
        assert look.run.trial is not None
        positions = look.run.trial.starts[:, 0]
        dots = made.scatter(
            positions,
            look.run.trial.returns,
            color=look.colour,
            size=6,
            alpha=0.8,
            **_legend("this policy", not several),
        )
        tips = [*_tip(look), ("start", "@x{0.000}"), ("return", "@y{0.00}")]
        made.add_tools(_hover([dots], tips, visible=look is tried[0]))
        below = best.at(positions) - look.run.trial.returns
        worst = int(below.argmax())
        furthest, on_average = as_read(below[worst]), as_read(look.run.regret or 0.0)
        texts.append(
            f"{look.label.lower()}: {on_average}, {furthest}"
            if several
            else f"This policy: the furthest from the best known is the start at {positions[worst]:.3f}, "
            f"{furthest} below it; on average it is {on_average}."
        )
    _place_legend(made)
    text = " ".join(texts)
    if several:
        text = f"The thick green line is the best known. Below it on average, and at most: {_sentence(texts)}"
    return Chart("Return by start position", text, made, key=_key(looks, tried))


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
    charts = []
    for title, values, chart in (
        ("What the policy does", policy_map.actions, _action_map),
        ("Value of a state", policy_map.values, _value_map),
    ):
        if values is not None and np.isfinite(values).any():
            charts.append(chart(run, policy_map, names))
        elif values is not None:
            run.notes.append(f"{title}: no state has a number, so there is no map.")
    return charts


def _value_map(run: Run, policy_map: PolicyMap, names: tuple[str, str]) -> Chart:
    values = policy_map.values
    assert values is not None and run.trial is not None
    values = np.where(np.isfinite(values), values, np.nan)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    mapper = LinearColorMapper(palette=Viridis256, low=low, high=high)
    made = _heat_map(run, policy_map, values, names, mapper, "value")
    top = np.unravel_index(np.nanargmax(values), values.shape)
    return Chart(
        "Value of a state",
        f"From {as_read(low)} to {as_read(high)}, highest at {names[0].lower()} {policy_map.axes[0][top[0]]:.2f} and "
        f"{names[1].lower()} {policy_map.axes[1][top[1]]:.3f}.{_no_numbers(values)} {_values_are_of(run)}"
        f"The lines are {len(run.trial.paths)} episodes.",
        made,
    )


def _values_are_of(run: Run) -> str:
    """Say why values are no returns, as far as it is known."""
    scale, discount = run.job.get("reward_scale"), run.setting("discount")
    if not isinstance(scale, int | float) or not isinstance(discount, int | float):
        return "It is of rewards as the algorithm takes them, perhaps scaled and discounted. "
    changes = [f"times {scale:g}"] * (scale != 1) + [f"discounted by {discount:g} a step"] * (discount != 1)
    return f"It is of rewards {' and '.join(changes)}, so no return of an episode. " if changes else ""


def _no_numbers(values: np.ndarray) -> str:
    share = float(np.mean(~np.isfinite(values)))
    return f" In {share:.1%} of all states it is no number." if share else ""


def _action_map(run: Run, policy_map: PolicyMap, names: tuple[str, str]) -> Chart:
    actions = policy_map.actions
    if np.issubdtype(actions.dtype, np.integer):
        count = int(actions.max()) + 1 if run.environment != "PatientMountainCar" else 3
        palette = (
            ("#2f7fc1", "#b9bec4", "#c4581a")
            if count == 3
            else tuple(COLOURS[index % len(COLOURS)] for index in range(count))
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
        actions = np.where(np.isfinite(actions), actions, np.nan)
        most = float(np.nanmax(np.abs(actions))) or 1.0
        mapper = LinearColorMapper(palette=interp_palette(BELOW_AND_ABOVE_0, 255), low=-most, high=most)
        low, high = (as_read(value, ".3g") for value in (np.nanmin(actions), np.nanmax(actions)))
        text = (
            f"From {low} to {high}; below 0 in {np.mean(actions < 0):.0%} of all states, which are blue."
            f"{_no_numbers(actions)}"
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
        finite = column[np.isfinite(column)]
        if not len(finite):
            continue
        _span_of_a_constant(made, [finite])
        low, high = (as_read(value, ".4g") for value in (finite.min(), finite.max()))
        charts.append(Chart(title, f"From {low} to {high}.", made))
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
