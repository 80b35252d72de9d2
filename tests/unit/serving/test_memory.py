"""Whether there is memory for another model, by what the container's cgroup or the machine tells."""

import os

import pytest
from sagemaker_rl.serving import memory

LIMIT, USED, CACHED = 1_000_000, 300_000, 100_000
MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    (tmp_path / "cgroup").mkdir()
    monkeypatch.setattr(memory, "CGROUP", tmp_path / "cgroup")

    def write(limit=str(LIMIT), current=str(USED), statistics=f"anon 7\ninactive_file {CACHED}\nactive_file 9"):
        for name, text in (("memory.max", limit), ("memory.current", current), ("memory.stat", statistics)):
            (tmp_path / "cgroup" / name).write_text(f"{text}\n")

    return write


@pytest.fixture
def model(tmp_path):
    """Return a function that makes a folder with files of so many bytes in all."""

    def make(size):
        (tmp_path / "model/code").mkdir(parents=True, exist_ok=True)
        (tmp_path / "model/graph").write_bytes(b"x" * (size // 3))
        (tmp_path / "model/code/inference.py").write_bytes(b"x" * (size - size // 3))
        (tmp_path / "model/gone").unlink(missing_ok=True)
        (tmp_path / "model/gone").symlink_to("/nowhere")
        return tmp_path / "model"

    return make


LINK = len("/nowhere")
ROOM = 900_000 - (USED - CACHED)
"""Nine tenths of the limit, without what is used; cached files do not count."""


@pytest.mark.parametrize(("size", "times", "fits"), [(ROOM, 1, True), (ROOM + 1, 1, False), (ROOM // 7, 7, True)])
def test_room_is_what_the_limit_leaves_but_for_a_tenth(cgroup, model, size, times, fits):
    cgroup()
    assert memory.has_room_for(model(size - LINK), times) is fits


def test_every_time_counts(cgroup, model):
    cgroup()
    folder = model(100_000 - LINK)
    assert [memory.has_room_for(folder, times) for times in (1, 7, 8)] == [True, True, False]


@pytest.mark.parametrize(
    "content",
    [
        {"limit": "max"},
        {"limit": str(MACHINE)},
        {"limit": str(2 * MACHINE)},
        {"limit": "much"},
        {"statistics": "anon 7"},
        {"current": ""},
    ],
)
def test_without_a_limit_below_it_memory_is_the_machines(cgroup, model, content):
    cgroup(**content)
    folder = model(1_000_000)  # more than LIMIT leaves
    assert memory.has_room_for(folder, 1)
    assert not memory.has_room_for(folder, MACHINE // 1_000_000)


def test_without_cgroup_memory_is_the_machines(tmp_path, monkeypatch, model):
    monkeypatch.setattr(memory, "CGROUP", tmp_path / "none")
    assert memory.has_room_for(model(1_000_000), 1)
    assert not memory.has_room_for(model(1_000_000), MACHINE // 1_000_000)


def test_a_limit_just_below_the_machines_memory_is_the_limit(cgroup, model):
    cgroup(limit=str(MACHINE - 1), current=str(MACHINE), statistics="inactive_file 0")
    assert not memory.has_room_for(model(1), 1)


@pytest.mark.parametrize(("workers", "expected"), [(0, 75_000_000), (2, 65_000_000), (15, 1_048_576), (60, 1_048_576)])
def test_room_for_bodies_is_a_quarter_of_what_workers_leave(cgroup, monkeypatch, workers, expected):
    cgroup("400000000", "100000000", "inactive_file 0")
    monkeypatch.setattr(memory, "BYTES_OF_WORKER", 20_000_000)
    assert memory.bytes_for_bodies(workers) == expected


@pytest.mark.parametrize(("score", "expected"), [("0", "500"), ("-100", "400"), ("700", "1000")])
def test_a_worker_is_killed_before_the_process_that_it_was_forked_from(tmp_path, monkeypatch, score, expected):
    monkeypatch.setattr(memory, "OOM_SCORE", tmp_path / "score")
    (tmp_path / "score").write_text(f"{score}\n")
    memory.be_killed_first()
    assert (tmp_path / "score").read_text() == expected


def test_where_no_score_can_be_written_nothing_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "OOM_SCORE", tmp_path / "none")
    memory.be_killed_first()


def test_the_limit_of_cgroup_version_1(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    (tmp_path / "memory").mkdir()
    files = {"limit_in_bytes": "400000000", "usage_in_bytes": "150000000", "stat": "total_inactive_file 50000000"}
    for name, text in files.items():
        (tmp_path / "memory" / f"memory.{name}").write_text(f"{text}\n")
    assert memory.bytes_for_bodies(0) == 75_000_000
    (tmp_path / "memory/memory.limit_in_bytes").write_text("9223372036854771712\n")  # of a container without one
    assert memory.bytes_for_bodies(0) > 75_000_000
