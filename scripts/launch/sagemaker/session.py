"""What follows from a script's flags: the clients it works with, the address its files are below, the image it runs."""

import argparse

from launch import project
from launch.aws import image_uris, keys
from launch.aws.clients import Clients
from launch.aws.storage import join
from launch.cli.errors import UsageError
from launch.cli.options import LOCAL, is_local

KEY_FLAGS = ("kms_key", "volume_kms_key", "async_kms_key")
"""Flags that give a KMS key, by the names of the arguments."""


def connect(arguments: argparse.Namespace) -> Clients:
    """Return the clients that the flags ask for: AWS's, or this machine's with the same methods.

    Raises:
        UsageError: The flags ask for both.
    """
    if not is_local(arguments):
        return Clients(arguments.region, arguments.profile)
    instance_type = getattr(arguments, "instance_type", None)
    if instance_type not in (None, LOCAL):
        raise UsageError(f"--instance-type is {instance_type!r}, expected {LOCAL}, or none, with --local.")
    from launch.local.clients import LocalClients  # imports Docker's client, which takes long

    return LocalClients(arguments.region, arguments.profile)


def may_ask(arguments: argparse.Namespace, clients: Clients) -> bool:
    """Tell whether AWS may be asked: a dry run without credentials makes its requests from what the flags say."""
    return not arguments.dry_run or clients.have_credentials


def home_address(arguments: argparse.Namespace, clients: Clients) -> str:
    """Return the address that jobs' files are below: ``s3://bucket/prefix``, or a folder of this machine."""
    if is_local(arguments) and not arguments.bucket:
        return clients.default_home
    base = f"s3://{arguments.bucket}" if arguments.bucket else clients.default_home
    return join(base, arguments.prefix)


def image_uri(arguments: argparse.Namespace, kind: str) -> str:
    """Return the image to use: the one given, on this machine the one that was built, else the one that was pushed.

    Raises:
        UsageError: None has been pushed to the region.
    """
    if arguments.image:
        return str(arguments.image)
    if is_local(arguments):
        return project.image_name(kind)
    return image_uris.read(kind, Clients(arguments.region, arguments.profile).region)


def tags(arguments: argparse.Namespace) -> list[dict[str, str]]:
    """Return the tags of what is made in SageMaker: those given, and on AWS the project's, by which it is found."""
    return list(arguments.tags) if is_local(arguments) else [project.TAG, *arguments.tags]


def check_keys(arguments: argparse.Namespace, clients: Clients) -> None:
    """Check the KMS keys that the flags give, on AWS: local mode leaves them out.

    Raises:
        UsageError: One cannot be used.
    """
    for name in () if is_local(arguments) else KEY_FLAGS:
        if key := getattr(arguments, name, None):
            keys.check(clients, f"--{name.replace('_', '-')}", key)
