"""How good is it? The returns of the finished policy from unseen starts, beside the best known ones."""

from typing import Any, NamedTuple

import numpy as np

from sagemaker_rl.report.charts.figures import (
    add_tooltip,
    chart_key,
    join_texts,
    legend_option,
    new_figure,
    place_legend,
    run_line,
)
from sagemaker_rl.report.formatting import format_number
from sagemaker_rl.report.optimum import Optimum, find_optimum
from sagemaker_rl.report.parts import Chart, Table
from sagemaker_rl.report.styles import OPTIMUM_COLOUR, StyledRun
from sagemaker_rl.report.trial import Trial

BINS = 40


class TriedRun(NamedTuple):
    """A run whose finished policy was tried, and the outcome."""

    styled: StyledRun
    trial: Trial


def _tried_runs(styled_runs: list[StyledRun]) -> list[TriedRun]:
    """Return those runs whose returns are all finite numbers."""
    return [
        TriedRun(styled, trial)
        for styled in styled_runs
        if (trial := styled.run.trial) and np.isfinite(trial.returns).all()
    ]


def _find_common_optimum(tried_runs: list[TriedRun]) -> Optimum | None:
    """Return the optimum of the runs' environment; None if none is known, or they have several environments."""
    environments = {styled.run.environment for styled, _ in tried_runs}
    return find_optimum(environments.pop()) if len(environments) == 1 else None


def draw_return_distribution(styled_runs: list[StyledRun]) -> list[Chart]:
    """Draw how often each return was reached, and mark the best known mean return from the same starts."""
    tried_runs = _tried_runs(styled_runs)
    if not tried_runs:
        return []
    several = len(styled_runs) > 1
    optimum = _find_common_optimum(tried_runs)
    best = None
    if optimum:
        best = float(optimum.returns_from(np.concatenate([trial.starts[:, 0] for _, trial in tried_runs])).mean())
    edges = _bin_edges(tried_runs, best)
    figure = new_figure("Return of an episode", "Episodes")
    texts: list[str] = []
    rows: list[list[str]] = []
    for styled, trial in tried_runs:
        counts, _ = np.histogram(trial.returns, edges)
        bars = _draw_histogram(figure, styled, counts, edges, several)
        lines = [*run_line(styled), ("return", "@left{0.00} to @right{0.00}"), ("episodes", "@top")]
        add_tooltip(figure, bars, lines, visible=styled is tried_runs[0].styled)
        texts.append(_describe_returns(styled, trial.returns, several))
        rows += [
            [styled.label or styled.run.name, f"{left:.2f}", f"{right:.2f}", str(count)]
            for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
            if count
        ]
    text = f"The lowest, the median, the highest return: {join_texts(texts)}" if several else " ".join(texts)
    if best is not None:
        legend = legend_option(f"best known, {best:.2f}", not several)
        figure.vspan(x=[best], color=OPTIMUM_COLOUR, line_width=3, **legend)
        mark = "a thick green line" if several else "a line"
        text += f" The best known policy has {best:.2f} on average from these starts, and {mark} marks it."
    figure.y_range.start = 0
    place_legend(figure)
    key = chart_key(styled_runs, [styled for styled, _ in tried_runs])
    return [Chart("Returns of unseen starts", text, figure, Table(["Run", "From", "To", "Episodes"], rows), key)]


def _bin_edges(tried_runs: list[TriedRun], best: float | None) -> np.ndarray:
    """Return the edges of the bins, ``(BINS + 1,)``: they cover all returns and the best known one, with a margin."""
    returns = np.concatenate([trial.returns for _, trial in tried_runs])
    low, high = float(returns.min()), float(returns.max())
    if best is not None:
        low, high = min(low, best), max(high, best)
    margin = 0.05 * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, BINS + 1)


def _draw_histogram(figure: Any, styled: StyledRun, counts: np.ndarray, edges: np.ndarray, several: bool) -> Any:
    """Draw bars; of several runs outlines, as bars would hide each other. Return what a tooltip belongs to."""
    sides = {"top": counts, "bottom": 0, "left": edges[:-1], "right": edges[1:], "color": styled.colour}
    if not several:
        return figure.quad(**sides, alpha=0.6, legend_label="this policy")
    invisible_bars = figure.quad(**sides, fill_alpha=0, line_alpha=0)
    x, y = np.repeat(edges, 2), np.concatenate([[0], np.repeat(counts, 2), [0]])
    figure.line(x, y, color=styled.colour, line_width=2, line_dash=styled.dash)
    return invisible_bars


def _describe_returns(styled: StyledRun, returns: np.ndarray, several: bool) -> str:
    lowest, median, highest = (format_number(value) for value in (returns.min(), np.median(returns), returns.max()))
    if several:
        return f"{styled.label.lower()}: {lowest}, {median}, {highest}"
    return f"This policy: {len(returns)} episodes from {lowest} to {highest}, median {median}."


def draw_returns_by_start(styled_runs: list[StyledRun]) -> list[Chart]:
    """Draw the returns by start position beside the best known ones, which are known of a car alone."""
    tried_runs = _tried_runs(styled_runs)
    optimum = _find_common_optimum(tried_runs)
    if optimum is None:
        return []
    several = len(styled_runs) > 1
    figure = new_figure("Start position", "Return")
    legend = legend_option("best known", not several)
    figure.line(optimum.starts, optimum.returns, color=OPTIMUM_COLOUR, line_width=3, **legend)
    texts = []
    for styled, trial in tried_runs:
        positions = trial.starts[:, 0]
        legend = legend_option("this policy", not several)
        dots = figure.scatter(positions, trial.returns, color=styled.colour, size=6, alpha=0.8, **legend)
        lines = [*run_line(styled), ("start", "@x{0.000}"), ("return", "@y{0.00}")]
        add_tooltip(figure, dots, lines, visible=styled is tried_runs[0].styled)
        texts.append(_describe_regret(styled, positions, optimum.returns_from(positions) - trial.returns, several))
    place_legend(figure)
    text = " ".join(texts)
    if several:
        text = f"The thick green line is the best known. Below it on average, and at most: {join_texts(texts)}"
    key = chart_key(styled_runs, [styled for styled, _ in tried_runs])
    return [Chart("Return by start position", text, figure, key=key)]


def _describe_regret(styled: StyledRun, positions: np.ndarray, regrets: np.ndarray, several: bool) -> str:
    worst = int(regrets.argmax())
    largest, mean = format_number(regrets[worst]), format_number(styled.run.regret or 0.0)
    if several:
        return f"{styled.label.lower()}: {mean}, {largest}"
    return (
        f"This policy: the furthest from the best known is the start at {positions[worst]:.3f}, "
        f"{largest} below it; on average it is {mean}."
    )
