"""``make bench``: runs us and the peers one after the other, and writes results, tables and plots.

The results are written after every run, so that ``--reuse`` continues where an interrupted one stopped.
"""

import argparse
import ast
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import cart_pole
import cost_curve
import machine
import peer_environments
import rollouts
import start_up
import systems
import training_report
from systems import SYSTEMS
from timed_process import RunFailed
from training_job import BENCHMARKS, ROOT

LOGS = BENCHMARKS / "logs"
ROLLOUTS, COST_CURVE, START_UP, CART_POLE = "rollouts", "cost-curve", "start-up", "cartpole"
NAMES = [*SYSTEMS, ROLLOUTS, COST_CURVE, START_UP, CART_POLE]
QUICK_ROLLOUTS = ("default", "1", "256")
QUICK_SECONDS = 240
"""A quick run begins no measurement after so many seconds."""


@dataclass(frozen=True)
class Task:
    """One thing to measure. Its record, under ``key``, is valid as long as ``inputs`` and ``code`` are the same."""

    key: str
    measure: Callable[[Path], dict[str, Any]]
    inputs: dict[str, Any]
    code: list[Path]

    def fingerprint(self) -> str:
        """Return a digest of the code and the settings that the record depends on."""
        digest = hashlib.sha256(json.dumps(self.inputs, sort_keys=True).encode())
        for file in self.code:
            digest.update(_digested_content(file))
        return digest.hexdigest()[:16]


def _digested_content(file: Path) -> bytes:
    """Return a file's content, without the comments of Python: they change no result."""
    content = file.read_bytes()
    return ast.dump(ast.parse(content)).encode() if file.suffix == ".py" else content


def main() -> None:
    """Measure what is asked for; exit status 1 if a run failed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what runs is ended too
    arguments = parse_arguments()
    suffix = "-quick" if arguments.quick else ""
    path = BENCHMARKS / f"results{suffix}.json"
    tasks = plan(arguments)
    results = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"runs": {}}
    if not arguments.reuse:
        kept = {key: run for key, run in results["runs"].items() if system_of(key) not in arguments.systems}
        results["runs"] = kept
    known_packages = results.get("machine", {}).get("packages", {})
    results |= {"quick": arguments.quick, "machine": machine.describe(peers_of(arguments.systems), known_packages)}
    deadline = time.monotonic() + QUICK_SECONDS if arguments.quick else None
    failed = run_tasks(tasks, results, path, deadline)

    from plots import draw  # late: what this process holds would count in the memory of those that it starts

    if results["runs"]:
        print("\n" + training_report.markdown(results) + "\n")
        print(*(file.relative_to(ROOT) for file in (path, *draw(results, suffix))), sep="\n")
        if not arguments.quick:
            training_report.write_readme(results)
    if failed:
        raise SystemExit(f"Failed: {', '.join(failed)}. `--reuse` runs only what is missing.")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, shortened runs: at most 5 minutes")
    parser.add_argument("--seeds", type=int, help="at most so many seeds of each system")
    parser.add_argument("--systems", help=f"some of {','.join(NAMES)}; without it all, --quick without {CART_POLE}")
    parser.add_argument("--reuse", action="store_true", help="keep recorded runs of the same code and settings")
    arguments = parser.parse_args()
    everything = [name for name in NAMES if name != CART_POLE or not arguments.quick]
    arguments.systems = arguments.systems.split(",") if arguments.systems else everything
    unknown = [name for name in arguments.systems if name not in NAMES]
    if unknown:
        parser.error(f"unknown systems: {', '.join(unknown)}; known are {', '.join(NAMES)}")
    return arguments


def peers_of(names: list[str]) -> list[str]:
    """Return the peers' environments that some systems need."""
    peers = {SYSTEMS[name].peer for name in names if name in SYSTEMS and SYSTEMS[name].peer}
    return sorted(peers | ({peer_environments.STOCK_COACH} if ROLLOUTS in names else set()))


def system_of(key: str) -> str:
    """Return the name, as ``--systems`` takes it, of what a record is about."""
    name = key.partition("/")[0]
    return next((known for known in (ROLLOUTS, COST_CURVE, START_UP, CART_POLE) if name.startswith(known)), name)


# --- What there is to measure ----------------------------------------------------------------------------------------


def plan(arguments: argparse.Namespace) -> list[Task]:
    """Return the tasks: all systems' first seeds, then all their second ones, so that a slow hour affects all alike."""
    chosen = [
        system
        for name, system in SYSTEMS.items()
        if name in arguments.systems and (system.in_quick or not arguments.quick)
    ]
    most = 1 if arguments.quick and arguments.seeds is None else arguments.seeds
    tasks = [
        training_task(system, seed, arguments.quick)
        for seed in range(max((system.seeds for system in chosen), default=0))
        for system in chosen
        if seed < min(system.seeds, most or system.seeds)
    ]
    if ROLLOUTS in arguments.systems:
        tasks += rollout_tasks(arguments.quick)
    if COST_CURVE in arguments.systems:
        tasks += cost_tasks(arguments.quick)
    if START_UP in arguments.systems:
        tasks += start_up_tasks()
    if CART_POLE in arguments.systems:
        tasks += cart_pole_tasks(min(cart_pole.SEEDS, most or cart_pole.SEEDS), arguments.quick)
    return tasks


def training_task(system: systems.System, seed: int, quick: bool) -> Task:
    return Task(
        f"{system.name}/{seed}",
        partial(systems.measure, system, seed, quick),
        {**system.settings(quick), "seed": seed},
        system.code(),
    )


def rollout_tasks(quick: bool) -> Iterator[Task]:
    code = [*systems.our_code(), BENCHMARKS / "rollouts.py", systems.STOCK_COACH]
    runs = [("stock", "1"), *(("ours", number) for number in (QUICK_ROLLOUTS if quick else rollouts.ENVIRONMENTS))]
    for system, environments in runs:
        yield Task(
            f"{ROLLOUTS}-{system}/{environments}",
            partial(rollouts.measure, system, environments),
            {"system": system, "environments": environments},
            code,
        )


def cost_tasks(quick: bool) -> Iterator[Task]:
    steps, environments = (
        (cost_curve.QUICK_STEPS, cost_curve.QUICK_ENVIRONMENTS)
        if quick
        else (cost_curve.STEPS, cost_curve.ENVIRONMENTS)
    )
    points = [("steps", number, cost_curve.steps_settings(number)) for number in steps]
    points += [("environments", number, cost_curve.environments_settings(number, quick)) for number in environments]
    for curve, number, settings in points:
        yield Task(
            f"{COST_CURVE}-{curve}/{number}",
            partial(cost_curve.measure, curve, settings),
            settings,
            systems.our_code(),
        )


def start_up_tasks() -> Iterator[Task]:
    image = start_up.image_id()
    if image is None:
        print(f"{START_UP}: left out, it needs a Docker engine and the training image (make images)", flush=True)
        return
    yield Task(
        f"{START_UP}/container", start_up.measure, {**start_up.SHORT_JOB, "image": image}, [Path(start_up.__file__)]
    )


def cart_pole_tasks(seeds: int, quick: bool) -> Iterator[Task]:
    code = [*systems.our_code(), *cart_pole.code()]
    for run in cart_pole.runs(seeds):
        yield Task(run.key, partial(cart_pole.measure, run, quick), {**run.hyperparameters(), "quick": quick}, code)


# --- Measuring -------------------------------------------------------------------------------------------------------


def run_tasks(tasks: list[Task], results: dict[str, Any], path: Path, deadline: float | None) -> list[str]:
    """Run and record the tasks that have no record of the same fingerprint; return the keys of those that failed."""
    failed = []
    revision = machine.git_revision()
    for number, task in enumerate(tasks, 1):
        heading = f"[{number}/{len(tasks)}] {task.key}"
        fingerprint = task.fingerprint()
        if results["runs"].get(task.key, {}).get("fingerprint") == fingerprint:
            print(f"{heading}: recorded already", flush=True)
            continue
        if deadline is not None and time.monotonic() > deadline:
            print(f"{heading}: left out, for time", flush=True)
            continue
        print(f"{heading} ...", flush=True)
        started = time.monotonic()
        date = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            record = task.measure(LOGS / f"{task.key.replace('/', '-')}.log")
        except RunFailed as error:
            print(f"{heading} failed: {error}", flush=True)
            failed.append(task.key)
            continue
        provenance = {"settings": task.inputs, "date": date, "revision": revision, "fingerprint": fingerprint}
        results["runs"][task.key] = record | provenance
        write(path, results)
        print(f"{heading}: {headline(record)}; {time.monotonic() - started:.0f} s in all", flush=True)
    return failed


def headline(record: dict[str, Any]) -> str:
    """Return the most important numbers of a record, for the terminal."""
    names = {
        "seconds": ".2f",
        "wall_seconds": ".1f",
        "steps_per_second": ",.0f",
        "seconds_to_threshold": ".1f",
        "final_mean": ".2f",
    }
    known = [(name, record[name], form) for name, form in names.items() if record.get(name) is not None]
    return ", ".join(f"{name.replace('_', ' ')} {value:{form}}" for name, value, form in known)


def write(path: Path, results: dict[str, Any]) -> None:
    """Write the results with their summary; the file appears whole or not at all."""
    content = {
        "quick": results["quick"],
        "machine": results["machine"],
        "summary": training_report.summarize(results),
        "bar": training_report.bars(results),
        "runs": results["runs"],
    }
    staged = path.with_suffix(".tmp")
    staged.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(staged, path)


if __name__ == "__main__":
    main()
