"""The cores that a process may use."""

import pytest
from sagemaker_rl import cores


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 3), ("300000 100000", 3), ("200001 100000", 3), ("200000 100000", 2), ("1 100000", 1), ("0 1", 1)],
)
def test_cores_are_those_of_affinity_and_quota(tmp_path, monkeypatch, quota, expected):
    file = tmp_path / "cpu.max"
    file.write_text(f"{quota}\n")
    monkeypatch.setattr(cores, "CPU_QUOTA", ((tmp_path / "none",), (file,)))
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda process: {4, 5, 7})
    assert cores.count() == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", 3), ("150000", 2), ("100000", 1)])
def test_a_quota_of_cgroup_version_1_is_in_two_files(tmp_path, monkeypatch, quota, expected):
    files = tmp_path / "cpu.cfs_quota_us", tmp_path / "cpu.cfs_period_us"
    for file, content in zip(files, (quota, "100000"), strict=True):
        file.write_text(f"{content}\n")
    assert [file.name for file in cores.CPU_QUOTA[1]] == [file.name for file in files]
    monkeypatch.setattr(cores, "CPU_QUOTA", (cores.CPU_QUOTA[0], files))
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda process: {4, 5, 7})
    assert cores.count() == expected


@pytest.mark.parametrize(("ranks", "expected"), [("1", 3), ("2", 1), ("3", 1), ("7", 1)])
def test_ranks_of_a_host_share_its_cores(monkeypatch, ranks, expected):
    monkeypatch.setattr(cores, "CPU_QUOTA", ())
    monkeypatch.setenv(cores.RANKS_OF_HOST, ranks)
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda process: {4, 5, 7})
    assert cores.count() == expected


@pytest.mark.parametrize("content", [None, "", "300000", "a b"])
def test_without_a_quota_cores_are_those_of_the_affinity(tmp_path, monkeypatch, content):
    if content is not None:
        (tmp_path / "cpu.max").write_text(content)
    monkeypatch.setattr(cores, "CPU_QUOTA", ((tmp_path / "cpu.max",),))
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda process: {4, 5, 7})
    assert cores.count() == 3
