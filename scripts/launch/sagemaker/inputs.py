"""Input channels of a training job: the fields, and those that ``--input`` asks for."""

import argparse
import re
from collections.abc import Collection
from typing import Any

from launch.aws.clients import Clients
from launch.aws.storage import Storage, address_of, split
from launch.cli import options
from launch.cli.errors import UsageError
from launch.sagemaker import fields

MODES = ("File", "FastFile", "Pipe")
NAME = re.compile(r"[A-Za-z0-9.\-_]{1,64}")
MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+")
FORM = "NAME=S3URI[,CONTENT-TYPE][,FastFile|Pipe|File]"


def channel(name: str, uri: str) -> dict[str, Any]:
    """Return an input channel of all files below an address, which every host gets."""
    source = fields.s3_data_source(uri)
    source["S3DataSource"]["S3DataDistributionType"] = "FullyReplicated"
    return {"ChannelName": name, "DataSource": source}


def given(arguments: argparse.Namespace, taken: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the channels of ``--input`` by their names.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Channel.html

    Args:
        arguments: the flags of ``options.add_training_job``.
        taken: names of channels that the script makes itself.

    Raises:
        UsageError: A text is not of that form, a name is taken, or an address is none that the job can read.
    """
    channels: dict[str, dict[str, Any]] = {}
    for text in arguments.inputs:
        name, separator, value = text.partition("=")
        # From the end: an address may have commas in it.
        value, mode = _last(value, lambda part: part in MODES)
        value, media_type = _last(value, lambda part: MEDIA_TYPE.fullmatch(part) is not None)
        if not separator or not value or not NAME.fullmatch(name):
            raise UsageError(f"--input is {text!r}, expected {FORM}.")
        if name in channels or name in taken:
            raise UsageError(f"--input is {text!r}, but there is a channel {name} already, expected another name.")
        address = address_of(value)
        if split(address)[0] == "file" and not options.is_local(arguments):
            raise UsageError(f"--input is {text!r}, expected {name}=s3://bucket/prefix: SageMaker reads from S3.")
        channels[name] = {
            **channel(name, address),
            **({"ContentType": media_type} if media_type else {}),
            **({"InputMode": mode} if mode else {}),
        }
    return channels


def _last(value: str, is_one: Any) -> tuple[str, str]:
    """Return a text in two parts: its last part after a comma, if that is one, and what is before it."""
    before, comma, last = value.rpartition(",")
    return (before, last) if comma and is_one(last) else (value, "")


def check(arguments: argparse.Namespace, clients: Clients, request: dict[str, Any]) -> None:
    """Check that there is something in S3 at the address of each channel of ``--input``.

    Raises:
        UsageError: There is not.
    """
    names = {text.partition("=")[0] for text in arguments.inputs}
    for each in request.get("InputDataConfig", []):
        uri = each["DataSource"].get("S3DataSource", {}).get("S3Uri", "")
        if each["ChannelName"] in names and uri.startswith("s3://") and not Storage(clients).begins_any(uri):
            raise UsageError(f"--input {each['ChannelName']}: there is nothing at {uri}.")
