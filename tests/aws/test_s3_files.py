"""Copies from and to S3 are whole or not there, whatever is refused or breaks off; which files are of an address is
shown in ``tests/unit/launch/test_addresses.py``."""

import os
import random
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, HTTPClientError
from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.aws.storage import Storage
from launch.cli import progress
from launch.cli.errors import JobFailed, UsageError
from local_aws import ACCOUNT, REGION

pytest_plugins = ("proxy",)

FILES = {"p": b"1", "p/a.csv": b"22", "p/b/c.csv": b"333", "p/b.csv": b"4444", "p-2/a.csv": b"55555"}


@pytest.fixture
def s3(aws):
    client = aws.client("s3")
    client.create_bucket(Bucket="cars", CreateBucketConfiguration={"LocationConstraint": REGION})
    for key, content in FILES.items():
        client.put_object(Bucket="cars", Key=key, Body=content)
    return client


@pytest.fixture
def storage(s3, aws, monkeypatch, quick_clients) -> Storage:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    return Storage(Clients(REGION))


def keys(s3) -> dict[str, bytes]:
    found = s3.list_objects_v2(Bucket="cars")["Contents"]
    return {each["Key"]: s3.get_object(Bucket="cars", Key=each["Key"])["Body"].read() for each in found}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_name_that_leads_out_of_the_folder_is_not_followed(storage, tmp_path):
    from moto.s3.models import s3_backends

    s3_backends[ACCOUNT]["aws"].put_object("cars", "r/../../out", b"x")
    with pytest.raises(UsageError, match=r"^s3://cars/r holds '\.\./\.\./out', which leads out of .*/in\.$"):
        storage.download("s3://cars/r", tmp_path / "deep/in")
    assert files(tmp_path) == {}


@pytest.mark.parametrize("key", [None, "arn:aws:kms:eu-west-1:123456789012:key/1"])
def test_files_are_uploaded_below_an_address(storage, s3, tmp_path, key):
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/a.csv").write_bytes(b"a")
    (tmp_path / "in/deep/b.csv").write_bytes(b"bb")
    storage.upload(tmp_path / "in", "s3://cars/p/", key)
    storage.upload(tmp_path / "in/a.csv", "s3://cars/one/b.csv", key)
    uploaded = {"p/a.csv": b"a", "p/deep/b.csv": b"bb", "one/b.csv": b"a"}
    assert keys(s3) == {**FILES, **uploaded}
    for name in uploaded:
        described = s3.head_object(Bucket="cars", Key=name)
        assert described.get("SSEKMSKeyId") == key
        assert (described.get("ServerSideEncryption") == "aws:kms") == bool(key)


def test_a_copy_that_takes_long_is_not_silent(storage, between, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 0.05)

    def slow(handler, answer):
        time.sleep(0.2 if handler.command in ("GET", "PUT") and of_object(handler) else 0)
        handler.answer(answer.status_code, answer.headers, answer.content)

    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", between(slow)[0])
    storage = Storage(Clients(REGION))
    storage.download("s3://cars/p/b.csv", tmp_path / "in.csv")
    assert "Waiting for in.csv, 0.0 MB: 0 s\n" in capsys.readouterr().err
    storage.upload(tmp_path / "in.csv", "s3://cars/out.csv")
    assert "Waiting for in.csv, 0.0 MB: 0 s\n" in capsys.readouterr().err


# --- Refusals --------------------------------------------------------------------------------------------------------
def of_object(handler) -> bool:
    return "?" not in handler.path or "partNumber" in handler.path


def refusing(status: int, code: str, path: str):
    """Return what refuses each call about an object as S3 does, HEAD without a body."""

    def spoil(handler, answer):
        if of_object(handler) and handler.path.partition("?")[0] == path:
            body = f"<Error><Code>{code}</Code><Message>It is so.</Message></Error>".encode()
            handler.answer(status, {"Content-Type": "text/xml"}, b"" if handler.command == "HEAD" else body)
        else:
            handler.answer(answer.status_code, answer.headers, answer.content)

    return spoil


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (403, "AccessDenied", "AWS does not let you read or write s3://cars/p/b.csv."),
        (404, "NoSuchKey", "There is nothing at s3://cars/p/b.csv."),
    ],
)
def test_a_refusal_names_the_address(storage, between, tmp_path, monkeypatch, status, code, sentence):
    """Of an upload boto3 raises another error than of a download; it was told as a failure, not as a mistake."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", between(refusing(status, code, "/cars/p/b.csv"))[0])
    storage = Storage(Clients(REGION))
    with pytest.raises(UsageError) as caught:
        storage.download("s3://cars/p/", tmp_path / "in")
    assert str(caught.value) == sentence
    assert files(tmp_path) == {"in/a.csv": b"22"}  # what came before
    with pytest.raises(UsageError) as caught:
        storage.upload(tmp_path / "in/a.csv", "s3://cars/p/b.csv")
    assert str(caught.value) == sentence


def test_a_bucket_that_is_not_there(storage, tmp_path):
    (tmp_path / "a.csv").touch()
    with pytest.raises(UsageError, match=r"^There is no bucket no-cars, which s3://no-cars/p names\.$"):
        storage.find("s3://no-cars/p")
    with pytest.raises(UsageError, match=r"^There is no bucket no-cars, which s3://no-cars/p/a\.csv names\.$"):
        storage.upload(tmp_path, "s3://no-cars/p")


def test_another_refusal_is_awss_own(storage, between, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", between(refusing(400, "InvalidRequest", "/cars/x"))[0])
    (tmp_path / "x").touch()
    with pytest.raises(ClientError) as caught:
        Storage(Clients(REGION)).upload(tmp_path / "x", "s3://cars/x")
    assert str(aws_errors.explain(caught.value)) == "AWS refuses PutObject: It is so (InvalidRequest)."


# --- Copies that break off -------------------------------------------------------------------------------------------
LARGE = random.Random(4).randbytes(9 * 1024 * 1024)
"""More than boto3 copies in one part: 8 MB."""


def cutting(path: str, length: int, times: int = 1000, begin: str = ""):
    """Return what breaks off so many answers of a file, or of its part from a byte on, after ``length`` bytes."""
    cut: list[str] = []

    def spoil(handler, answer):
        is_part = not begin or handler.headers.get("Range", "").startswith(f"bytes={begin}")
        if handler.command == "GET" and handler.path == path and is_part and len(cut) < times:
            cut.append(path)
            handler.answer(answer.status_code, answer.headers, answer.content[:length], len(answer.content))
        else:
            size = answer.headers.get("Content-Length") if handler.command == "HEAD" else None
            handler.answer(answer.status_code, answer.headers, answer.content, size)

    return spoil


OLD = b"old, and longer than the new one"


@pytest.mark.parametrize(
    ("path", "length", "begin", "old"),
    [("/cars/p/b.csv", 0, "", None), ("/cars/p/b.csv", 3, "", OLD), ("/cars/p/large", 1000, "8388608", OLD)],
    ids=["at once", "before the last byte", "in the second part"],
)
def test_a_download_that_breaks_off_leaves_what_was_there(
    storage, s3, between, tmp_path, monkeypatch, old, path, length, begin
):
    name = path.rpartition("/")[2]
    if begin:
        s3.put_object(Bucket="cars", Key="p/large", Body=LARGE)
    if old:
        (tmp_path / name).write_bytes(old)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", between(cutting(path, length, begin=begin))[0])
    with pytest.raises(JobFailed) as caught:
        Storage(Clients(REGION)).download(f"s3://cars/p/{name}", tmp_path / name)
    assert str(caught.value).startswith(f"s3://cars/p/{name} cannot be read to its end: ")
    assert len(str(caught.value).splitlines()) == 1
    assert files(tmp_path) == ({name: old} if old else {})


def test_a_folder_is_downloaded_up_to_the_file_that_breaks_off(storage, between, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", between(cutting("/cars/p/b.csv", 3, times=5))[0])  # boto3 tries 5 times
    with pytest.raises(JobFailed):
        Storage(Clients(REGION)).download("s3://cars/p/", tmp_path)
    assert files(tmp_path) == {"a.csv": b"22"}
    Storage(Clients(REGION)).download("s3://cars/p/", tmp_path)
    assert files(tmp_path) == {"a.csv": b"22", "b.csv": b"4444", "b/c.csv": b"333"}


def hang_up(handler) -> None:
    """Take half of what is uploaded, and go."""
    handler.rfile.read(int(handler.headers["Content-Length"]) // 2)
    handler.close_connection = True


def pass_on(handler, answer) -> None:
    handler.answer(answer.status_code, answer.headers, answer.content)


@pytest.mark.parametrize("name", ["b.csv", "large"])
def test_an_upload_that_breaks_off_leaves_what_was_there(storage, s3, between, tmp_path, monkeypatch, name):
    """Of a large file neither: its parts are removed."""
    for each, content in {"a.csv": b"new a", "b.csv": b"new b" * 1000, "large": LARGE, "z.csv": b"new z"}.items():
        if each in ("a.csv", name, "z.csv"):
            (tmp_path / each).write_bytes(content)
    url, handler = between(pass_on)
    passing = handler.do_PUT

    def put(self):
        is_cut = f"/cars/p/{name}" in self.path and "partNumber=1" not in self.path
        hang_up(self) if is_cut else passing(self)

    handler.do_PUT = put
    handler.do_DELETE = handler.do_GET
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(HTTPClientError) as caught:
        Storage(Clients(REGION)).upload(tmp_path, "s3://cars/p")
    explained = aws_errors.explain(caught.value)
    assert type(explained) is JobFailed
    assert len(str(explained).splitlines()) == 1
    assert keys(s3) == {**FILES, "p/a.csv": b"new a"}  # sent before it
    assert s3.list_multipart_uploads(Bucket="cars").get("Uploads", []) == []


def test_nothing_is_created_of_a_model_that_cannot_be_uploaded(script, aws, between, tmp_path):
    from launch.local.ml_tree import pack

    (tmp_path / "model").mkdir()
    (tmp_path / "model/policy.json").write_text("{}")
    pack([tmp_path / "model"], tmp_path / "model.tar.gz")
    url, handler = between(pass_on)
    passing = handler.do_PUT
    handler.do_PUT = lambda self: hang_up(self) if self.path.endswith("model.tar.gz") else passing(self)
    given = ("--image", "mine:1", "--role", f"arn:aws:iam::{ACCOUNT}:role/r", str(tmp_path / "model.tar.gz"))
    done = script("deploy.py", *given, AWS_ENDPOINT_URL_S3=url, AWS_MAX_ATTEMPTS="1")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert done.stderr.startswith(f"Failed: AWS does not answer at {url}/")
    sagemaker = aws.client("sagemaker")
    assert sagemaker.list_models()["Models"] == sagemaker.list_endpoints()["Endpoints"] == []


def test_no_evaluation_is_created_of_a_checkpoint_that_breaks_off(script, aws, between):
    given = ("--image", "mine:1", "--role", f"arn:aws:iam::{ACCOUNT}:role/r", "--bucket", "cars")
    assert script("train.py", *given, "--job-name", "trained").returncode == 0
    aws.client("s3").put_object(Bucket="cars", Key="trained/output/output.tar.gz", Body=b"x" * 100)
    url, _ = between(cutting("/cars/trained/output/output.tar.gz", 50))
    done = script("evaluate.py", *given, "trained", AWS_ENDPOINT_URL_S3=url)
    assert done.returncode == 1
    assert done.stderr.startswith("Failed: s3://cars/trained/output/output.tar.gz cannot be read to its end: ")
    assert len(done.stderr.splitlines()) == 1
    jobs = aws.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    assert [each["TrainingJobName"] for each in jobs] == ["trained"]
    found = aws.client("s3").list_objects_v2(Bucket="cars")["Contents"]
    assert [each["Key"] for each in found] == ["trained/output/output.tar.gz"]
