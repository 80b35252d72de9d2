"""Did it learn? Rewards, and the losses and other signals of the training."""

from typing import Any, NamedTuple

import numpy as np

from sagemaker_rl.report.charts.figures import (
    FEW_RUNS,
    add_tooltip,
    chart_key,
    join_texts,
    legend_option,
    narrow_axis_of_constant,
    new_figure,
    place_legend,
    run_line,
    thin,
)
from sagemaker_rl.report.coach_csv import EVALUATION_REWARD, SIGNALS, TRAINING_REWARD
from sagemaker_rl.report.formatting import format_number
from sagemaker_rl.report.parts import Chart, Table
from sagemaker_rl.report.run import Series
from sagemaker_rl.report.styles import COLOURS, StyledRun

ROWS_IN_TABLE = 50
"""The table beside the rewards has so many of each run's last evaluations."""


class XAxis(NamedTuple):
    """What rewards are drawn over: ``field`` is the field of ``Series``."""

    title: str
    label: str
    field: str

    def place(self, series: Series) -> tuple[np.ndarray, Series]:
        """Return the x of each point, and the points that have one: stock Coach's evaluations may have no time."""
        known = np.isfinite(getattr(series, self.field))
        placed = Series(*(column[known] for column in series))
        return getattr(placed, self.field), placed


OVER_EPISODES = XAxis("Reward over episodes", "Episode", "episodes")
OVER_TIME = XAxis("Reward over wall time", "Seconds of training", "seconds")


def draw_rewards_by_episode(styled_runs: list[StyledRun]) -> list[Chart]:
    """Draw training and evaluation rewards over episodes; of many runs, only the evaluations."""
    return _draw_rewards(_trainings(styled_runs), OVER_EPISODES)


def draw_rewards_by_time(styled_runs: list[StyledRun]) -> list[Chart]:
    """Draw the same over wall time."""
    return _draw_rewards(_trainings(styled_runs), OVER_TIME)


def _trainings(styled_runs: list[StyledRun]) -> list[StyledRun]:
    return [styled for styled in styled_runs if not styled.run.is_evaluation]


def _draw_rewards(styled_runs: list[StyledRun], axis: XAxis) -> list[Chart]:
    figure = new_figure(axis.label, "Reward of an episode")
    several, few = len(styled_runs) > 1, len(styled_runs) <= FEW_RUNS
    curves: list[np.ndarray] = []
    drawn: list[StyledRun] = []
    texts: list[str] = []
    rows: list[list[str]] = []
    for styled in styled_runs if few else []:
        x, series = axis.place(styled.run.series(TRAINING_REWARD))
        if len(x):
            x, y = thin(x, series.values, len(styled_runs))
            legend = legend_option("training", not several)
            line = figure.line(x, y, color=styled.colour, line_dash=styled.dash, **legend)
            add_tooltip(figure, line, _reward_lines(styled, axis, "training reward"), visible=False)
            curves.append(y)
            drawn.append(styled)
    for styled in styled_runs:
        x, series = axis.place(styled.run.series(EVALUATION_REWARD))
        if len(x):
            x, y = thin(x, series.values, len(styled_runs))
            dots = _draw_evaluations(figure, x, y, styled, several)
            add_tooltip(figure, dots, _reward_lines(styled, axis, "evaluation reward"), visible=not rows)
            curves.append(y)
            drawn.append(styled)
            texts.append(_describe_evaluations(styled, series, several))
            rows += _evaluation_rows(styled, series)
    if not curves:
        return []
    narrow_axis_of_constant(figure, curves)
    place_legend(figure)
    table = Table(["Run", "Episode", "Seconds", "Evaluation reward"], rows)
    text = _describe_rewards(texts, several, few)
    return [Chart(axis.title, text, figure, table, chart_key(styled_runs, drawn))]


def _reward_lines(styled: StyledRun, axis: XAxis, name: str) -> list[tuple[str, str]]:
    return [*run_line(styled), (axis.label, "@x{0.[0]}"), (name, "@y{0.00}")]


def _draw_evaluations(figure: Any, x: np.ndarray, y: np.ndarray, styled: StyledRun, several: bool) -> Any:
    """Draw a thick line with dots; return the dots. With one run its colour differs from that of the training."""
    colour = styled.colour if several else COLOURS[1]
    legend = legend_option("evaluation", not several)
    figure.line(x, y, color=colour, line_width=2.5, line_dash=styled.dash, **legend)
    return figure.scatter(x, y, color=colour, size=8, **legend)


def _describe_evaluations(styled: StyledRun, series: Series, several: bool) -> str:
    first, best, last = (format_number(value) for value in (series.values[0], series.values.max(), series.values[-1]))
    if several:
        return f"{styled.label.lower()}: {first}, {best}, {last}"
    return f"The evaluation reward begins at {first}, is {best} at its best and {last} at the end."


def _evaluation_rows(styled: StyledRun, series: Series) -> list[list[str]]:
    return [
        [styled.label or styled.run.name, f"{episode:.0f}", f"{seconds:.1f}", format_number(value)]
        for episode, seconds, value in list(zip(*series, strict=True))[-ROWS_IN_TABLE:]
    ]


def _describe_rewards(texts: list[str], several: bool, few: bool) -> str:
    """Return the chart's text from what is said of each run's evaluations."""
    if not several:
        return " ".join(texts) or "The training reward; there is no evaluation."
    curves = "Thin: training; thick, with dots: evaluation." if few else "Evaluations only, as the runs are many."
    if not texts:
        return curves
    return f"{curves} The evaluation reward at first, at its best, at the end: {join_texts(texts)}"


def draw_signals(styled_runs: list[StyledRun]) -> list[Chart]:
    """Draw a small chart for each loss or signal that the algorithm of a run has."""
    trainings = _trainings(styled_runs)
    return [chart for column, title in SIGNALS.items() for chart in _draw_signal(trainings, column, title)]


def _draw_signal(styled_runs: list[StyledRun], column: str, title: str) -> list[Chart]:
    figure = new_figure("Episode", title, height=200)
    several = len(styled_runs) > 1
    curves: list[np.ndarray] = []
    drawn: list[StyledRun] = []
    texts: list[str] = []
    for styled in styled_runs:
        series = styled.run.series(column)
        if not np.any(series.values):  # Coach's KL divergence is 0 where it is not regularized
            continue
        x, y = thin(series.episodes, series.values, len(styled_runs))
        hovered = figure.line(x, y, color=styled.colour, line_width=2, line_dash=styled.dash)
        if len(styled_runs) <= FEW_RUNS:
            hovered = figure.scatter(x, y, color=styled.colour, size=4)
        lines = [*run_line(styled), ("episode", "@x{0}"), (title, "@y{0.0000}")]
        add_tooltip(figure, hovered, lines, visible=not drawn)
        first, last = (format_number(value, ".4g") for value in (series.values[0], series.values[-1]))
        texts.append(f"{styled.label.lower()}: {first}, {last}" if several else f"From {first} to {last}")
        curves.append(y)
        drawn.append(styled)
    if not curves:
        return []
    narrow_axis_of_constant(figure, curves)
    text = f"At first and at the end: {join_texts(texts)}" if several else join_texts(texts)
    return [Chart(title, text, figure, key=chart_key(styled_runs, drawn))]
