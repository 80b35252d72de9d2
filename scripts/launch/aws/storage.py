"""Copying jobs' files from and to their addresses: ``s3://bucket/prefix``, or ``file:///folder`` on this machine."""

import contextlib
import fnmatch
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from boto3.exceptions import RetriesExceededError, S3UploadFailedError
from botocore.exceptions import ClientError
from tqdm import tqdm

from launch.atomic_files import replacing
from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.cli.errors import JobFailed, UsageError
from launch.cli.progress import waiting_for
from launch.project import TAG


@dataclass(frozen=True)
class StoredFile:
    """A file below an address: its path from there, and its size in bytes."""

    path: str
    size: int


class Storage:
    """Copies files from and to addresses of both kinds.

    Args:
        clients: give the S3 client, which is made when an address needs it.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def find(self, uri: str) -> list[StoredFile]:
        """Return the files at or below ``uri``, sorted; a file itself has the path ``""``.

        Raises:
            UsageError: The bucket is not there.
        """
        scheme, bucket, key = split(uri)
        if scheme == "file":
            root = Path(key)
            if root.is_file():
                return [StoredFile("", root.stat().st_size)]
            files = sorted(path for path in root.rglob("*") if path.is_file())
            return [StoredFile(str(path.relative_to(root)), path.stat().st_size) for path in files]
        stored = []
        with _explaining(uri):
            pages = self._clients.s3.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=key, **self._owner(bucket)
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    if entry["Key"] == key and not key.endswith("/"):
                        stored.append(StoredFile("", entry["Size"]))
                    elif (not key or key.endswith("/") or entry["Key"][len(key)] == "/") and entry["Key"][-1] != "/":
                        stored.append(StoredFile(entry["Key"][len(key) :].lstrip("/"), entry["Size"]))
        return sorted(stored, key=lambda file: file.path)

    def begins_any(self, uri: str) -> bool:
        """Tell whether the key of anything in S3 begins with an address, as SageMaker reads an S3Prefix.

        Raises:
            UsageError: The bucket is not there.
        """
        _, bucket, key = split(uri)
        with _explaining(uri):
            page = self._clients.s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1, **self._owner(bucket))
        return bool(page.get("Contents"))

    def download(self, uri: str, target: Path, pattern: str = "*") -> list[Path]:
        """Copy a file to ``target``, or all files below a folder into it; return what was written.

        An interrupted copy does not appear under the file's name.

        Raises:
            UsageError: There is nothing at ``uri``.
        """
        files = [file for file in self.find(uri) if fnmatch.fnmatch(file.path, pattern)]
        if not files and pattern == "*":
            raise UsageError(f"There is nothing at {uri}.")
        written = []
        for file in files:
            path = target / file.path if file.path else target
            if not path.resolve().is_relative_to(target.resolve()):
                raise UsageError(f"{uri} holds {file.path!r}, which leads out of {target}.")
            self._copy(join(uri, file.path) if file.path else uri, path, file.size)
            written.append(path)
        return written

    def _copy(self, uri: str, path: Path, size: int) -> None:
        scheme, bucket, key = split(uri)
        with replacing(path) as staged:
            if scheme == "file":
                shutil.copyfile(key, staged)
                return
            with _explaining(uri), _bar(path.name, size) as advance:
                extra = self._owner(bucket)
                self._clients.s3.download_file(bucket, key, str(staged), ExtraArgs=extra, Callback=advance)

    def upload(self, source: Path, uri: str, encryption_key: str | None = None) -> None:
        """Copy a file, or all files below a folder, to ``uri``; an interrupted copy does not appear under its name.

        Raises:
            UsageError: There is no such file or folder, or no such bucket.
        """
        if not source.exists():
            raise UsageError(f"There is no {source}.")
        files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
        for file in files:
            target = join(uri, str(file.relative_to(source))) if source.is_dir() else uri
            scheme, bucket, key = split(target)
            if scheme == "file":
                with replacing(Path(key)) as staged:
                    shutil.copyfile(file, staged)
                continue
            options = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": encryption_key} if encryption_key else {}
            with _explaining(target), _bar(file.name, file.stat().st_size) as advance:
                extra = {**options, **self._owner(bucket)}
                self._clients.s3.upload_file(str(file), bucket, key, ExtraArgs=extra, Callback=advance)

    def delete(self, uri: str) -> None:
        """Delete a file; one that is not there any more is no fault."""
        scheme, bucket, key = split(uri)
        if scheme == "file":
            Path(key).unlink(missing_ok=True)
            return
        with _explaining(uri):
            self._clients.s3.delete_object(Bucket=bucket, Key=key, **self._owner(bucket))

    def _owner(self, bucket: str) -> dict[str, str]:
        """Return the parameter by which S3 refuses a default bucket of another account: its name can be guessed."""
        if bucket.startswith("sagemaker-") and self._clients.default_home == f"s3://{bucket}":
            return {"ExpectedBucketOwner": self._clients.account}
        return {}

    def region_of(self, bucket: str) -> str | None:
        """Return the region of a bucket, also of one that is not the caller's to use; None if S3 does not say.

        Raises:
            UsageError: There is no such bucket.
        """
        try:
            answer = self._clients.s3.head_bucket(Bucket=bucket, **self._owner(bucket))
        except ClientError as error:
            if aws_errors.is_not_found(error):
                raise UsageError(f"There is no bucket {bucket}.") from None
            answer = error.response
        return answer["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region")

    def ensure_bucket(self, bucket: str) -> None:
        """Create a bucket, without public access, if it is not there.

        Raises:
            UsageError: It belongs to another account.
        """
        s3 = self._clients.s3
        try:
            s3.head_bucket(Bucket=bucket, **self._owner(bucket))
            return
        except ClientError as error:
            if aws_errors.code_of(error) in aws_errors.FORBIDDEN_CODES:
                raise UsageError(f"Bucket {bucket} belongs to somebody else, or is not yours to use.") from None
            if not aws_errors.is_not_found(error):
                raise
        region = self._clients.region
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **where)
        s3.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
        with contextlib.suppress(ClientError):  # who may make buckets may not be allowed to tag them
            s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [TAG]})
        print(f"Created bucket {bucket}", flush=True)


def split(uri: str) -> tuple[str, str, str]:
    """Return scheme, bucket and key of ``s3://bucket/key``, or ``file``, nothing and the path of ``file:///path``.

    Raises:
        UsageError: It is neither.
    """
    parts = urlsplit(uri)
    if parts.scheme == "s3" and parts.netloc:
        return "s3", parts.netloc, uri.partition(parts.netloc)[2].lstrip("/")
    if uri.startswith("file:///"):
        return "file", "", uri.removeprefix("file://")
    raise UsageError(f"The address is {uri!r}, expected s3://bucket/prefix or file:///folder.")


def join(uri: str, *parts: str) -> str:
    """Return the address of parts below another address."""
    return "/".join([uri.rstrip("/"), *(part.strip("/") for part in parts if part)])


def address_of(text: str) -> str:
    """Return the address that a user's text means: an address itself, or a path on this machine."""
    return text if "://" in text else f"file://{Path(text).resolve()}"


@contextlib.contextmanager
def _explaining(uri: str) -> Iterator[None]:
    """Turn S3's errors into UsageErrors that name the address, and a copy that breaks off into a JobFailed."""
    try:
        yield
    except ClientError as error:
        raise _explained(uri, error) from None
    except S3UploadFailedError as error:
        assert isinstance(error.__context__, ClientError), "boto3 puts it in the place of S3's own"
        raise _explained(uri, error.__context__) from None
    except RetriesExceededError as error:
        raise JobFailed(f"{uri} cannot be read to its end: {error.last_exception}.") from None


def _explained(uri: str, error: ClientError) -> Exception:
    """Return the UsageError that names the address; the error itself if it is not of the address."""
    code, message = aws_errors.code_of(error), str(error.response["Error"].get("Message", "")).rstrip(".")
    if code.startswith(aws_errors.KMS_CODES):
        return UsageError(f"The KMS key of {uri} does not work: {message} ({code.removeprefix(aws_errors.KMS_CODES)}).")
    if code == "NoSuchBucket":
        return UsageError(f"There is no bucket {split(uri)[1]}, which {uri} names.")
    if aws_errors.is_not_found(error):
        return UsageError(f"There is nothing at {uri}.")
    if aws_errors.is_forbidden(error):
        return UsageError(f"AWS does not let you read or write {uri}.")
    return error


@contextlib.contextmanager
def _bar(name: str, size: int) -> Iterator[Callable[[int], Any]]:
    with (
        waiting_for(f"{name}, {size / 1e6:.1f} MB"),
        tqdm(total=size, unit="B", unit_scale=True, desc=name, leave=False, disable=None) as bar,
    ):
        yield bar.update
