"""The tables and the plot of ``serving.py``. As a script: writes them anew from ``results-serving.json``."""

import json
import re
from collections.abc import Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from training_job import BENCHMARKS

README = BENCHMARKS / "README.md"
BEGIN = "<!-- serving: written by `make bench-serving`, do not edit -->"
END = "<!-- end of serving -->"
COLOURS = {"ours": "#0072B2", "multi-model-server": "#D55E00", "ceiling": "#999999"}
PEER, CEILING = "multi-model-server", "ceiling"


def markdown(results: dict[str, Any]) -> str:
    """Return the tables: what was asked for, each load, each start."""
    return "\n\n".join((_bar_table(results), _load_table(results), _start_table(results), _measured_on(results)))


def bars(results: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return figure, what to reach, what was measured, and whether that is enough."""
    systems = results["systems"]

    def value(system: str, name: str, connections: int) -> float:
        return float(_load(systems[system], 1, connections)[name])

    def times(name: str, connections: int, peer: str) -> tuple[float, float, float]:
        ours, theirs = value("ours", name, connections), value(peer, name, connections)
        return ours / theirs, ours, theirs

    rate, ours_rate, peer_rate = times("requests_per_second", 16, PEER)
    p99, ours_p99, peer_p99 = times("p99", 16, PEER)
    p50, ours_p50, peer_p50 = times("p50", 1, PEER)
    share, _, ceiling = times("requests_per_second", 16, CEILING)
    start = systems["ours"]["start_seconds"]
    rows = [
        (
            "requests/s at 16 connections, times multi-model-server's",
            "10 or more",
            f"{rate:.1f} ({ours_rate:,.0f} / {peer_rate:,.0f})",
            rate >= 10,
        ),
        (
            "p99 at 16 connections, of multi-model-server's",
            "a fifth or less",
            f"1/{1 / p99:.1f} ({_ms(ours_p99)} / {_ms(peer_p99)})",
            p99 <= 0.2,
        ),
        (
            "p50 at 1 connection, of multi-model-server's",
            "a fifth or less",
            f"1/{1 / p50:.1f} ({_ms(ours_p50)} / {_ms(peer_p50)})",
            p50 <= 0.2,
        ),
        (
            "requests/s at 16 connections, of the constant answer's",
            "70 % or more",
            f"{share:.0%} ({ours_rate:,.0f} / {ceiling:,.0f})",
            share >= 0.7,
        ),
        ("from `docker run` to the first 200 on /ping", "1.5 s or less", f"{start:.2f} s", start <= 1.5),
        (
            "serving image over its base, unpacked",
            "420 MB or less",
            f"{results['image_mb']:.0f} MB",
            results["image_mb"] <= 420,
        ),
    ]
    if endurance := systems["ours"].get("endurance"):
        failed = endurance["failed"]
        rows.append(
            (
                "failed requests in a minute at 64 connections",
                "0",
                f"{failed} of {endurance['requests']:,}",
                failed == 0,
            )
        )
    return rows


def _bar_table(results: dict[str, Any]) -> str:
    rows = [(figure, wanted, measured, "yes" if met else "**no**") for figure, wanted, measured, met in bars(results)]
    return _table(("figure", "to reach", "measured", "reached"), rows, numbers=0)


def _load_table(results: dict[str, Any]) -> str:
    head = ("system", "observations", "connections", "requests/s", "p50", "p99", "p99.9", "failed", "CPUs", "MB")
    rows = [
        (
            system["label"],
            str(load["rows"]),
            str(load["connections"]),
            f"{load['requests_per_second']:,.0f}",
            _ms(load["p50"]),
            _ms(load["p99"]),
            _ms(load["p999"]),
            str(load["failed"]),
            f"{load['cpu_seconds_per_second']:.2f}",
            " + ".join(f"{size:.0f}" for size in load["memory_mb"]),
        )
        for observations in (1, 64)
        for connections in (1, 16, 64)
        for system in results["systems"].values()
        for load in [_load(system, observations, connections)]
    ]
    return _table(head, rows)


def _start_table(results: dict[str, Any]) -> str:
    rows = [(system["label"], f"{system['start_seconds']:.2f}") for system in results["systems"].values()]
    return _table(("system", "s to the first 200 on /ping"), rows)


def _load(system: dict[str, Any], rows: int, connections: int) -> dict[str, Any]:
    return next(load for load in system["loads"] if (load["rows"], load["connections"]) == (rows, connections))


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], numbers: int = 1) -> str:
    alignments = ("---", *(("---:" if numbers else "---",) * (len(head) - 1)))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, alignments, *rows))


def _measured_on(results: dict[str, Any]) -> str:
    machine = results["machine"]
    packages = "; ".join(
        f"{name}: " + ", ".join(f"{package} {version}" for package, version in versions.items())
        for name, versions in machine["packages"].items()
    )
    return (
        f"Measured {results['date'][:10]} at revision {results['revision']} on {machine['cores']} cores of "
        f"{machine['cpu']}, "
        f"{results['workers']} workers each, with wrk on the same cores ({packages})."
    )


def write(results: dict[str, Any]) -> None:
    """Draw the plot, and put the tables between the README's two comments."""
    _draw(results)
    text = README.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
    README.write_text(pattern.sub(lambda _: f"{BEGIN}\n\n{markdown(results)}\n\n{END}", text), encoding="utf-8")


def _draw(results: dict[str, Any]) -> None:
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.5), dpi=110, layout="constrained")
    for panel, name, title, factor in (
        (panels[0], "requests_per_second", "requests per second", 1),
        (panels[1], "p99", "p99 latency, ms", 1000),
    ):
        for place, (key, system) in enumerate(results["systems"].items()):
            loads = [_load(system, 1, connections) for connections in (1, 16, 64)]
            positions = [index + 0.27 * (place - 1) for index in range(3)]
            heights = [factor * load[name] for load in loads]
            bars_drawn = panel.bar(positions, heights, 0.25, color=COLOURS[key], label=system["label"])
            texts = [f"{height:,.0f}" if height >= 10 else f"{height:.2f}" for height in heights]
            panel.bar_label(bars_drawn, texts, fontsize=7)
        panel.set_yscale("log")
        panel.set_xticks(range(3), ["1", "16", "64"])
        panel.set_xlabel("connections")
        panel.set_title(title)
    panels[0].legend(fontsize=8, loc="upper left")
    panels[0].margins(y=0.3)
    figure.suptitle("Single observations to an endpoint of the continuous car")
    figure.savefig(BENCHMARKS / "serving.png")
    plt.close(figure)


if __name__ == "__main__":
    write(json.loads((BENCHMARKS / "results-serving.json").read_text(encoding="utf-8")))
