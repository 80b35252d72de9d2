"""Addresses of jobs' files, and copying those of this machine; S3's are copied in ``tests/aws``."""

from pathlib import Path

import pytest
from launch.aws.clients import Clients
from launch.aws.storage import Storage, StoredFile, address_of, join, split
from launch.cli.errors import UsageError


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("s3://bucket", ("s3", "bucket", "")),
        ("s3://bucket/", ("s3", "bucket", "")),
        ("s3://bucket/a/b.csv", ("s3", "bucket", "a/b.csv")),
        ("s3://a/a/a?x#y", ("s3", "a", "a/a?x#y")),
        ("file:///a/b c", ("file", "", "/a/b c")),
    ],
)
def test_an_address_is_split(uri, parts):
    assert split(uri) == parts


@pytest.mark.parametrize("uri", ["s3:///key", "s3://", "file://host/x", "https://s3.example.com/x", "/a/b", ""])
def test_what_is_no_address(uri):
    with pytest.raises(UsageError, match=r"expected s3://bucket/prefix or file:///folder\."):
        split(uri)


def test_addresses_are_joined_and_made():
    assert join("s3://b/", "/a/", "", "c.csv") == "s3://b/a/c.csv"
    assert join("s3://b") == "s3://b"
    assert address_of("s3://b/x") == "s3://b/x"
    assert address_of("a/../b") == f"file://{Path('b').resolve()}"


@pytest.fixture
def storage() -> Storage:
    return Storage(Clients("eu-west-1"))


def test_files_are_found_sorted_and_of_one_name_only(storage, tmp_path):
    for name in ("a/z.csv", "a/b/c.csv", "a/b.csv", "ab/no.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "a/empty").mkdir()
    found = storage.find(f"file://{tmp_path}/a")
    assert [(each.path, each.size) for each in found] == [("b/c.csv", 9), ("b.csv", 7), ("z.csv", 7)]
    assert storage.find(f"file://{tmp_path}/a/z.csv") == [StoredFile("", 7)]
    assert storage.find(f"file://{tmp_path}/gone") == []
    written = storage.download(f"file://{tmp_path}/a", tmp_path / "to")
    assert [str(each.relative_to(tmp_path / "to")) for each in written] == ["b/c.csv", "b.csv", "z.csv"]
    assert (tmp_path / "to/b/c.csv").read_text() == "a/b/c.csv"
    assert (tmp_path / "to/z.csv").stat().st_mode & 0o777 == 0o644
    assert storage.download(f"file://{tmp_path}/a", tmp_path / "some", "b*") == [
        tmp_path / "some/b/c.csv",
        tmp_path / "some/b.csv",
    ]
    assert storage.download(f"file://{tmp_path}/gone", tmp_path / "none", "b*") == []
    with pytest.raises(UsageError, match=rf"^There is nothing at file://{tmp_path}/gone\.$"):
        storage.download(f"file://{tmp_path}/gone", tmp_path / "none")


def test_files_are_copied_to_an_address_of_this_machine(storage, tmp_path):
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/deep/a.csv").write_text("a")
    storage.upload(tmp_path / "in", f"file://{tmp_path}/new/out")
    assert (tmp_path / "new/out/deep/a.csv").read_text() == "a"
    storage.upload(tmp_path / "in/deep/a.csv", f"file://{tmp_path}/new/b.csv")
    assert (tmp_path / "new/b.csv").read_text() == "a"
    with pytest.raises(UsageError, match=rf"^There is no {tmp_path}/gone\.$"):
        storage.upload(tmp_path / "gone", f"file://{tmp_path}/x")


def test_only_the_default_bucket_is_asked_for_its_owner(storage):
    storage._clients.__dict__["caller"] = {"Account": "123456789012", "Arn": "x"}
    default = "sagemaker-eu-west-1-123456789012"
    assert storage._owner(default) == {"ExpectedBucketOwner": "123456789012"}
    assert storage._owner("sagemaker-eu-west-1-999999999999") == {}
    assert storage._owner("mine") == {}
