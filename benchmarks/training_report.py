"""From the recorded runs to the tables of the README. As a script: writes them anew from ``results.json``."""

import json
import math
import re
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import cart_pole
import fused_program
from systems import NOTEBOOK_STEPS, SYSTEMS, THRESHOLDS
from training_job import BENCHMARKS

README = BENCHMARKS / "README.md"
BEGIN = "<!-- results: written by `make bench`, do not edit -->"
END = "<!-- end of results -->"
NEVER = math.inf
LEARNT = 90.0
"""From this final mean return on, the continuous car counts as having learnt to climb."""


def runs_of(results: dict[str, Any], system: str) -> list[dict[str, Any]]:
    """Return the recorded runs of a system, by seed."""
    runs = [run for run in results["runs"].values() if run["system"] == system]
    return sorted(runs, key=lambda run: run.get("seed", 0))


def summarize(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one row per system that has runs; where a threshold is never reached, the seconds to it are None."""
    rows = []
    for system in SYSTEMS.values():
        runs = runs_of(results, system.name)
        if not runs:
            continue
        finals = [run["final_mean"] for run in runs if run["final_mean"] is not None]
        seconds = [_seconds_to_threshold(run) for run in runs]
        rows.append(
            {
                "system": system.name,
                "label": system.label,
                "car": system.car,
                "reduced": runs[0]["reduced"],
                "seeds": len(runs),
                "environment_steps": statistics.median(run["environment_steps"] for run in runs),
                "wall_seconds": statistics.median(run["wall_seconds"] for run in runs),
                "steps_per_second": statistics.median(run["steps_per_second"] for run in runs),
                "peak_memory_mb": max(_megabytes(run) for run in runs),
                "final_mean": statistics.fmean(finals) if finals else None,
                "final_median": statistics.median(finals) if finals else None,
                "final_worst": min(finals) if finals else None,
                "seconds_to_threshold_median": _finite(statistics.median_high(seconds)),
                "seconds_to_threshold_worst": _finite(max(seconds)),
                "never": sum(s == NEVER for s in seconds),
            }
        )
    return rows


def bars(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the goals that this project has set itself, and what was measured."""
    candidates = (
        _notebook_speed,
        _notebook_learning,
        _rollouts,
        _seconds_to_90,
        lambda results: _fused(results, "seconds of a training", fused_program.seconds_of_a_training),
        lambda results: _fused(results, "seconds from the start to 99", fused_program.seconds_to_99),
        _continuous_final,
        _discrete_final_worst,
        _discrete_final_median,
        _discrete_speed,
        _flat_memory,
        _start_up,
        lambda results: _cart_pole(results, "ppo"),
        lambda results: _cart_pole(results, "dqn"),
    )
    return [bar for candidate in candidates if (bar := candidate(results))]


def _bar(figure: str, wanted: str, measured: str, value: float, met: bool | None) -> dict[str, Any]:
    return {"figure": figure, "wanted": wanted, "measured": measured, "value": _finite(value), "met": met}


def _notebook_speed(results: dict[str, Any]) -> dict[str, Any] | None:
    ours, stock = runs_of(results, "ours-notebook"), runs_of(results, "stock-coach")
    if not ours or not stock:
        return None
    our_seconds = statistics.median(run["wall_seconds"] for run in ours)
    stock_seconds = statistics.median(run.get("extrapolated_wall_seconds", run["wall_seconds"]) for run in stock)
    at_least = "at least " if "extrapolated_wall_seconds" in stock[0] else ""  # without the evaluations
    ratio = stock_seconds / our_seconds
    return _bar(
        "the notebook's PPO job: stock Coach's wall time over ours",
        "30 or more",
        f"{at_least}{ratio:.1f} ({stock_seconds:.1f} s / {our_seconds:.1f} s, medians)",
        ratio,
        True if ratio >= 30 else None if at_least else False,
    )


def _notebook_learning(results: dict[str, Any]) -> dict[str, Any] | None:
    counts = {}
    for system in ("ours-notebook", "stock-coach"):
        runs = runs_of(results, system)
        if not runs or any(run["final_mean"] is None for run in runs):
            return None
        counts[system] = (sum(run["final_mean"] >= LEARNT for run in runs), len(runs))
    (ours, of_ours), (stock, of_stock) = counts["ours-notebook"], counts["stock-coach"]
    return _bar(
        f"the notebook's PPO job: seeds that learn (a final return of {LEARNT:g})",
        "no fewer than stock Coach's",
        f"ours {ours} of {of_ours}, stock Coach {stock} of {of_stock}",
        ours - stock,
        ours >= stock,
    )


def _rollouts(results: dict[str, Any]) -> dict[str, Any] | None:
    ours = [run for run in runs_of(results, "rollouts-ours") if run["default"]]
    stock = runs_of(results, "rollouts-stock")
    if not ours or not stock:
        return None
    our_rate, stock_rate = ours[0]["steps_per_second"], stock[0]["steps_per_second"]
    ratio = our_rate / stock_rate
    return _bar(
        "rollout steps per second over stock Coach's",
        "100 or more",
        f"{ratio:.1f} ({our_rate:,.0f} with {ours[0]['environments']} environments / {stock_rate:,.0f})",
        ratio,
        ratio >= 100,
    )


def _seconds_to_90(results: dict[str, Any]) -> dict[str, Any] | None:
    ours = {run["seed"]: run for run in runs_of(results, "ours-continuous")}
    peers = {run["seed"]: run for run in runs_of(results, "sb3-ppo")}
    if not ours.keys() & peers.keys():
        return None
    ratios, bounds = [], 0
    for seed in sorted(ours.keys() & peers.keys()):
        peer_seconds = _seconds_to_threshold(peers[seed])
        if peer_seconds == NEVER:
            peer_seconds = peers[seed]["wall_seconds"]
            bounds += 1
        ratios.append(peer_seconds / _seconds_to_threshold(ours[seed]))
    lower_bounds = f"; {bounds} of them at least, as SB3 PPO never was there" if bounds else ""
    by_seed = ", ".join(f"{ratio:.1f}" for ratio in ratios)
    return _bar(
        "continuous: SB3 PPO's seconds to an evaluation of 90 over ours, on every seed",
        "15 or more",
        f"{min(ratios):.1f} (seeds: {by_seed}{lower_bounds})",
        min(ratios),
        min(ratios) >= 15,
    )


def _fused(
    results: dict[str, Any], figure: str, seconds_of: Callable[[dict[str, Any]], float]
) -> dict[str, Any] | None:
    compared = fused_program.compare(runs_of(results, "ours-continuous"), runs_of(results, "jax-ppo"), seconds_of)
    if compared is None:
        return None
    value, words = compared
    return _bar(f"continuous: {figure}, of the fused JAX program over ours", "1 or more", words, value, value >= 1)


def _final_bar(results: dict[str, Any], system: str, which: str, figure: str, least: float) -> dict[str, Any] | None:
    finals = [run["final_mean"] for run in runs_of(results, system) if run["final_mean"] is not None]
    if not finals:
        return None
    value = min(finals) if which == "worst" else statistics.median(finals)
    by_seed = ", ".join(f"{final:.2f}" for final in finals)
    return _bar(figure, f"{least:g} or more", f"{value:.2f} (seeds: {by_seed})", value, value >= least)


def _continuous_final(results: dict[str, Any]) -> dict[str, Any] | None:
    return _final_bar(results, "ours-continuous", "worst", "continuous: final return, worst seed", 99.2)


def _discrete_final_worst(results: dict[str, Any]) -> dict[str, Any] | None:
    return _final_bar(results, "ours-discrete", "worst", "discrete: final return, worst seed", -103)


def _discrete_final_median(results: dict[str, Any]) -> dict[str, Any] | None:
    return _final_bar(results, "ours-discrete", "median", "discrete: final return, median seed", -100.5)


def _discrete_speed(results: dict[str, Any]) -> dict[str, Any] | None:
    ours, peers = runs_of(results, "ours-discrete"), runs_of(results, "sb3-dqn")
    if not ours or not peers or ours[0]["reduced"] or peers[0]["reduced"]:  # other lengths say nothing
        return None
    our_seconds, peer_seconds = (statistics.median(run["wall_seconds"] for run in runs) for runs in (ours, peers))
    ratio = peer_seconds / our_seconds
    return _bar(
        "discrete: SB3 DQN's wall time over ours",
        "5 or more",
        f"{ratio:.1f} ({peer_seconds:.1f} s / {our_seconds:.1f} s, medians)",
        ratio,
        ratio >= 5,
    )


def _flat_memory(results: dict[str, Any]) -> dict[str, Any] | None:
    runs = sorted(runs_of(results, "cost-steps"), key=lambda run: run["environment_steps"])
    if len(runs) < 2:
        return None
    least, most = runs[0], runs[-1]
    ratio = most["peak_memory_kib"] / least["peak_memory_kib"]
    return _bar(
        "memory is flat in the number of steps",
        "a factor of 1.1 or less",
        f"{ratio:.2f} ({_megabytes(least):.0f} MB at {least['environment_steps']:,} steps, "
        f"{_megabytes(most):.0f} MB at {most['environment_steps']:,})",
        ratio,
        ratio <= 1.1,
    )


def _start_up(results: dict[str, Any]) -> dict[str, Any] | None:
    runs = runs_of(results, "start-up")
    if not runs:
        return None
    seconds = runs[0]["seconds"]
    return _bar(
        "start-up: seconds from `docker run ... train` to the first environment step",
        "2.5 or less",
        f"{seconds:.2f} (median of {len(runs[0]['each'])}: {min(runs[0]['each']):.2f} to {max(runs[0]['each']):.2f})",
        seconds,
        seconds <= 2.5,
    )


def _cart_pole(results: dict[str, Any], agent: str) -> dict[str, Any] | None:
    measured = cart_pole.ratio(results, agent)
    if measured is None:
        return None
    value, words = measured
    figure = f"CartPole-v1, {cart_pole.AGENTS[agent]}: stock Coach's seconds to {cart_pole.MEAN_RETURN:g} over ours"
    return _bar(figure, f"{cart_pole.WANTED_RATIO:g} or more", words, value, value >= cart_pole.WANTED_RATIO)


def _seconds_to_threshold(run: dict[str, Any]) -> float:
    return NEVER if run["seconds_to_threshold"] is None else float(run["seconds_to_threshold"])


def _megabytes(run: dict[str, Any]) -> float:
    return float(run["peak_memory_kib"]) * 1024 / 1e6


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


# --- Markdown --------------------------------------------------------------------------------------------------------


def markdown(results: dict[str, Any]) -> str:
    """Return the tables: the systems, the bar, rollouts and costs, and what they were measured on."""
    sections = [
        _systems_table(summarize(results)),
        "### The bar\n\n" + _table(("figure", "to reach", "measured", "reached"), _bar_rows(bars(results))),
        _rollouts_table(results),
        _cost_table(results, "steps"),
        _cost_table(results, "environments"),
        _cart_pole_table(results),
        _measured_on(results),
    ]
    return "\n\n".join(section for section in sections if section)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    alignments = ["---", *["---:"] * (len(head) - 1)] if "measured" not in head else ["---"] * len(head)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, alignments, *rows))


def _systems_table(rows: list[dict[str, Any]]) -> str:
    sections = []
    for car, threshold in THRESHOLDS.items():
        head = (
            f"{car}",
            "seeds",
            "environment steps",
            "wall s",
            "steps/s",
            "peak MB",
            "final return: mean",
            "median",
            "worst seed",
            f"s to {threshold:g}: median",
            "worst seed",
        )
        cells = [_system_cells(row) for row in rows if row["car"] == car]
        if cells:
            sections.append(_table(head, cells))
    return "\n\n".join(sections)


def _system_cells(row: dict[str, Any]) -> tuple[str, ...]:
    def final(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    def seconds(value: float | None) -> str:
        return "never" if value is None else f"{value:.1f}"

    to_threshold = ["", ""]
    if not row["reduced"]:
        to_threshold = [seconds(row["seconds_to_threshold_median"]), seconds(row["seconds_to_threshold_worst"])]
        to_threshold[1] += f" ({row['never']} of {row['seeds']})" if row["never"] else ""
    return (
        row["label"] + (f" ({row['reduced']})" if row["reduced"] else ""),
        str(row["seeds"]),
        f"{row['environment_steps']:,.0f}",
        f"{row['wall_seconds']:.1f}",
        f"{row['steps_per_second']:,.0f}",
        f"{row['peak_memory_mb']:.0f}",
        final(row["final_mean"]),
        final(row["final_median"]),
        final(row["final_worst"]),
        *to_threshold,
    )


def _bar_rows(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    words = {True: "yes", False: "**no**", None: "undecided"}
    return [(row["figure"], row["wanted"], row["measured"], words[row["met"]]) for row in rows]


def _rollouts_table(results: dict[str, Any]) -> str:
    stock = runs_of(results, "rollouts-stock")
    ours = sorted(runs_of(results, "rollouts-ours"), key=lambda run: (run["environments"], run["default"]))
    if not stock or not ours:
        return ""
    base = stock[0]["steps_per_second"]
    rows = [("stock Coach, 1", f"{base:,.0f}", "1")]
    for run in ours:
        name = f"ours, {run['environments']}" + (" (the default)" if run["default"] else "")
        rows.append((name, f"{run['steps_per_second']:,.0f}", f"{run['steps_per_second'] / base:.1f}"))
    return "### Rollouts\n\n" + _table(("parallel environments", "environment steps/s", "times stock Coach"), rows)


def _cost_table(results: dict[str, Any], curve: str) -> str:
    sort_by = "environment_steps" if curve == "steps" else "environments"
    runs = sorted(runs_of(results, f"cost-{curve}"), key=lambda run: run[sort_by])
    if not runs:
        return ""
    head: tuple[str, ...] = ("environment steps", "wall s", "steps/s", "peak MB", "last evaluation")
    if curve == "environments":
        head = ("parallel environments", *head)
    rows: list[tuple[str, ...]] = []
    for run in runs:
        cells = (
            f"{run['environment_steps']:,}",
            f"{run['wall_seconds']:.1f}",
            f"{run['environment_steps'] / run['wall_seconds']:,.0f}",
            f"{_megabytes(run):.0f}",
            "" if run["last_evaluation"] is None else f"{run['last_evaluation']:.2f}",
        )
        rows.append((str(run["environments"]), *cells) if curve == "environments" else cells)
    title = "steps" if curve == "steps" else "parallel environments"
    return f"### The cost of our continuous job by {title}\n\n" + _table(head, rows)


def _cart_pole_table(results: dict[str, Any]) -> str:
    rows = cart_pole.rows(results)
    return "### CartPole-v1\n\n" + _table(cart_pole.HEAD, rows) if rows else ""


def _measured_on(results: dict[str, Any]) -> str:
    machine = results["machine"]
    dates = sorted(run["date"][:10] for run in results["runs"].values())
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    revisions = sorted({run["revision"] for run in results["runs"].values()})
    packages = "; ".join(
        f"{environment}: " + ", ".join(f"{name} {version}" for name, version in versions.items())
        for environment, versions in machine["packages"].items()
    )
    extrapolated = (
        f" Stock Coach's time for the notebook's {NOTEBOOK_STEPS:,} steps is extrapolated from one training, "
        "without evaluations: it is a lower bound."
        if any("extrapolated_wall_seconds" in run for run in results["runs"].values())
        else ""
    )
    return (
        f"Measured {when} at revision {', '.join(revisions)} on {machine['cores']} cores of {machine['cpu']}, "
        f"{machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']} ({packages}).{extrapolated}"
    )


def write_readme(results: dict[str, Any]) -> None:
    """Put the tables between the README's two comments."""
    text = README.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
    block = f"{BEGIN}\n\n{markdown(results)}\n\n{END}"
    README.write_text(pattern.sub(lambda _: block, text), encoding="utf-8")


if __name__ == "__main__":
    write_readme(json.loads((BENCHMARKS / "results.json").read_text(encoding="utf-8")))
