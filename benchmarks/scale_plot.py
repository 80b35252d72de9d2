"""Draws the scale: steps per second over the number of workers, as measured, as the model has it, and the ideal."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import scale_model
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator
from scale_points import COPIES, MILLISECONDS, NUMBERS, Point
from scale_report import rates
from training_job import BENCHMARKS

PLOT = BENCHMARKS / "scale.png"
# Okabe and Ito's colours, which the colour-blind can tell apart.
COLOURS = dict(zip(MILLISECONDS, ("#999999", "#D55E00", "#009E73", "#0072B2"), strict=True))
JOB_COLOURS = {"ranks": "#0072B2", "containers": "#D55E00"}


def draw(results: dict[str, Any]) -> Path:
    """Draw ``scale.png`` and return its path."""
    panels_of = [("processes", "sleeping"), ("ranks", "sleeping"), ("both", "burning"), ("jobs", "sleeping")]
    figure, panels = plt.subplots(2, 2, figsize=(12, 10), dpi=110, layout="constrained")
    for panel, (workers, kind) in zip(panels.flat, panels_of, strict=True):
        if workers == "jobs":
            _draw_jobs(panel, results)
        elif workers == "both":
            _draw_burning(panel, results)
        else:
            for milliseconds, colour in COLOURS.items():
                row = rates(results, workers, kind, milliseconds, COPIES)
                _draw_row(panel, results, row, colour, f"{milliseconds:g} ms")
            _format(panel, workers, f"{COPIES} copies in {workers}, sleeping steps")
    figure.suptitle("Steps per second by workers. Points: measured. Lines: the cost model. Dotted: the ideal")
    figure.savefig(PLOT)
    plt.close(figure)
    return PLOT


def _draw_row(
    panel: Axes, results: dict[str, Any], row: dict[int, Point], colour: str, label: str, marker: str = "o"
) -> None:
    if not row:
        return
    numbers = sorted(row)
    rate = [row[number]["steps_per_second"] for number in numbers]
    panel.plot(numbers, rate, marker, color=colour, ms=6, label=label)
    if parameters := results.get("parameters"):
        compared = scale_model.compare([row[number] for number in numbers], parameters, results["machine"]["cores"])
        predicted = [
            each * scale_model.measured_seconds(point) / seconds
            for each, (point, seconds, _) in zip(rate, compared, strict=True)
        ]
        panel.plot(numbers, predicted, "-", color=colour, lw=1.4)
    panel.plot(numbers, [rate[0] * number / numbers[0] for number in numbers], ":", color=colour, lw=1.1)


def _draw_burning(panel: Axes, results: dict[str, Any]) -> None:
    for workers, marker in (("processes", "o"), ("ranks", "s")):
        for milliseconds, colour in COLOURS.items():
            row = rates(results, workers, "burning", milliseconds, COPIES)
            row = {number: point for number, point in row.items() if number <= results["machine"]["cores"]}
            _draw_row(panel, results, row, colour, f"{milliseconds:g} ms, {workers}", marker)
    _format(panel, "processes or ranks", f"{COPIES} copies, burning steps", NUMBERS[:2])


def _draw_jobs(panel: Axes, results: dict[str, Any]) -> None:
    for workers, colour in JOB_COLOURS.items():
        jobs = [point for point in results["points"] if (point["workers"], point["kind"]) == (workers, "job")]
        row = {point["number"]: point for point in jobs}
        _draw_row(panel, results, row, colour, workers, "o" if workers == "ranks" else "s")
    _format(panel, "ranks of one host, or containers", "whole jobs, 5 ms sleeping")


def _format(panel: Axes, workers: str, title: str, numbers: tuple[int, ...] = NUMBERS) -> None:
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.xaxis.set_major_locator(FixedLocator(numbers))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    low, high = panel.get_ylim()
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    panel.set_xlabel(workers)
    panel.set_ylabel("environment steps/s (logarithmic)")
    panel.set_title(title)
    panel.grid(alpha=0.25)
    if panel.get_legend_handles_labels()[0]:
        panel.legend(
            fontsize=8, frameon=False, ncols=4, columnspacing=1, loc="upper center", bbox_to_anchor=(0.5, -0.13)
        )
