"""AWS's eventual consistency: what was made a moment ago may not be found yet."""

import time
from collections.abc import Callable
from typing import TypeVar

from launch.aws.clients import Clients

Found = TypeVar("Found")


def once_found(clients: Clients, find: Callable[[], Found | None]) -> Found | None:
    """Return what ``find`` finds of something that was made; None if it still finds nothing after a while."""
    deadline = time.monotonic() + clients.seconds_until_found
    while (found := find()) is None and time.monotonic() < deadline:
        time.sleep(clients.seconds_between_polls)
    return found
