"""How many small faults the tests notice: a random sample of mutants, each shown to the tests that run its line.

``make mutation`` runs it. CONTRIBUTING.md says how to read what it prints. The mutants are cosmic-ray's, those that
``operators.py`` names. mutmut 3 was tried, too: it notices only what runs in pytest's own process, and most of these
tests start jobs, servers and scripts.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome
from covering_tests import MEASURED, NO_ENGINE, CoveringTests, measure
from operators import family, mutants

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PYTHON = ROOT / ".venv" / "bin" / "python"
FOLDER = ROOT / ".mutation"
SOURCES = ("container_src", "scripts")
EQUIVALENT = HERE / "equivalent.toml"
PROCESSES = 2
START_SECONDS = 40.0
"""What pytest and its imports may take before the first test, on a busy machine."""
PATIENCE = 4.0
"""How many times the seconds it took unchanged a mutant's tests may take: one that runs for ever is noticed."""


def main() -> None:
    """Draw the sample, run it, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=200, help="how many mutants (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="PATH", help="draw from files whose path begins with this")
    parser.add_argument("--seconds", type=float, default=60.0, help="of tests a mutant, at most (default: %(default)s)")
    parser.add_argument("--tests", nargs="+", default=MEASURED, metavar="PATH", help="to show them to (default: all)")
    parser.add_argument("--output", type=Path, help="write the mutants and their outcomes to this JSON file")
    options = parser.parse_args()

    folder = FOLDER / "-".join([revision(), *(test.replace("/", ".") for test in options.tests)])
    clones = [clone(folder / f"clone-{number}") for number in range(PROCESSES)]
    if not (folder / "lines").is_file():
        print("Measuring which tests run which lines; this is done once a revision", flush=True)
        measure(clones[0], PYTHON, options.tests, folder)
    sample = draw(clones[0], options.only, options.size, options.seed)
    results = []
    with multiprocessing.Pool(PROCESSES, _enter_clone, (folder, clones[0], _queue_of(clones))) as pool:
        for result in pool.imap_unordered(run, [(mutant, options.seconds) for mutant in sample]):
            results.append(result)
            print(
                f"{len(results)}/{len(sample)} {result['outcome']:8} {result['place']} {result['operator']}", flush=True
            )
    results.sort(key=lambda result: result["place"])
    if options.output:
        options.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for result in results:
        if result["outcome"] == "survived":
            print(f"\n{result['place']} survived {result['tests']} tests\n{result['diff']}")
    print("\n" + table(results))


def revision() -> str:
    """Return the commit that is measured: what is not committed is left out."""
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def clone(folder: Path) -> Path:
    """Return a clone of the repository, in which a file can be changed beside the others."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, folder], check=True)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def draw(root: Path, only: str, size: int, seed: int) -> list[MutationSpec]:
    """Return a sample of mutants of the files whose path begins with ``only``, with paths relative to ``root``.

    Places are drawn, each with the same chance, then one of a place's mutants.
    """
    places: dict[tuple[str, tuple[int, int], str], list[MutationSpec]] = {}
    os.chdir(root)
    for source in SOURCES:
        for module in sorted(Path(source).rglob("*.py")):
            if module.as_posix().startswith(only):
                for mutant in mutants(module):
                    place = (module.as_posix(), mutant.start_pos, family(mutant.operator_name))
                    places.setdefault(place, []).append(mutant)
    generator = random.Random(seed)  # noqa: S311
    drawn = generator.sample(sorted(places), min(size, len(places)))
    return [generator.choice(places[place]) for place in drawn]


def run(work: tuple[MutationSpec, float]) -> dict[str, Any]:
    """Show a mutant to its tests, in the clone of this process, and return the outcome."""
    mutant, most_seconds = work
    source = mutant.module_path.read_text(encoding="utf-8")
    row = mutant.start_pos[0]
    tests, seconds = _tests.find(mutant.module_path, source, row, most_seconds)
    result: dict[str, Any] = {
        "place": f"{mutant.module_path}:{row}",
        "operator": mutant.operator_name.partition("/")[2],
        "function": mutant.definition_name,
        "tests": len(tests),
    }
    Path("chosen-tests.txt").write_text("\n".join(tests), encoding="utf-8")
    command = f"{PYTHON} -m pytest -x -q -p no:cacheprovider @chosen-tests.txt" if tests else "true"
    begun = time.monotonic()
    outcome = mutate_and_test([mutant], command, START_SECONDS + PATIENCE * seconds)
    if outcome.worker_outcome == WorkerOutcome.EXCEPTION and "apply_mutation" in str(outcome.output):
        # cosmic-ray's, which cannot replace a dotted name among several exceptions; it counts neither way.
        return {**result, "outcome": "none", "diff": ""}
    if outcome.worker_outcome != WorkerOutcome.NORMAL:
        raise RuntimeError(f"{result['place']} was not shown to its tests: {outcome.output}")
    killed = outcome.test_outcome == TestOutcome.KILLED
    diff = "\n".join(
        line for line in (outcome.diff or "").splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    )
    result |= {
        "outcome": "killed" if killed else "survived",
        "seconds": round(time.monotonic() - begun, 1),
        "diff": diff,
    }
    if not killed and (reason := reason_of_equivalence(result)):
        result |= {"outcome": "same", "reason": reason}
    return result


def reason_of_equivalence(result: dict[str, Any]) -> str:
    """Return why a mutant changes nothing that can be seen, or an empty string."""
    known = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("mutant", [])
    module = result["place"].partition(":")[0]
    added = [line[1:].strip() for line in result["diff"].splitlines() if line.startswith("+")]
    reasons = (entry["reason"] for entry in known if entry["module"] == module and entry["line"] in added)
    return next(reasons, "")


def room(place: str) -> str:
    """Return the package of a file; the modules beside packages and entry points count as one."""
    parts = Path(place.partition(":")[0]).parts[:-1]
    return "/".join(parts[:3])


def table(results: Iterable[dict[str, Any]]) -> str:
    """Return the figures per room as a Markdown table."""
    rooms: dict[str, list[str]] = {}
    for result in results:
        for name in (room(result["place"]), "all"):
            rooms.setdefault(name, []).append(result["outcome"])
    rooms["all"] = rooms.pop("all")
    lines = [
        "| room | mutants | killed | survived | equivalent | kill rate |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, outcomes in rooms.items():
        killed, survived, same = (outcomes.count(outcome) for outcome in ("killed", "survived", "same"))
        rate = f"{100 * killed / (killed + survived):.0f} %" if killed + survived else "-"
        lines.append(f"| {name} | {len(outcomes)} | {killed} | {survived} | {same} | {rate} |")
    return "\n".join(lines)


_tests: CoveringTests


def _queue_of(clones: list[Path]) -> "multiprocessing.Queue[Path]":
    queue: multiprocessing.Queue[Path] = multiprocessing.Queue()
    for folder in clones:
        queue.put(folder)
    return queue


def _enter_clone(folder: Path, measured: Path, clones: "multiprocessing.Queue[Path]") -> None:
    """Give a process of the pool a clone of its own."""
    global _tests
    os.chdir(clones.get())
    os.environ.update(NO_ENGINE)
    _tests = CoveringTests(folder, measured)


if __name__ == "__main__":
    main()
