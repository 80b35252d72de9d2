"""Memory for the bodies of requests: room is reserved before they come, in a sum that all workers share.

Ordinary bodies share ``limit`` bytes, of which a part is kept for small ones: clients that announce large bodies and
withhold them keep nobody from asking a question. Beside these, one body of any size is admitted at a time, so that the
largest that is allowed never waits for ever.
"""

from collections.abc import MutableSequence
from typing import Protocol

SMALL_BODY = 64 * 1024
"""Bytes of a body that may use all of the room."""
SHARE_OF_LARGE_BODIES = 0.75
"""Of the room, which all others may use together."""


class Holder(Protocol):
    """What room is reserved for: a request, or what is unread of an answer.

    Attributes:
        reserved: bytes that it has of the shared room; 0 at first.
        is_beside: whether it is the one body beside that room.
    """

    reserved: int
    is_beside: bool


class BodyRoom:
    """The room as one worker sees it.

    Args:
        reserved: bytes that each worker has reserved; all workers see it, and this one writes its own.
        beside: for each worker 1 if it has the body beside the room, else 0; as above.
        worker: the number of this one.
        limit: bytes of all ordinary bodies together.
    """

    def __init__(
        self, reserved: MutableSequence[float], beside: MutableSequence[int], worker: int, limit: float
    ) -> None:
        self._reserved = reserved
        self._beside = beside
        self._worker = worker
        self._limit = limit
        reserved[worker] = beside[worker] = 0

    @property
    def used(self) -> int:
        """Bytes that this worker has reserved."""
        return int(self._reserved[self._worker])

    def reserve(self, holder: Holder, size: int) -> bool:
        """Reserve so many bytes more; return whether there was room.

        Two workers may find the same room at the same moment: then the sum is larger by one body.
        """
        if holder.is_beside:
            return True
        share = 1.0 if holder.reserved + size <= SMALL_BODY else SHARE_OF_LARGE_BODIES
        if sum(self._reserved) + size <= share * self._limit:
            self.hold(holder, size)
        elif any(self._beside):
            return False
        else:
            self.release(holder)
            self._beside[self._worker] = 1
            holder.is_beside = True
        return True

    def hold(self, holder: Holder, size: int) -> None:
        """Count bytes that are there already, as those of an answer are."""
        holder.reserved += size
        self._reserved[self._worker] += size

    def release(self, holder: Holder) -> None:
        """Give back all that is reserved for a holder."""
        self._reserved[self._worker] -= holder.reserved
        holder.reserved = 0
        if holder.is_beside:
            holder.is_beside = False
            self._beside[self._worker] = 0
