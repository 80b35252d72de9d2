"""Everything at once for minutes: load, all bodies and raw requests, floods, kills and stopped workers.

    python tests/serving/attacks/mixed_load.py --minutes 10 [--model FOLDER] [--server URL [--pid PID]]

Without ``--server`` it serves the folder of an unpacked model.tar.gz itself (by default of a policy that it trains for
a moment). Kills, stops and memory need the id of a server's first process. Ends with 1, and says why, if an answer was
wrong, if a request was lost, if one was refused that no killed worker had in hand, if memory grew, or if the first
process has ended.
"""

import argparse
import contextlib
import itertools
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from asking import BODIES, ask, heads_of
from exchanges import FIVE_HUNDRED, NO_ANSWER, WRONG, NoAnswerError, Outcome, ping_seconds
from floods import KINDS as FLOODS
from floods import flood
from kills import lost, workers_of
from load import Load, under_load
from raw_asking import RAW_REQUESTS, send

SECONDS_BETWEEN_KILLS = 3.0
SECONDS_BETWEEN_STOPS = 20.0
SECONDS_OF_A_FLOOD = 2.0
SECONDS_TO_WARM_UP = 60.0
SECONDS_OF_A_MINIMUM = 10.0
"""Of which the least memory counts: what is in hand at a moment is none that stays."""
MEGABYTES_PER_MINUTE = 1.0
"""By which memory may grow: less than a request that stays with every worker in each minute."""
LARGEST_BODY = 100_000
"""Of the bodies sent: an answer that has begun to leave when its worker is killed has to break off."""
SECONDS_FOR_PING = 2.0
"""SageMaker's."""
BATCH = "[" + ",".join(["[0.5,-0.5]"] * 100) + "]"
LISTED = 20


@dataclass
class Report:
    """What happened.

    Attributes:
        seconds: that it took.
        outcomes: of bodies and raw requests by kind; of answers by 503 under that name.
        faults: what was not right, one sentence each.
        loads: of clients that keep asking.
        pings: seconds of each /ping on a connection of its own.
        kills: workers killed.
        stops: workers stopped.
        floods: connections that flooded.
        memory: seconds, bytes of the first process, bytes of all, once a second; RSS.
    """

    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    pings: list[float] = field(default_factory=list)
    kills: int = 0
    stops: int = 0
    floods: int = 0
    memory: list[tuple[float, int, int]] = field(default_factory=list)

    def requests(self) -> int:
        return sum(self.outcomes.values()) + sum(sum(load.statuses.values()) for load in self.loads)

    def refused(self) -> int:
        return self.outcomes["503"] + sum(load.statuses[503] for load in self.loads)

    def growth(self, column: int) -> float | None:
        """Return by how many MB per minute memory grew after the first minute: column 1 the first process, 2 all."""
        samples = [row for row in self.memory if row[0] > SECONDS_TO_WARM_UP]
        windows = [list(of) for _, of in itertools.groupby(samples, lambda row: row[0] // SECONDS_OF_A_MINIMUM)]
        if len(windows) < 6:
            return None
        minutes = [window[0][0] / 60 for window in windows]
        least = [min(row[column] for row in window) / 1e6 for window in windows]
        return float(np.polyfit(minutes, least, 1)[0])

    def failures(self) -> list[str]:
        """Return the sentences that say what must not happen, and did."""
        found = list(self.faults)
        for load in self.loads:
            found += [f"a client's answer is wrong: {answer[:80]!r}" for answer in load.wrong]
            found += [f"clients lost {count} requests: {name}" for name, count in lost(load).items()]
            found += [f"clients got {count} answers by {s}" for s, count in load.statuses.items() if _is_wrong(s)]
        if not self.kills + self.stops and self.refused():
            found.append(f"{self.refused()} requests were refused by 503, and no worker was killed")
        for column, name in ((1, "the first process"), (2, "all processes")):
            if (growth := self.growth(column)) is not None and growth > MEGABYTES_PER_MINUTE:
                found.append(f"memory of {name} grew by {growth:.2f} MB per minute")
        return found

    def table(self) -> str:
        pings = sorted(self.pings) or [0.0]
        rows: list[tuple[str, str]] = [
            ("seconds", f"{self.seconds:.0f}"),
            ("requests", f"{self.requests():,}"),
            ("wrong answers", str(self.outcomes[WRONG] + sum(len(load.wrong) for load in self.loads))),
            ("lost", str(self.outcomes[NO_ANSWER] + sum(sum(lost(load).values()) for load in self.loads))),
            ("refused by 503", f"{self.refused():,}"),
            ("workers killed, stopped", f"{self.kills}, {self.stops}"),
            ("connections that flooded", f"{self.floods:,}"),
            ("/ping, p99 and longest", f"{1000 * pings[int(0.99 * len(pings))]:.0f}, {1000 * pings[-1]:.0f} ms"),
        ]
        if self.memory:
            rows.append(
                ("MB of the first process, of all", " + ".join(f"{size / 1e6:.0f}" for size in self.memory[-1][1:]))
            )
        for column, name in ((1, "first process"), (2, "all")):
            growth = self.growth(column)
            rows.append((f"MB per minute, {name}", "not measured" if growth is None else f"{growth:+.2f}"))
        return "\n".join(f"{name:<34}{value:>16}" for name, value in rows)


def _is_wrong(status: int | str) -> bool:
    return isinstance(status, int) and status not in (200, 503)


def run(url: str, pid: int | None, seconds: float) -> Report:
    """Attack a server in all ways at once.

    Args:
        url: of the server.
        pid: of its first process; without it nothing is killed, stopped or measured.
        seconds: for which.
    """
    report = Report()
    start = time.monotonic()
    stopped = threading.Event()
    attackers: list[Callable[[], None]] = [
        lambda: _ask(url, report, stopped),
        lambda: _flood(url, report, stopped),
        lambda: _ping(url, report, stopped),
    ]
    if pid is not None:
        attackers += [
            lambda: _kill(pid, report, stopped),
            lambda: _stop(pid, report, stopped),
            lambda: _measure(pid, report, stopped, start),
        ]

    def guarded(attacker: Callable[[], None]) -> None:
        try:
            attacker()
        except Exception as error:
            report.faults.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=guarded, args=(attacker,)) for attacker in attackers]
    with under_load(url, 3) as singles, under_load(url, 2, body=BATCH) as batches:
        report.loads = [singles, batches]
        for thread in threads:
            thread.start()
        stopped.wait(seconds)
        stopped.set()
        for thread in threads:
            thread.join()
    report.seconds = time.monotonic() - start
    return report


# --- The attackers, each in a thread ---------------------------------------------------------------------------------
def _ask(url: str, report: Report, stopped: threading.Event) -> None:
    """Send all bodies and raw requests in turn, again and again."""
    heads = heads_of(url)
    bodies = [body for body in BODIES if len(body.content) < LARGEST_BODY]
    heads([row for body in bodies for row in dict.fromkeys(map(tuple, body.rows))])
    asks: list[tuple[str, Callable[[], Outcome]]] = []
    asks += [(body.name, lambda body=body: ask(url, body, heads)) for body in bodies]  # type: ignore[misc]
    asks += [(request.name, lambda request=request: send(url, request)) for request in RAW_REQUESTS]  # type: ignore[misc]
    for name, send_it in itertools.cycle(asks):
        if stopped.is_set():
            return
        outcome = send_it()
        if outcome.kind == FIVE_HUNDRED and "503" in outcome.reason:
            report.outcomes["503"] += 1
            continue
        report.outcomes[outcome.kind] += 1
        if outcome.reason:
            report.faults.append(f"{name}: {outcome.kind}: {outcome.reason}")


def _flood(url: str, report: Report, stopped: threading.Event) -> None:
    for kind in itertools.cycle(FLOODS):
        with flood(url, kind, 20) as done:
            stopped.wait(SECONDS_OF_A_FLOOD)
        report.floods += done.connections
        if stopped.is_set():
            return


def _ping(url: str, report: Report, stopped: threading.Event) -> None:
    while not stopped.wait(0.1):
        start = time.monotonic()
        try:
            ping_seconds(url, SECONDS_FOR_PING)
        except NoAnswerError as error:
            if "503" in str(error):  # the worker that had it was killed
                report.outcomes["503"] += 1
            else:
                report.faults.append(str(error))
        report.pings.append(time.monotonic() - start)


def _kill(pid: int, report: Report, stopped: threading.Event) -> None:
    while not stopped.wait(SECONDS_BETWEEN_KILLS):
        if workers := workers_of(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(workers[report.kills % len(workers)], signal.SIGKILL)
                report.kills += 1


def _stop(pid: int, report: Report, stopped: threading.Event) -> None:
    """Stop a worker for good: the server has to replace it."""
    stopped.wait(SECONDS_BETWEEN_KILLS / 2)
    while not stopped.is_set():
        if workers := workers_of(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(workers[-1], signal.SIGSTOP)
                report.stops += 1
        stopped.wait(SECONDS_BETWEEN_STOPS)


def _measure(pid: int, report: Report, stopped: threading.Event, start: float) -> None:
    first = psutil.Process(pid)
    while not stopped.wait(1):
        if not first.is_running() or first.status() == psutil.STATUS_ZOMBIE:
            report.faults.append("the first process has ended")
            return
        sizes = [first.memory_info().rss]
        for process in first.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                sizes.append(process.memory_info().rss)
        report.memory.append((time.monotonic() - start, sizes[0], sum(sizes)))


# --- A server to attack ----------------------------------------------------------------------------------------------
@contextlib.contextmanager
def serving(model: Path | None) -> Iterator[tuple[str, int]]:
    """Serve a model by a process; yield its address and id."""
    tests = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(tests), str(tests.parent / "container_src"), str(tests.parent / "scripts")]
    from jobs import SHORT_PPO, free_port, run_training, start_server, wait_until_healthy

    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        if model is None:
            job = run_training(base / "training", SHORT_PPO)
            if job.status:
                sys.exit(f"Error: The policy to serve could not be trained: {job.failure}")
            model = job.ml / "model"
        (base / "model").symlink_to(model.resolve())
        port = free_port()
        with (base / "log").open("w", encoding="utf-8") as log:
            settings = {"SAGEMAKER_MODEL_SERVER_WORKERS": "2", "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "2"}
            process = start_server(base, port, stdout=log, environment=settings)
            try:
                url = f"http://127.0.0.1:{port}"
                wait_until_healthy(url, lambda: process.poll() is None)
                yield url, process.pid
            finally:
                process.terminate()
                process.wait(30)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--model", type=Path, help="the folder of an unpacked model.tar.gz")
    parser.add_argument("--server", metavar="URL", help="that runs already")
    parser.add_argument("--pid", type=int, help="of that server's first process")
    given = parser.parse_args(arguments)
    with contextlib.ExitStack() as stack:
        url, pid = (given.server.rstrip("/"), given.pid) if given.server else stack.enter_context(serving(given.model))
        report = run(url, pid, 60 * given.minutes)
    failures = report.failures()
    print(report.table())
    for failure, count in Counter(failures).most_common(LISTED):
        print(f"Error: {failure}" + (f" ({count} times)" if count > 1 else ""))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
