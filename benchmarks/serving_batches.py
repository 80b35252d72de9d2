"""``python benchmarks/serving_batches.py``: batches of observations, our server beside uvicorn with our forward pass.

The peer is ``peers/uvicorn_policy.py``. Both run as processes of this machine, both at once, and take turns: a load of
a few seconds each, three times. Needs Debian's package ``wrk``. Writes ``results-serving-batches.json`` and the table
in ``README.md``.
"""

import argparse
import contextlib
import functools
import io
import json
import re
import statistics
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine
import numpy as np
import peer_environments
import serving
from training_job import BENCHMARKS, ROOT

ROWS = (1, 100, 1000)
CONNECTIONS = (1, 16, 64)
JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
LOADS = [
    *((JSON, rows, connections) for rows in ROWS for connections in CONNECTIONS),
    *((media_type, rows, 16) for media_type in (CSV, NPY) for rows in ROWS[1:]),
]
TURNS = 3
SECONDS_PER_TURN = 3
WARM_UP_SECONDS = 1
TO_REACH = 1.2
"""Times the peer's requests per second, at 100 rows."""
RESULTS = BENCHMARKS / "results-serving-batches.json"
README = BENCHMARKS / "README.md"
BEGIN = "<!-- batches: written by `python benchmarks/serving_batches.py`, do not edit -->"
END = "<!-- end of batches -->"
OURS, PEER = "ours", "uvicorn"


@contextlib.contextmanager
def our_server(port: int, model: Path) -> Iterator[int]:
    """Serve by the command of the serving image."""
    environment = {
        "PYTHONPATH": str(ROOT / "container_src"),
        "SAGEMAKER_BIND_TO_HOST": "127.0.0.1",
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_MODEL_SERVER_WORKERS": str(serving.WORKERS),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").symlink_to(model)
        command: list[str | Path] = [sys.executable, ROOT / "container_src" / "deploy-mxnet-coach.py", "serve"]
        with serving.started(command, folder, environment | {"SAGEMAKER_BASE_DIR": name}) as pid:
            yield pid


@contextlib.contextmanager
def peer_server(port: int, model: Path) -> Iterator[int]:
    """Serve by uvicorn."""
    environment = {"PYTHONPATH": str(ROOT / "container_src"), "MODEL": str(model)}
    command = serving.uvicorn("uvicorn_policy:app", port)
    with tempfile.TemporaryDirectory() as name, serving.started(command, Path(name), environment) as pid:
        yield pid


SYSTEMS = (
    serving.System(OURS, "ours", functools.partial(our_server, 18_081), port=18_081),
    serving.System(PEER, "uvicorn with the same forward pass", functools.partial(peer_server, 18_082), port=18_082),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one turn each; writes nothing")
    parser.add_argument("--model", type=Path, help="an unpacked model.tar.gz; by default one is trained, for seconds")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or serving.train_model(Path(folder))
        results = measure(model.resolve(), 1 if arguments.quick else TURNS)
    print(table(results))
    if not arguments.quick:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        text = README.read_text(encoding="utf-8")
        pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
        README.write_text(pattern.sub(lambda _: f"{BEGIN}\n\n{table(results)}\n\n{END}", text), encoding="utf-8")


def measure(model: Path, turns: int) -> dict[str, Any]:
    """Put both systems under each load, in turns."""
    results: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": machine.git_revision(),
        "machine": machine.describe([peer_environments.ASGI], {}),
        "workers": serving.WORKERS,
        "loads": [],
    }
    with contextlib.ExitStack() as stack:
        pids = {system.name: stack.enter_context(serving.running(system, model)) for system in SYSTEMS}
        body = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "body"
        for media_type, rows, connections in LOADS:
            print(f"{media_type}, {rows} rows, {connections} connections", file=sys.stderr, flush=True)
            body.write_bytes(written(media_type, rows))
            record: dict[str, Any] = {"media_type": media_type, "rows": rows, "connections": connections}
            for system in SYSTEMS:
                serving.load(system, body, connections, WARM_UP_SECONDS, media_type)
                record[system.name] = []
            for _ in range(turns):
                for system in SYSTEMS:
                    before = serving.processor_seconds(pids[system.name])
                    outcome = serving.load(system, body, connections, SECONDS_PER_TURN, media_type)
                    outcome["processor_seconds"] = serving.processor_seconds(pids[system.name]) - before
                    record[system.name].append(outcome)
            results["loads"].append(record)
    return results


def written(media_type: str, rows: int) -> bytes:
    """Return a request's body: observations of the car, in as many digits as Python writes."""
    observations = np.random.default_rng(rows).uniform((-1.2, -0.07), (0.6, 0.07), (rows, 2))
    if media_type == NPY:
        stream = io.BytesIO()
        np.save(stream, observations.astype(np.float32))
        return stream.getvalue()
    if media_type == CSV:
        return "\n".join(f"{position!r},{velocity!r}" for position, velocity in observations.tolist()).encode("ascii")
    return json.dumps(observations.tolist()).encode("ascii")


def table(results: dict[str, Any]) -> str:
    """Return a row for each load: requests per second and processor time per request of both, and their ratios."""
    head = ("media type", "observations", "connections", "requests/s: ours", "uvicorn", "ratio")
    rows = [(*head, "CPU µs per request: ours", "uvicorn", "ratio", "failed"), ("---", *("---:",) * 9)]
    for load in results["loads"]:
        (our_rate, our_time, our_failed), (rate, seconds, failed) = (_summary(load[name]) for name in (OURS, PEER))
        rows.append(
            (
                load["media_type"],
                f"{load['rows']:,}",
                str(load["connections"]),
                f"{our_rate:,.0f}",
                f"{rate:,.0f}",
                f"{our_rate / rate:.2f}",
                f"{1e6 * our_time:,.0f}",
                f"{1e6 * seconds:,.0f}",
                f"{seconds / our_time:.2f}",
                f"{our_failed} + {failed}",
            )
        )
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    of_hundred = [
        _summary(load[OURS])[0] / _summary(load[PEER])[0]
        for load in results["loads"]
        if (load["media_type"], load["rows"]) == (JSON, 100)
    ]
    reached = "yes" if min(of_hundred) >= TO_REACH else "**no**"
    where = results["machine"]
    return "\n".join(lines) + (
        f"\n\nAt 100 observations {TO_REACH} times uvicorn's requests per second or more, as JSON at each number of "
        f"connections: {', '.join(f'{ratio:.2f}' for ratio in of_hundred)}: {reached}. Measured {results['date'][:10]} "
        f"at revision {results['revision']} on {where['cores']} cores of {where['cpu']}, {results['workers']} workers "
        f"each, with wrk on the same cores; medians of {len(results['loads'][0][OURS])}."
    )


def _summary(outcomes: list[dict[str, Any]]) -> tuple[float, float, int]:
    """Return the median of requests per second, that of processor seconds per request, and how many failed in all."""
    return (
        statistics.median(outcome["requests_per_second"] for outcome in outcomes),
        statistics.median(outcome["processor_seconds"] / outcome["requests"] for outcome in outcomes),
        sum(outcome["failed"] for outcome in outcomes),
    )


if __name__ == "__main__":
    main()
