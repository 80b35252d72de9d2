"""Draws the recorded runs. As a script: draws ``results.json``, or the file that is named, anew."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from systems import SYSTEMS, THRESHOLDS
from training_job import BENCHMARKS, CONTAINER_SRC
from training_report import runs_of

# Okabe and Ito's colours, which the colour-blind can tell apart.
COLOURS = {
    "ours-continuous": "#0072B2",
    "ours-notebook": "#56B4E9",
    "stock-coach": "#D55E00",
    "sb3-ppo": "#E69F00",
    "sb3-sac": "#009E73",
    "ours-discrete": "#0072B2",
    "sb3-dqn": "#CC79A7",
    "jax-ppo": "#F0E442",
}
OPTIMA = json.loads((CONTAINER_SRC / "sagemaker_rl/report/optimum.json").read_text(encoding="utf-8"))["environments"]
LIMITS = {
    "continuous": OPTIMA["PatientContinuousMountainCar"]["mean"],
    "discrete": OPTIMA["PatientMountainCar"]["mean"],
}
"""The best mean return that is known, found by dynamic programming."""
CEILINGS = {"continuous": 100.0, "discrete": -90.0}
"""Returns are drawn by the logarithm of their distance from here: what is close to the limit stays readable."""
TICKS = {"continuous": (-900, -100, 0, 50, 80, 90, 95, 98, 99, 99.5), "discrete": (-10_000, -1_000, -200, -110, -100)}
RANGES = {"continuous": (-1_100.0, 99.85), "discrete": (-11_000.0, -97.0)}


def draw(results: dict[str, Any], suffix: str = "") -> list[Path]:
    """Draw all plots that there are runs for; return their files."""
    paths = (
        _draw_returns(results, BENCHMARKS / f"returns{suffix}.png"),
        _draw_rollouts(results, BENCHMARKS / f"rollouts{suffix}.png"),
        _draw_costs(results, BENCHMARKS / f"cost-curve{suffix}.png"),
    )
    return [path for path in paths if path]


def _draw_returns(results: dict[str, Any], path: Path) -> Path:
    """Draw return against wall time: a line per seed, a panel per car."""
    figure, panels = plt.subplots(1, 2, figsize=(13, 6), dpi=110, layout="constrained")
    for panel, car in zip(panels, THRESHOLDS, strict=True):
        for system in SYSTEMS.values():
            if system.car == car:
                _draw_system(panel, system.name, system.label, runs_of(results, system.name))
        _format_returns(panel, car)
    figure.suptitle("Mean return of an evaluation against the time since the process was started, a line per seed")
    figure.savefig(path)
    plt.close(figure)
    return path


def _draw_system(panel: Axes, name: str, label: str, runs: list[dict[str, Any]]) -> None:
    for index, run in enumerate(run for run in runs if run["curve"]):
        seconds = [point["seconds"] for point in run["curve"]]
        returns = [point["mean_return"] for point in run["curve"]]
        reduced = f" ({run['reduced']})" if run["reduced"] else ""
        legend = f"{label}{reduced}" if index == 0 else None
        panel.plot(seconds, returns, ".-", color=COLOURS[name], lw=1.3, ms=3, alpha=0.75, label=legend)
        panel.plot(seconds[-1], returns[-1], "o", color=COLOURS[name], ms=5)


def _format_returns(panel: Axes, car: str) -> None:
    ceiling = CEILINGS[car]

    def closeness(returns: np.ndarray) -> np.ndarray:
        return -np.log(np.maximum(ceiling - returns, 1e-6))

    panel.set_xscale("log")
    panel.set_yscale("function", functions=(closeness, lambda scaled: ceiling - np.exp(-scaled)))
    panel.set_ylim(*RANGES[car])
    panel.yaxis.set_major_locator(FixedLocator(TICKS[car]))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.axhline(THRESHOLDS[car], color="0.4", ls="--", lw=0.9)
    panel.axhline(LIMITS[car], color="0.4", ls=":", lw=1.2)
    panel.annotate(
        f"best known, {LIMITS[car]:.2f}",
        (0.01, LIMITS[car]),
        xycoords=("axes fraction", "data"),
        xytext=(0, -3),
        textcoords="offset points",
        va="top",
        fontsize=8,
        color="0.3",
    )
    panel.set_title(f"{car} car")
    panel.set_xlabel("seconds since the process was started (logarithmic)")
    panel.set_ylabel("mean return (logarithmic towards the limit)")
    panel.grid(alpha=0.25)
    if panel.get_legend_handles_labels()[0]:
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, fontsize=9, frameon=False)


def _draw_rollouts(results: dict[str, Any], path: Path) -> Path | None:
    """Draw steps per second against the number of parallel environments."""
    stock = runs_of(results, "rollouts-stock")
    ours = sorted(runs_of(results, "rollouts-ours"), key=lambda run: run["environments"])
    if not stock or not ours:
        return None
    figure, panel = plt.subplots(figsize=(7, 4.5), dpi=110, layout="constrained")
    panel.plot(
        [run["environments"] for run in ours],
        [run["steps_per_second"] for run in ours],
        "o-",
        color=COLOURS["ours-continuous"],
        label="ours",
    )
    panel.axhline(stock[0]["steps_per_second"], color=COLOURS["stock-coach"], ls="--", label="stock Coach")
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    panel.set_xlabel("parallel environments")
    panel.set_ylabel("environment steps/s")
    panel.set_title("Rollouts: acting with the policy network, no learning")
    panel.grid(alpha=0.25)
    panel.legend(frameon=False)
    figure.savefig(path)
    plt.close(figure)
    return path


def _draw_costs(results: dict[str, Any], path: Path) -> Path | None:
    """Draw wall time and peak memory, against steps and against parallel environments."""
    columns = {
        "environment_steps": ("environment steps", runs_of(results, "cost-steps")),
        "environments": ("parallel environments", runs_of(results, "cost-environments")),
    }
    if not all(runs for _, runs in columns.values()):
        return None
    figure, grid = plt.subplots(2, 2, figsize=(11, 7), dpi=110, layout="constrained", sharex="col")
    for column, (key, (title, runs)) in enumerate(columns.items()):
        runs = sorted(runs, key=lambda run: run[key])
        x = [run[key] for run in runs]
        seconds, memory = grid[0][column], grid[1][column]
        seconds.plot(x, [run["wall_seconds"] for run in runs], "o-", color="#0072B2")
        memory.plot(x, [run["peak_memory_kib"] * 1024 / 1e6 for run in runs], "o-", color="#D55E00")
        seconds.set_xscale("log", base=10 if key == "environment_steps" else 2)
        seconds.set_yscale("log" if key == "environment_steps" else "linear")
        if seconds.get_yscale() == "log":
            seconds.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            seconds.yaxis.set_minor_locator(NullLocator())
        seconds.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        memory.xaxis.set_major_locator(FixedLocator(x))
        memory.xaxis.set_minor_locator(NullLocator())
        memory.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        memory.set_xlabel(title)
        seconds.set_ylabel("wall seconds")
        memory.set_ylabel("peak memory, MB")
        for panel in (seconds, memory):
            panel.grid(alpha=0.25)
            if panel.get_yscale() == "linear":
                panel.set_ylim(0, 1.15 * panel.get_ylim()[1])
    figure.suptitle("What our continuous job costs")
    figure.savefig(path)
    plt.close(figure)
    return path


if __name__ == "__main__":
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else BENCHMARKS / "results.json"
    print(*draw(json.loads(source.read_text(encoding="utf-8")), "-quick" if "quick" in source.name else ""), sep="\n")
