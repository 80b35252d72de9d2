"""``make bench-serving-attacks``: the attack suite at our container, and at uvicorn with the same forward pass.

Both serve the same exported policy by as many workers, one after the other: answers to the suite's bodies and raw
requests by kind, requests lost while a worker is killed each second and under SIGTERM, and requests per processor
second. Needs a Docker engine, the image of ``make images``, and Debian's package ``wrk``. Writes
``results-serving-attacks.json`` and the tables in ``docs/benchmarks.md``.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine
import peer_environments
import serving
from training_job import BENCHMARKS, CONTAINER_SRC, ROOT

ATTACKS = ROOT / "tests" / "serving" / "attacks"
RESULTS = BENCHMARKS / "results-serving-attacks.json"
DOCUMENT = ROOT / "docs" / "benchmarks.md"
BEGIN = "<!-- serving attacks: written by `make bench-serving-attacks`, do not edit -->"
END = "<!-- end of serving attacks -->"
ROWS = (1, 100, 1000)
CONNECTIONS = (1, 16, 64)
SECONDS_OF_KILLS = 20
SECONDS_OF_LOAD = 6
KINDS = ("right", "wrong", "5xx", "no answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 s of kills, 1 s of each load; writes no file")
    parser.add_argument("--model", type=Path, help="an unpacked model.tar.gz; by default one is trained, for seconds")
    arguments = parser.parse_args()
    for command in ("wrk", "docker"):
        if not shutil.which(command):
            parser.error(f"There is no {command}: Debian's docker.io and wrk are needed.")
    if arguments.model and not (arguments.model / "policy.json").is_file():
        parser.error(f"--model is {str(arguments.model)!r}, expected the folder of an unpacked model.tar.gz.")
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or serving.train_model(Path(folder))
        results = measure(model.resolve(), arguments.quick)
    print(markdown(results))
    if not arguments.quick:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        write(results)


@contextlib.contextmanager
def uvicorn_policy(model: Path) -> Iterator[int]:
    """Serve our forward pass by uvicorn; yield the id of its first process."""
    python = peer_environments.python_of(peer_environments.ASGI)
    command = [str(python), "-m", "uvicorn", "uvicorn_policy:app", f"--app-dir={BENCHMARKS / 'peers'}"]
    command += [f"--port={serving.PORT}", f"--workers={serving.WORKERS}", "--loop=uvloop", "--http=httptools"]
    command += ["--no-access-log", "--log-level=critical", "--lifespan=off"]
    environment = {**os.environ, "MODEL": str(model), "PYTHONPATH": str(CONTAINER_SRC)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


SYSTEMS = (
    serving.System("ours", "our container", serving.our_container),
    serving.System("uvicorn", "uvicorn, the same forward pass", uvicorn_policy),
)


def measure(model: Path, quick: bool) -> dict[str, Any]:
    results: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": machine.git_revision(),
        "machine": machine.describe([peer_environments.ASGI], {}),
        "workers": serving.WORKERS,
        "systems": {},
    }
    kills = ["--seconds", "3" if quick else str(SECONDS_OF_KILLS)]
    for system in SYSTEMS:
        print(system.label, flush=True)
        record: dict[str, Any] = {"label": system.label}
        with serving.running(system, model) as pid:
            # whether an error is JSON is a rule of ours, not of HTTP
            record["answers"] = attack("attack.py", *([] if system.name == "ours" else ["--any-errors"]), "--json")
            record["loads"] = [
                {"rows": rows, "connections": connections, **load(system, pid, rows, connections, quick)}
                for rows in ROWS
                for connections in CONNECTIONS
            ]
        with serving.running(system, model) as pid:
            record["kills"] = attack("kills.py", "--pid", str(pid), *kills)
        with serving.running(system, model) as pid:
            record["sigterm"] = attack("kills.py", "--pid", str(pid), "--terminate")
        results["systems"][system.name] = record
    return results


def attack(program: str, *arguments: str) -> dict[str, Any]:
    """Run a program of the attack suite at the server that is running; return what it prints."""
    url = f"http://127.0.0.1:{serving.PORT}"
    command = [sys.executable, str(ATTACKS / program), "--server", url, *arguments]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(output))


def load(system: serving.System, pid: int, rows: int, connections: int, quick: bool) -> dict[str, Any]:
    """Put a server under load; return requests and failures, and requests per processor second of its processes."""
    body = json.dumps([serving.OBSERVATION] * rows)
    serving.load(system, body, connections, 1)
    outcome = serving.measure_load(system, pid, body, connections, 1 if quick else SECONDS_OF_LOAD)
    processor_seconds = outcome["cpu_seconds_per_second"] * outcome["seconds"]
    return {
        "requests": outcome["requests"],
        "failed": outcome["failed"],
        "requests_per_second": outcome["requests_per_second"],
        "requests_per_processor_second": outcome["requests"] / processor_seconds,
    }


# --- The tables ------------------------------------------------------------------------------------------------------
def markdown(results: dict[str, Any]) -> str:
    """Return the tables: answers by kind, lost requests, requests per processor second."""
    systems = list(results["systems"].values())
    answers = [
        (part, system["label"], *(str(system["answers"][part][kind]) for kind in KINDS))
        for part in ("bodies", "raw requests", "floods")
        for system in systems
    ]
    losses = [
        (name, system["label"], *losses_of(system[key]))
        for key, name in (("kills", "SIGKILL of a worker each second"), ("sigterm", "SIGTERM of the first process"))
        for system in systems
    ]
    speeds = [speeds_of(systems, rows, connections) for rows in ROWS for connections in CONNECTIONS]
    labels = [system["label"] for system in systems]
    tables = (
        table(("attack", "server", *KINDS), answers),
        table(("under load", "server", "signals", "requests", "refused by 503", "lost"), losses),
        table(("rows", "connections", *labels, "times"), speeds),
    )
    return "\n\n".join((*tables, measured_on(results)))


def losses_of(measured: dict[str, Any]) -> tuple[str, ...]:
    """Return how many signals, requests, answers by 503 and requests without an answer there were."""
    statuses = measured["statuses"]
    return str(measured["kills"]), f"{sum(statuses.values()):,}", str(statuses.get("503", 0)), str(measured["lost"])


def speeds_of(systems: Sequence[dict[str, Any]], rows: int, connections: int) -> tuple[str, ...]:
    """Return the requests per processor second of both servers under a load, and the first one's times the second's."""
    ours, peer = (
        next(
            measured["requests_per_processor_second"]
            for measured in system["loads"]
            if (measured["rows"], measured["connections"]) == (rows, connections)
        )
        for system in systems
    )
    return f"{rows:,}", str(connections), f"{ours:,.0f}", f"{peer:,.0f}", f"{ours / peer:.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    alignments = ("---", "---", *("---:",) * (len(head) - 2))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, alignments, *rows))


def measured_on(results: dict[str, Any]) -> str:
    described = results["machine"]
    return (
        f"Measured {results['date'][:10]} at revision {results['revision']} on {described['cores']} cores of "
        f"{described['cpu']}, {results['workers']} workers each, uvicorn {described['packages']['asgi']['uvicorn']}; "
        "the third table is of requests per processor second of the server."
    )


def write(results: dict[str, Any]) -> None:
    """Put the tables between the document's two comments."""
    text = DOCUMENT.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
    DOCUMENT.write_text(pattern.sub(lambda _: f"{BEGIN}\n\n{markdown(results)}\n\n{END}", text), encoding="utf-8")


if __name__ == "__main__":
    main()
