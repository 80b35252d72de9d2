"""Which process started what, so that a later command can tell whether it is still there."""

from dataclasses import dataclass
from pathlib import Path

ENDED = 0
"""The start time of a process that has ended."""


@dataclass(frozen=True)
class ProcessId:
    """A process: the kernel gives its number to another process some time after its end, but not its start time.

    Attributes:
        pid: its number.
        start_time: in clock ticks since the machine's start; ``ENDED`` if it has ended, or is a zombie.
    """

    pid: int
    start_time: int

    @classmethod
    def of(cls, pid: int) -> "ProcessId":
        """Return the process that has a number now; see ``man proc_pid_stat``."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            return cls(pid, ENDED)
        return cls(pid, ENDED if fields[0] == "Z" else int(fields[19]))

    @classmethod
    def parse(cls, text: str) -> "ProcessId":
        """Return the process that ``str`` has written, in a container's label or a file.

        Raises:
            ValueError: The text is of another form.
        """
        pid, _, start_time = text.partition(":")
        return cls(int(pid), int(start_time))

    def __str__(self) -> str:
        return f"{self.pid}:{self.start_time}"

    @property
    def is_alive(self) -> bool:
        """Whether this process has not ended."""
        return self.start_time != ENDED and ProcessId.of(self.pid) == self
