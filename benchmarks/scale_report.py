"""From the points of the scale to tables and bars. As a script: writes them anew from ``results-scale.json``."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import scale_model
import scale_simulation
from scale_points import COPIES, FEW_COPIES, MILLISECONDS, NUMBERS, RETURN_TO_REACH, Point
from scale_simulation import BATCHES, ENVIRONMENTS, INSTANCES, SPREADS, Instance
from training_job import BENCHMARKS, ROOT

RESULTS = BENCHMARKS / "results-scale.json"
DOCUMENT = ROOT / "docs" / "scale-out.md"
BEGIN = "<!-- scale: written by `make bench-scale`, do not edit -->"
END = "<!-- end of scale -->"
LARGEST_ERROR = 0.1
EFFICIENCY = 0.9
SPEED_UP = 1.8


def markdown(results: dict[str, Any], instances: Sequence[Instance] = INSTANCES) -> str:
    """Return all tables that there are points for."""
    parts = [_bar_table(results)]
    for workers, copies in (("processes", COPIES), ("ranks", COPIES), ("ranks", FEW_COPIES)):
        parts += [_rate_table(results, workers, kind, copies) for kind in ("sleeping", "burning")]
    parts += [_communication_table(results), _job_table(results), _measured_on(results)]
    if parameters := results.get("parameters"):
        parts += [_parameter_table(parameters), _error_table(results)]
        parts += [_efficiency_table(parameters, instances[0])]
        parts += [_price_table(parameters, instances)]
    return "\n\n".join(part for part in parts if part)


def write_document(results: dict[str, Any], instances: Sequence[Instance] = INSTANCES) -> bool:
    """Put the tables between the document's two comments; return whether there is such a document."""
    if not DOCUMENT.is_file():
        return False
    text = DOCUMENT.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
    block = f"{BEGIN}\n\n{markdown(results, instances)}\n\n{END}"
    written, times = pattern.subn(lambda _: block, text)
    DOCUMENT.write_text(written, encoding="utf-8")
    return times > 0


def rates(results: dict[str, Any], workers: str, kind: str, milliseconds: float, copies: int) -> dict[int, Point]:
    """Return the points of a row, by the number of workers; a step of 0 ms is of both kinds."""
    kinds = ("sleeping", "burning") if milliseconds == 0 else (kind,)
    return {
        point["number"]: point
        for point in results["points"]
        if (point["workers"], point.get("milliseconds"), point.get("copies")) == (workers, milliseconds, copies)
        and point["kind"] in kinds
    }


def doublings(row: dict[int, Point]) -> dict[int, float]:
    """Return, by number of workers, steps per second over twice those of half as many."""
    return {
        number: point["steps_per_second"] / row[number // 2]["steps_per_second"] / 2
        for number, point in row.items()
        if number // 2 in row
    }


# --- The bars --------------------------------------------------------------------------------------------------------


def bars(results: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return figure, what to reach, what was measured, and whether that is enough, of what has been measured."""
    candidates: tuple[Callable[[dict[str, Any]], tuple[str, str, str, bool] | None], ...]
    candidates = (_ranks_bar, _processes_bar, _containers_bar, _model_bar)
    return [bar for candidate in candidates if (bar := candidate(results))]


def _ranks_bar(results: dict[str, Any]) -> tuple[str, str, str, bool] | None:
    efficiencies = doublings(rates(results, "ranks", "sleeping", 5.0, COPIES))
    if not efficiencies:
        return None
    each = ", ".join(f"{number}: {efficiency:.0%}" for number, efficiency in efficiencies.items())
    worst = min(efficiencies.values())
    figure = f"5 ms of sleep, {COPIES} copies: efficiency of each doubling of ranks to {NUMBERS[-1]}"
    return figure, f"{EFFICIENCY:.0%} or more", f"{worst:.0%} ({each})", worst >= EFFICIENCY


def _processes_bar(results: dict[str, Any]) -> tuple[str, str, str, bool] | None:
    row = rates(results, "processes", "burning", 1.0, COPIES)
    return _times(row, f"1 ms of burning, {COPIES} copies: two processes over one")


def _containers_bar(results: dict[str, Any]) -> tuple[str, str, str, bool] | None:
    return _times(
        {point["number"]: point for point in results["points"] if point["workers"] == "containers"},
        "5 ms of sleep, whole jobs: two containers over one",
    )


def _times(row: dict[int, Point], figure: str) -> tuple[str, str, str, bool] | None:
    if not {1, 2} <= row.keys():
        return None
    one, two = (row[number]["steps_per_second"] for number in (1, 2))
    return figure, f"{SPEED_UP} or more", f"{two / one:.2f} ({two:,.0f} / {one:,.0f} steps/s)", two / one >= SPEED_UP


def _model_bar(results: dict[str, Any]) -> tuple[str, str, str, bool] | None:
    if not results.get("parameters"):
        return None
    measured_rates = [point for point in results["points"] if "steps_per_second" in point]
    rows = scale_model.compare(measured_rates, results["parameters"], results["machine"]["cores"])
    worst, _, error = max(rows, key=lambda row: abs(row[2]))
    within = sum(abs(row[2]) <= LARGEST_ERROR for row in rows)
    measured = f"{error:+.0%} ({describe(worst)}); {within} of {len(rows)} within {LARGEST_ERROR:.0%}"
    wanted = f"{LARGEST_ERROR:.0%} or less"
    return "the cost model: largest error of steps per second", wanted, measured, abs(error) <= LARGEST_ERROR


def describe(point: Mapping[str, Any]) -> str:
    """Return what a point has measured, in words."""
    number, kind = point["number"], point["kind"]
    workers = point["workers"] if number > 1 else {"processes": "process"}.get(point["workers"], point["workers"][:-1])
    if kind in ("burning", "sleeping"):
        what = f"{point['milliseconds']:g} ms {kind}, {point['copies']} copies"
    elif kind == "policy":
        what = f"policy and bookkeeping of {point['copies']} copies"
    elif kind == "gradient":
        what = f"a gradient step of {point['rows']:,} rows"
    elif kind == "message":
        what = f"a message of {point['bytes']:,} bytes"
    else:
        what = "an evaluation" if kind == "evaluation" else f"a job of {point['milliseconds']:g} ms sleeping"
    return f"{what}, {number} {workers}"


# --- The tables ------------------------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Return a Markdown table; the first ``words`` columns hold words, the others numbers."""
    lines = [head, [*["---"] * words, *["---:"] * (len(head) - words)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _bar_table(results: dict[str, Any]) -> str:
    rows = [(figure, wanted, measured, "yes" if met else "**no**") for figure, wanted, measured, met in bars(results)]
    return "### The bars\n\n" + _table(("figure", "to reach", "measured", "reached"), rows, words=4)


def _rate_table(results: dict[str, Any], workers: str, kind: str, copies: int) -> str:
    rows = []
    for milliseconds in MILLISECONDS:
        row = rates(results, workers, kind, milliseconds, copies)
        efficiencies = doublings(row)
        cells = [
            f"{row[number]['steps_per_second']:,.0f}"
            + (f" ({efficiencies[number]:.0%})" if number in efficiencies else "")
            if number in row
            else ""
            for number in NUMBERS
        ]
        if any(cells):
            rows.append([f"{milliseconds:g}", *cells])
    if not rows:
        return ""
    used = [column for column, number in enumerate(NUMBERS, 1) if any(row[column] for row in rows)]
    rows = [[row[0], *(row[column] for column in used)] for row in rows]
    head = [f"ms of a step, {kind}", *(f"{NUMBERS[column - 1]}" for column in used)]
    return f"### Steps per second of {copies} copies in {workers}, {kind}\n\n" + _table(head, rows)


def _communication_table(results: dict[str, Any]) -> str:
    rows = []
    for milliseconds in MILLISECONDS:
        row = rates(results, "ranks", "sleeping", milliseconds, COPIES)
        cells = [
            f"{row[number]['communication']:.1%} ({row[number]['waiting']:.1%} + {row[number]['message']:.1%})"
            if "communication" in row.get(number, {})
            else ""
            for number in NUMBERS[1:]
        ]
        if any(cells):
            rows.append([f"{milliseconds:g}", *cells])
    head = ["ms of a step, sleeping", *map(str, NUMBERS[1:])]
    title = f"### Share of communication in ranks, {COPIES} copies (waiting for the slowest rank + the message)"
    return f"{title}\n\n{_table(head, rows)}" if rows else ""


def _job_table(results: dict[str, Any]) -> str:
    rows = []
    jobs = [point for point in results["points"] if point["kind"] == "job"]
    for point in jobs:
        one = next(each for each in jobs if each["workers"] == point["workers"])
        rate = point["steps_per_second"]
        reached = point["seconds_to_return"] is not None
        rows.append(
            (
                f"{point['number']} {point['workers'] if point['number'] > 1 else point['workers'][:-1]}",
                f"{rate:,.0f}",
                f"{rate / one['steps_per_second']:.2f}",
                f"{point['training_seconds_to_return']:.1f}" if reached else "never",
                f"{point['seconds_to_return']:.1f}" if reached else "never",
                f"{point['returns'][-1]:.4f}",
            )
        )
    head = ("job", "steps/s", "times one", f"s of training to {RETURN_TO_REACH:g}", "s from the start", "last return")
    return "### Whole jobs of 5 ms sleeping: time to a return\n\n" + _table(head, rows) if rows else ""


def _parameter_table(parameters: dict[str, float]) -> str:
    rows = [(f"`{name}`", f"{1e6 * seconds:.4g}") for name, seconds in parameters.items()]
    return "### The cost model's parameters\n\n" + _table(("parameter", "us"), rows)


def _error_table(results: dict[str, Any]) -> str:
    compared = scale_model.compare(results["points"], results["parameters"], results["machine"]["cores"])
    groups: dict[tuple[str, str], list[float]] = {}
    for point, _, error in compared:
        groups.setdefault((point["workers"], point["kind"]), []).append(abs(error))
    rows = [
        (f"{workers}: {kind}", f"{len(errors)}", f"{sum(errors) / len(errors):.0%}", f"{max(errors):.0%}")
        for (workers, kind), errors in groups.items()
    ]
    head = ("points", "number", "mean error", "largest")
    return "### Predicted against measured seconds\n\n" + _table(head, rows)


def comparison(results: dict[str, Any]) -> str:
    """Return every point with its measured and its predicted seconds."""
    compared = scale_model.compare(results["points"], results["parameters"], results["machine"]["cores"])
    rows = [
        (describe(point), f"{1e3 * scale_model.measured_seconds(point):.4g}", f"{1e3 * predicted:.4g}", f"{error:+.1%}")
        for point, predicted, error in compared
    ]
    return _table(("point", "measured, ms", "predicted, ms", "error"), rows)


def _efficiency_table(parameters: dict[str, float], instance: Instance) -> str:
    rows = []
    for milliseconds in ENVIRONMENTS:
        for batch in BATCHES:
            ends = [
                scale_simulation.last_efficient(parameters, instance, milliseconds, batch, spread) for spread in SPREADS
            ]
            most = scale_simulation.MOST_RANKS
            cells = [f"{end:,}" if end < most else f"{most:,} or more" for end in ends]
            part = scale_simulation.largest_part(parameters, instance, ends[0], milliseconds, batch, SPREADS[0])
            rows.append([f"{milliseconds:g} ms", f"{batch:,}", part, *cells])
    spreads = [f"ranks, steps vary by {spread:.0%}" for spread in SPREADS]
    head = ["step", "steps of a phase", "what is not shared out and takes longest there", *spreads]
    title = f"### Simulated: ranks to which efficiency stays above 50 %, on {instance.name}"
    return f"{title}\n\n{_table(head, rows, words=3)}"


def _price_table(parameters: dict[str, float], instances: Sequence[Instance]) -> str:
    batch, hosts = BATCHES[1], (1, 4, 16, 64)
    rows = [
        [instance.name, f"{instance.price:.3f}", f"{milliseconds:g} ms"]
        + [
            f"{scale_simulation.dollars_per_million(parameters, instance, number, milliseconds, batch):,.3f}"
            for number in hosts
        ]
        for instance in instances
        for milliseconds in ENVIRONMENTS
    ]
    head = ["instance", "$/h", "step", *(f"{number} host{'s' * (number > 1)}" for number in hosts)]
    title = f"### Simulated: US dollars per million steps, phases of {batch:,} steps, a rank for each vCPU"
    return f"{title}\n\n{_table(head, rows, words=3)}"


def _measured_on(results: dict[str, Any]) -> str:
    machine = results["machine"]
    return (
        f"Measured {results['date'][:10]} at revision {results['revision']} on {machine['cores']} cores of "
        f"{machine['cpu']}, {machine['system']}, Python {machine['python']}. In brackets: efficiency of the doubling."
    )


if __name__ == "__main__":
    saved = json.loads(RESULTS.read_text(encoding="utf-8"))
    print(markdown(saved), comparison(saved), sep="\n\n")
    write_document(saved)
