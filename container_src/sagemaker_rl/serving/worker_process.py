"""A worker as the supervisor knows it."""

import socket
from dataclasses import dataclass, field


@dataclass
class WorkerProcess:
    """A worker process, its end of the control sockets, and what it has.

    Attributes:
        number: its place among the workers; its replacement has the same.
        pid: of its process.
        control_socket: the supervisor's end of the pair.
        models: that it had when it was started, as folders by name.
        slots: of the connections that it has.
        taken: of those that others have by now, and that it has not closed yet.
        revoked_since: seconds on the monotonic clock when its connections were revoked, None if they are not.
        updates: how many operations of models it still has to carry out before it is ready.
        is_killed: it was stuck.
    """

    number: int
    pid: int
    control_socket: socket.socket
    models: dict[str, str]
    slots: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)
    revoked_since: float | None = None
    updates: int = 0
    is_killed: bool = False
