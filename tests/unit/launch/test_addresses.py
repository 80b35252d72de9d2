"""Files below an address: all of them and no others, also where names begin with each other."""

import pytest
from launch.aws.clients import Clients
from launch.aws.storage import Storage, StoredFile
from launch.cli.errors import UsageError

FILES = {
    "cars/mine": b"1",
    "cars/mine/b.txt": b"22",
    "cars/mine/a/c.txt": b"333",
    "cars/mine/a.txt": b"4444",
    "cars/mine-2/b.txt": b"55555",
    "cars/mine2": b"666666",
    "cars2/mine/b.txt": b"7777777",
    "other/cars/mine/b.txt": b"88888888",
}
BELOW = [StoredFile("a.txt", 4), StoredFile("a/c.txt", 3), StoredFile("b.txt", 2)]


@pytest.fixture(scope="module")
def s3():
    """Two buckets of the same keys, one with more, in the memory of this process."""
    from moto import mock_aws

    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        with mock_aws():
            clients = Clients("eu-west-1", None)
            for bucket, names in (("bucket", FILES), ("bucket-2", ["cars/mine/z.txt"])):
                Storage(clients).ensure_bucket(bucket)
                for name in names:
                    clients.s3.put_object(Bucket=bucket, Key=name, Body=FILES.get(name, b""))
            clients.s3.put_object(Bucket="bucket", Key="cars/mine/folder/")
            yield Storage(clients)


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        if name != "cars/mine":  # a folder cannot have a file's name, too
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(
    ("uri", "files"),
    [
        ("s3://bucket/cars/mine/", BELOW),
        ("s3://bucket/cars/mine", [StoredFile("", 1), *BELOW]),
        ("s3://bucket/cars/mine-2", [StoredFile("b.txt", 5)]),
        ("s3://bucket/cars/mine2", [StoredFile("", 6)]),
        ("s3://bucket/cars/min", []),
        ("s3://bucket/cars/mine/a", [StoredFile("c.txt", 3)]),
        ("s3://bucket/cars2", [StoredFile("mine/b.txt", 7)]),
        ("s3://bucket-2", [StoredFile("cars/mine/z.txt", 0)]),
        ("s3://bucket/cars/mine/folder", []),
        ("s3://bucket", [StoredFile(name, len(content)) for name, content in sorted(FILES.items())]),
    ],
)
@pytest.mark.parametrize("page", ["2", "1000"])
def test_files_in_a_bucket_on_all_pages(s3, monkeypatch, uri, files, page):
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", page)
    assert s3.find(uri) == files


def test_files_in_a_folder(folder):
    storage = Storage(None)
    assert sorted(storage.find(f"file://{folder}/cars/mine"), key=lambda file: file.path) == BELOW
    assert storage.find(f"file://{folder}/cars/mine2") == [StoredFile("", 6)]
    assert storage.find(f"file://{folder}/cars/min") == []


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_a_copy_has_the_files_of_its_address_alone(s3, folder, tmp_path, kind):
    uri = "s3://bucket/cars/mine/" if kind == "s3" else f"file://{folder}/cars/mine"
    target = tmp_path / "copy"
    written = s3.download(uri, target)
    names = {"a.txt": b"4444", "a/c.txt": b"333", "b.txt": b"22"}
    assert {str(path.relative_to(target)): path.read_bytes() for path in written} == names
    assert {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()} == names.keys()
    assert {path.stat().st_mode & 0o777 for path in written} == {0o644}
    assert [path.name for path in s3.download(uri, tmp_path / "some", "b.*")] == ["b.txt"]
    one = tmp_path / "new/one"
    assert s3.download(f"{uri.rstrip('/')}/a/c.txt", one) == [one]
    assert one.read_bytes() == b"333"
    assert s3.download(uri, tmp_path / "none", "*.gif") == []
    with pytest.raises(UsageError, match=r"^There is nothing at .*/min\.$"):
        s3.download(uri.rstrip("/").removesuffix("e"), tmp_path / "none")


def test_what_is_uploaded_is_found_below_the_address(s3, folder):
    s3.ensure_bucket("bucket-3")
    s3.upload(folder / "cars", "s3://bucket-3/up")
    assert [file.path for file in s3.find("s3://bucket-3/up")] == [
        "mine-2/b.txt",
        "mine/a.txt",
        "mine/a/c.txt",
        "mine/b.txt",
        "mine2",
    ]
    s3.upload(folder / "cars/mine2", "s3://bucket-3/up2")
    assert s3.find("s3://bucket-3/up2") == [StoredFile("", 6)]
