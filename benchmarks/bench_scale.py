"""``make bench-scale``: steps per second of slow environments, in one process and in several.

16 copies are stepped in each case. A burning step computes, a sleeping one waits as for a simulator elsewhere, so that
more processes than cores can be looked at.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import machine
import timed_process
from events import parse
from training_job import BENCHMARKS, CONTAINER_SRC

SCALE = BENCHMARKS / "scale"
RESULTS = BENCHMARKS / "results-scale.json"
MILLISECONDS = (0.0, 0.2, 1.0, 5.0)
PROCESSES = {"burning": (1, 2), "sleeping": (1, 2, 4, 8, 16)}


def main() -> None:
    """Measure every point, write the results and print them as tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    points = []
    for kind, numbers in PROCESSES.items():
        for milliseconds in MILLISECONDS if kind == "burning" else MILLISECONDS[1:]:
            for processes in numbers:
                points.append(measure(milliseconds, kind, processes))
                print(json.dumps(points[-1]), flush=True)
    results = {"machine": machine.describe([], {}), "revision": machine.git_revision(), "points": points}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print("\n" + "\n\n".join(table(points, kind) for kind in PROCESSES))


def measure(milliseconds: float, kind: str, processes: int) -> dict[str, Any]:
    """Return the steps per second of one point."""
    name = f"scale-{kind}-{milliseconds:g}-{processes}"
    environment = {"PYTHONPATH": os.pathsep.join(map(str, (BENCHMARKS, CONTAINER_SRC, SCALE)))}
    command: list[str | Path] = [sys.executable, SCALE / "rollout.py", str(milliseconds), kind, str(processes)]
    with tempfile.TemporaryDirectory() as folder:
        ended = timed_process.run(command, Path(folder), BENCHMARKS / "logs" / f"{name}.log", environment)
    (event,) = [event for _, line in ended.lines if (event := parse(line))]
    point = {"kind": kind, "milliseconds": milliseconds, "processes": processes}
    return {**point, "steps_per_second": round(event["steps_per_second"], 1)}


def table(points: list[dict[str, Any]], kind: str) -> str:
    """Return the points of a kind as a Markdown table: steps per second, and how many times those of one process."""
    numbers = PROCESSES[kind]
    lines = [
        f"| ms of a step, {kind} | "
        + " | ".join(f"{number} process{'es' * (number > 1)}" for number in numbers)
        + " |",
        "| --- |" + " ---: |" * len(numbers),
    ]
    for milliseconds in MILLISECONDS:
        row = [point for point in points if (point["kind"], point["milliseconds"]) == (kind, milliseconds)]
        if row:
            rates = {point["processes"]: point["steps_per_second"] for point in row}
            cells = [f"{rates[number]:,.0f} ({rates[number] / rates[1]:.2f})" for number in numbers]
            lines.append(f"| {milliseconds:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
