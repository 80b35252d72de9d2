"""Checks of what a user gives: the value of a flag, a text NAME=VALUE, a file to write. A mistake is one sentence.

Functions for ``type=`` of a flag raise argparse's ArgumentTypeError, which names the flag; the others a UsageError.
"""

import argparse
import json
import os
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from launch.cli.errors import UsageError
from launch.cli.secrets import MASK
from launch.project import TAG

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
ROLE_NAME = re.compile(r"[\w+=,.@/-]{1,64}", re.ASCII)
TOPIC_ARN = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]*:\d{12}:[a-zA-Z0-9_.-]+", re.ASCII)
MLFLOW_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]*:\d{12}:mlflow-[a-zA-Z-]*/.+", re.ASCII)
KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[a-zA-Z0-9-]+", re.ASCII)
BUCKET = re.compile(r"[a-zA-Z0-9._-]{1,255}", re.ASCII)
"""What boto3 takes: old buckets have longer names than new ones, and capitals."""
S3_ADDRESS = re.compile(r"s3://[a-z0-9][a-z0-9.-]*(/\S*)?")
VARIABLE_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
MAX_HYPERPARAMETERS, MAX_NAME_LENGTH, MAX_VALUE_LENGTH = 100, 256, 2500
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html"""


# --- For ``type=`` of a flag -----------------------------------------------------------------------------------------
def name(text: str) -> str:
    """Check the name of a job or an endpoint."""
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of 1 to 63 letters, digits and hyphens")
    return text


def role(text: str) -> str:
    """Check the form of a role's ARN or name.

    Raises:
        UsageError: It has neither form.
    """
    if not (ROLE_ARN if text.startswith("arn:") else ROLE_NAME).fullmatch(text):
        raise UsageError(f"--role is {text!r}, expected arn:aws:iam::ACCOUNT:role/NAME, or a role's name.")
    return text


def bucket(text: str) -> str:
    """Check the form of a bucket's name, which is no address.

    Raises:
        UsageError: It has not the form of one.
    """
    if not BUCKET.fullmatch(text):
        raise UsageError(
            f"--bucket is {text!r}, expected a bucket's name, without s3://; --prefix names a place in it."
        )
    return text


def tag(text: str) -> dict[str, str]:
    """Return ``KEY=VALUE`` as AWS's APIs take a tag."""
    key, separator, value = text.partition("=")
    if not separator or not 0 < len(key) <= 128 or len(value) > 256 or key.lower().startswith("aws:"):
        raise argparse.ArgumentTypeError(f"{text!r} is no KEY=VALUE")
    if key == TAG["Key"]:
        raise argparse.ArgumentTypeError(f"{text!r} has the key of the project's own tag, expected another")
    return {"Key": key, "Value": value}


def topic(text: str) -> str:
    """Check the form of the ARN of an SNS topic."""
    if not TOPIC_ARN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no arn:aws:sns:REGION:ACCOUNT:TOPIC")
    return text


def mlflow(text: str) -> str:
    """Check the form of the ARN of an MLflow tracking server or app of SageMaker."""
    if not MLFLOW_ARN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no arn:aws:sagemaker:REGION:ACCOUNT:mlflow-…/NAME")
    return text


def moment(text: str) -> datetime:
    """Return the time that a text tells: so long ago as in ``10m``, or as ISO 8601, in local time if it has no zone."""
    if ago := re.fullmatch(r"(\d{1,6})([smhd])", text):
        return datetime.now().astimezone() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time as 90s, 10m, 1h, 2d or 2026-11-23T10:00") from None


def key(text: str) -> str:
    """Check the form of the ARN of a KMS key: IAM lets nothing be done by an alias."""
    if not KEY_ARN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no arn:aws:kms:REGION:ACCOUNT:key/ID")
    return text


def s3_address(text: str) -> str:
    """Check the form of an address in S3."""
    if not S3_ADDRESS.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no s3://bucket/prefix")
    return text


def instance_range(text: str) -> tuple[int, int]:
    """Return the fewest and the most instances of ``MIN:MAX``.

    Raises:
        UsageError: It is not of that form, or there is none at most, or fewer at most than at least.
    """
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", text)
    if not match or not int(match[1]) <= int(match[2]) or int(match[2]) == 0:
        raise UsageError(f"--autoscale is {text!r}, expected MIN:MAX as in 1:4.")
    return int(match[1]), int(match[2])


# --- Of several flags, or of a file ----------------------------------------------------------------------------------
def hyperparameters(texts: Sequence[str], file: Path | None = None) -> dict[str, str]:
    """Return hyperparameters from ``NAME=VALUE`` texts and a file of JSON; a text wins over the file.

    Raises:
        UsageError: A text is not of that form, the file is not an object of plain values, or SageMaker's limits of
            number and length are exceeded.
    """
    values = _read_hyperparameters(file) if file is not None else {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not key or not separator:
            raise UsageError(f"-p is {text!r}, expected NAME=VALUE.")
        values[key] = value
    for key, value in values.items():
        if len(key) > MAX_NAME_LENGTH or len(value) > MAX_VALUE_LENGTH:
            raise UsageError(f"Hyperparameter {key[:50]} is too long: SageMaker takes names of 256, values of 2,500.")
    if len(values) > MAX_HYPERPARAMETERS:
        raise UsageError(f"There are {len(values)} hyperparameters, expected at most {MAX_HYPERPARAMETERS}.")
    return values


def _read_hyperparameters(file: Path) -> dict[str, str]:
    content = json_of("--hyperparameters", file)
    if not isinstance(content, dict):
        raise UsageError(f"--hyperparameters is {file}, expected an object of names and plain values.")
    for key, value in content.items():
        if value is None or isinstance(value, dict | list):
            raise UsageError(
                f"--hyperparameters is {file}, where {key} is {json.dumps(value)[:50]}, expected a plain value."
            )
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in content.items()}


def environment(texts: Sequence[str]) -> dict[str, str]:
    """Return a container's environment variables from ``NAME=VALUE`` texts.

    Raises:
        UsageError: A text is not of that form.
    """
    variables = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not VARIABLE_NAME.fullmatch(key):
            shown = f"{key}={MASK}" if separator else text
            raise UsageError(f"--env is {shown!r}, expected NAME=VALUE.")
        variables[key] = value
    return variables


def json_of(flag: str, file: Path) -> Any:
    """Return what a file of JSON says.

    Args:
        flag: that names the file.
        file: to read.

    Raises:
        UsageError: It cannot be read, or is no JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{flag} is {file}, which cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UsageError(f"{flag} is {file}, which cannot be read as JSON: {error}.") from None


def check_target(flag: str, path: Path) -> None:
    """Check that a file can be written later, before any work is done for it; make its folder.

    Raises:
        UsageError: The path is a folder, its folder cannot be made, or its folder cannot be written to.
    """
    if path.is_dir():
        raise UsageError(f"{flag} is {path}, which is a folder, expected a file.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{flag} is {path}, expected a file in a folder that can be made: {error.strerror}.") from None
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"{flag} is {path}, expected a file in a folder that can be written to.")
