"""Kills and stops under load, and what becomes of the requests.

    python tests/serving/attacks/kills.py --server URL --pid PID [--seconds 10] [--clients 8] [--terminate]

Kills a worker of the server whose first process is PID by SIGKILL each second, or sends SIGTERM to the first process,
while clients ask; prints as JSON how many answers there were of each status, and how many requests were lost.
"""

import argparse
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil
from load import Load, under_load

NOT_ACCEPTED = "ConnectError"
"""The connection was refused: no server had accepted the request."""


def workers_of(pid: int) -> list[int]:
    """Return the processes that serve below a server's first one; multiprocessing's own helper is none."""
    children = psutil.Process(pid).children()
    return sorted(child.pid for child in children if "resource_tracker" not in " ".join(_command(child)))


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def until(condition: Callable[[], Any], seconds: float) -> float:
    """Wait for a condition; return the seconds it took.

    Raises:
        AssertionError: It does not come.
    """
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, f"not within {seconds} s"
        time.sleep(0.01)
    return time.monotonic() - start


def kill_each_second(url: str, pid: int, seconds: float, clients: int = 8) -> tuple[Load, list[float]]:
    """Kill one of the workers each second under load.

    Returns:
        The load, and after each kill the seconds until there were as many workers again.
    """
    number = len(workers_of(pid))
    replaced = []
    with under_load(url, clients) as load:
        until(lambda: load.statuses[200] > 100, 30)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            victim = workers_of(pid)[0]
            os.kill(victim, signal.SIGKILL)
            replaced.append(
                until(lambda v=victim: len(now := workers_of(pid)) == number and v not in now, 10)  # type: ignore[misc]
            )
            time.sleep(max(0.0, 1 - replaced[-1]))
    return load, replaced


def terminate(url: str, pid: int, clients: int = 8) -> Load:
    """Send SIGTERM under load, and go on asking until the first process has ended."""
    process = psutil.Process(pid)
    with under_load(url, clients) as load:
        until(lambda: load.statuses[200] > 500, 60)
        os.kill(pid, signal.SIGTERM)
        until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, 30)
    return load


def lost(load: Load) -> dict[str, int]:
    """Return the requests without an answer that a server had accepted, by what happened to them."""
    return {name: count for name, count in load.statuses.items() if isinstance(name, str) and name != NOT_ACCEPTED}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", metavar="URL", required=True)
    parser.add_argument("--pid", type=int, required=True, help="of the server's first process")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--terminate", action="store_true", help="SIGTERM instead of kills")
    given = parser.parse_args(arguments)
    kills = 1
    if given.terminate:
        load = terminate(given.server, given.pid, given.clients)
    else:
        load, replaced = kill_each_second(given.server, given.pid, given.seconds, given.clients)
        kills = len(replaced)
    counted = {str(status): count for status, count in load.statuses.items()}
    print(json.dumps({"kills": kills, "statuses": counted, "lost": sum(lost(load).values()), "wrong": len(load.wrong)}))


if __name__ == "__main__":
    main()
