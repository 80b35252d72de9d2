"""Room for bodies: what all workers share, what is kept for small ones, and the one body beside it."""

from types import SimpleNamespace

import pytest
from sagemaker_rl.serving.body_room import SMALL_BODY, BodyRoom

LIMIT = 40 * SMALL_BODY
LARGE = 30 * SMALL_BODY
"""What large bodies may have together."""


def holder():
    return SimpleNamespace(reserved=0, is_beside=False)


@pytest.fixture
def rooms():
    """Return the room as two workers see it."""
    reserved, beside = [9.0, 9.0], [1, 1]
    return [BodyRoom(reserved, beside, worker, LIMIT) for worker in (0, 1)]


def test_workers_share_it(rooms):
    first, second = holder(), holder()
    assert rooms[0].reserve(first, LARGE - 1)
    assert rooms[1].reserve(second, 1)
    assert [room.used for room in rooms] == [LARGE - 1, 1]
    rooms[0].release(first)
    rooms[0].release(first)
    assert [room.used for room in rooms] == [0, 1]


def test_a_part_is_kept_for_small_bodies(rooms):
    rooms[0].hold(holder(), LARGE)
    beside, small, grown = holder(), holder(), holder()
    assert rooms[0].reserve(beside, SMALL_BODY + 1)
    assert beside.is_beside
    assert not rooms[1].reserve(holder(), SMALL_BODY + 1)
    assert rooms[1].reserve(small, SMALL_BODY)
    assert rooms[1].reserve(grown, SMALL_BODY)
    assert not rooms[1].reserve(grown, 1)
    rooms[1].hold(holder(), 8 * SMALL_BODY)
    assert not rooms[1].reserve(holder(), 1)


def test_one_body_of_any_size_is_admitted_at_a_time(rooms):
    rooms[1].hold(holder(), LIMIT)
    first, second = holder(), holder()
    assert rooms[0].reserve(first, 100 * LIMIT)
    assert rooms[0].used == 0
    assert rooms[0].reserve(first, 100 * LIMIT)  # it grows as it likes
    assert not rooms[1].reserve(second, 1)
    rooms[0].release(first)
    assert not first.is_beside
    assert rooms[1].reserve(second, 1)
    assert second.is_beside


def test_a_body_that_grows_beyond_the_room_goes_beside_it_with_all_it_has(rooms):
    growing = holder()
    assert rooms[0].reserve(growing, LARGE)
    assert rooms[0].reserve(growing, 1)
    assert (growing.is_beside, growing.reserved, rooms[0].used) == (True, 0, 0)


def test_a_worker_that_is_replaced_begins_with_nothing(rooms):
    rooms[0].hold(holder(), LIMIT)
    assert BodyRoom(rooms[0]._reserved, rooms[0]._beside, 0, LIMIT).used == 0
