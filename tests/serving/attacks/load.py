"""Clients that keep asking, and count every request: what came back, and what did not."""

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import numpy as np

BODY = json.dumps([0.5, -0.5])


@dataclass
class Load:
    """The answers to the requests so far.

    Attributes:
        statuses: how many answers of each status; the name of an exception where there was none.
        pings: seconds that each /ping took.
        wrong: answers that differ from the first one.
        refusals: the details of the answers by 503, and how many there are of each.
    """

    statuses: Counter[int | str] = field(default_factory=Counter)
    pings: list[float] = field(default_factory=list)
    wrong: list[bytes] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> dict[int | str, int]:
        return {status: count for status, count in self.statuses.items() if status != 200}


def _same(answer: bytes, expected: bytes) -> bool:
    """Compare numbers as a batch of another size may round them."""
    return answer == expected or np.allclose(json.loads(answer), json.loads(expected), rtol=1e-5, atol=0)


@contextlib.contextmanager
def under_load(url: str, clients: int = 8, path: str = "/invocations", body: str = BODY) -> Iterator[Load]:
    """Keep so many clients asking, and one that pings; each checks that its answers are always the same."""
    load = Load()
    stopped = threading.Event()
    lock = threading.Lock()

    def ask() -> None:
        expected = b""
        with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
            while not stopped.is_set():
                try:
                    response = client.post(path, content=body)
                    outcome: int | str = response.status_code
                    if outcome == 200:
                        expected = expected or response.content
                        if not _same(response.content, expected):
                            load.wrong.append(response.content)
                except httpx.TransportError as error:
                    outcome = type(error).__name__
                with lock:
                    load.statuses[outcome] += 1
                    if outcome == 503:
                        load.refusals[response.json()["detail"]] += 1
                if outcome != 200:
                    time.sleep(0.01)

    def ping() -> None:
        with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
            while not stopped.is_set():
                start = time.perf_counter()
                with contextlib.suppress(httpx.TransportError):
                    client.get("/ping")
                load.pings.append(time.perf_counter() - start)
                time.sleep(0.02)

    threads = [threading.Thread(target=ask) for _ in range(clients)] + [threading.Thread(target=ping)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
