"""The serving container under a memory limit, flooded with bodies: its first process has to live, and to answer pings.

    python tests/serving/attacks/memory_limits.py [--image mountain-car-serving] --model FOLDER [--seconds 15]

Needs a Docker engine. Runs every limit with every number of workers and every flood, one after the other, and prints a
line for each.
"""

import argparse
import contextlib
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exchanges import Answer, Exchange, NoAnswerError, ping_seconds
from floods import Bytes, body_without_its_last_byte, chunks_without_end, flood
from raw_requests import post

import docker

LIMITS = ("256m", "512m", "1g")
WORKERS = (2, 4, 8, 16)
CONNECTIONS = 150
ANNOUNCED_BYTES = 6 * 1024 * 1024
LARGE_BODY_MEGABYTES = 140
TIMES_REFUSED = 5
"""Each client on average, until a flood is over."""
SECONDS_FOR_PING = 2.0
"""SageMaker's."""
SECONDS_TO_START = 60.0
SECONDS_TO_RECOVER = 20.0


@dataclass
class Limited:
    """A running container with a memory limit."""

    container: Any
    url: str

    def fault(self) -> str:
        """Return why the first process is no longer alive; empty if it is."""
        self.container.reload()
        state = self.container.attrs["State"]
        if state["Running"]:
            return ""
        log = self.container.logs().decode().splitlines()[-3:]
        return f"the first process has ended with {state['ExitCode']}: {log}"


@contextlib.contextmanager
def limited(
    engine: docker.DockerClient, image: str, model: Path, limit: str, workers: int, **environment: str
) -> Iterator[Limited]:
    """Start a container with so much memory, no swap, and so many workers; wait until it is healthy.

    Raises:
        NoAnswerError: It does not become healthy.
    """
    container = engine.containers.run(
        image,
        "serve",
        detach=True,
        volumes={str(model): {"bind": "/opt/ml/model", "mode": "ro"}},
        environment={"SAGEMAKER_MODEL_SERVER_WORKERS": str(workers), **environment},
        mem_limit=limit,
        memswap_limit=limit,
    )
    try:
        container.reload()
        running = Limited(container, f"http://{container.attrs['NetworkSettings']['IPAddress']}:8080")
        wait_for_ping(running, SECONDS_TO_START)
        yield running
    finally:
        container.remove(force=True)


def wait_for_ping(running: Limited, seconds: float) -> None:
    """Wait until /ping is answered by 200.

    Raises:
        NoAnswerError: It is not, in so many seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            ping_seconds(running.url, SECONDS_FOR_PING)
            return
        except NoAnswerError as error:
            if fault := running.fault():
                raise NoAnswerError(fault) from None
            if time.monotonic() > deadline:
                raise NoAnswerError(f"not healthy after {seconds:.0f} s: {error}") from None
            time.sleep(0.1)


def faults_under_flood(running: Limited, kind: Bytes, seconds: float) -> list[str]:
    """Flood a container with bodies of the largest size for so long at most; return what did not hold.

    The flood is over a second after it has sent all it announced, or was refused often. A ping may be answered by 503
    while workers are replaced, and has to be answered within SageMaker's 2 seconds.
    """
    faults = []
    with flood(running.url, kind, CONNECTIONS, ANNOUNCED_BYTES) as done:
        deadline = time.monotonic() + seconds
        is_over = False
        while time.monotonic() < deadline:
            if not is_over and (
                done.sent > (CONNECTIONS - 1) * ANNOUNCED_BYTES or done.connections > CONNECTIONS * TIMES_REFUSED
            ):
                is_over = True
                deadline = min(deadline, time.monotonic() + 1)
            try:
                ping_seconds(running.url, SECONDS_FOR_PING)
            except NoAnswerError as error:
                if "/ping is answered 503" not in str(error):
                    faults.append(str(error))
            if fault := running.fault():
                return [fault]
            time.sleep(0.1)
    try:
        wait_for_ping(running, SECONDS_TO_RECOVER)
        answer = ask(running, post())
    except NoAnswerError as error:
        return [*faults, f"after the flood: {error}"]
    if answer.status != 200:
        faults.append(f"after the flood: {answer.status} {answer.body[:100]!r}")
    return faults


def ask(running: Limited, request: bytes, seconds: float = 30) -> Answer:
    with Exchange(running.url, seconds) as exchange:
        exchange.send(request)
        return exchange.read_answer()


def large_request(megabytes: int) -> bytes:
    """Return a good request whose body has so many megabytes, most of them blanks."""
    body = b"[[0.5,-0.5]" + b" " * (megabytes * 10**6) + b"]"
    return post(b"Content-Length: %d\r\n" % len(body), body)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", default="mountain-car-serving")
    parser.add_argument("--model", type=Path, required=True, help="the folder of an unpacked model.tar.gz")
    parser.add_argument("--seconds", type=float, default=15, help="of each flood at most")
    given = parser.parse_args(arguments)
    engine = docker.from_env()
    failed = False
    for limit, workers in itertools.product(LIMITS, WORKERS):
        for kind in (body_without_its_last_byte, chunks_without_end):
            try:
                with limited(engine, given.image, given.model.resolve(), limit, workers) as running:
                    faults = faults_under_flood(running, kind, given.seconds)
            except NoAnswerError as error:
                faults = [str(error)]
            failed |= bool(faults)
            name = kind.__name__.replace("_", " ")
            print(f"{limit:>5} {workers:>3} workers  {name:<28} {'; '.join(faults) or 'holds'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
