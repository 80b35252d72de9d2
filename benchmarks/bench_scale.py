"""``make bench-scale``: slow environments in processes, MPI ranks and containers, and what a cost model makes of it.

A burning step computes, a sleeping one waits as for a simulator elsewhere, so that more workers than cores can be
looked at. Results are written after every part; ``--only`` measures some parts anew and keeps the others' points.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import machine
import scale_model
import scale_points
import scale_report
from scale_points import IMAGE, Point
from scale_report import RESULTS
from scale_simulation import INSTANCES
from training_job import ROOT

PARTS = ("processes", "ranks", "learning", "containers", "model")


def main() -> None:
    """Measure the parts, write the results, and print them as tables; missed bars are no errors."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what runs is ended too
    arguments = parse_arguments()
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {"points": []}
    measures: dict[str, Callable[[], Iterator[Point]]] = {
        "processes": scale_points.of_processes,
        "ranks": scale_points.of_ranks,
        "learning": scale_points.of_learning,
        "containers": lambda: scale_points.of_containers(tuple(arguments.containers)),
    }
    measured = [part for part in PARTS if part in arguments.only and part in measures]
    if "containers" in measured and not has_image():
        print(f"No Docker engine with {IMAGE} answers: containers are not measured (make images).", flush=True)
        measured.remove("containers")
    for part in measured:
        points = []
        for point in measures[part]():
            points.append(point)
            print(json.dumps(point), flush=True)
        anew = {point["number"] for point in points}
        kept = [point for point in results["points"] if part_of(point) != part or point["number"] not in anew]
        results["points"] = sorted(kept + points, key=lambda point: (PARTS.index(part_of(point)), point["number"]))
        results |= {"machine": machine.describe([], {}), "revision": machine.git_revision()}
        results["date"] = datetime.now(UTC).isoformat(timespec="seconds")
        write(results)
    if not results["points"]:
        raise SystemExit("Nothing has been measured yet: leave --only away, or name other parts.")
    results["parameters"] = scale_model.fit(results["points"], results["machine"]["cores"])
    write(results)
    report(results, arguments)


def report(results: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Print the tables, draw the plot, and write the document if it is there."""
    import scale_plot  # late: matplotlib takes a second

    instances = [replace(each, price=price) for each, price in zip(INSTANCES, arguments.dollars_per_hour, strict=True)]
    print("\n" + scale_report.comparison(results) + "\n\n" + scale_report.markdown(results, instances) + "\n")
    print(RESULTS.relative_to(ROOT), scale_plot.draw(results).relative_to(ROOT), sep="\n")
    if scale_report.write_document(results, instances):
        print(scale_report.DOCUMENT.relative_to(ROOT))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=list(PARTS), help="measure these parts; the model is fitted always"
    )
    parser.add_argument("--containers", nargs="+", type=int, default=[1, 2], help="numbers of containers")
    parser.add_argument(
        "--dollars-per-hour",
        nargs=len(INSTANCES),
        type=float,
        default=[each.price for each in INSTANCES],
        help=f"of {', '.join(each.name for each in INSTANCES)}; assumed otherwise, see scale_simulation.py",
    )
    return parser.parse_args()


def part_of(point: Point) -> str:
    """Return the part of the measurement that a point belongs to."""
    return "learning" if (point["workers"], point["kind"]) == ("ranks", "job") else str(point["workers"])


def has_image() -> bool:
    """Tell whether a Docker engine answers and has the training image."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True).returncode == 0


def write(results: dict[str, Any]) -> None:
    """Write the results."""
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
