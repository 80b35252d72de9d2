"""What the methods of ``LocalSageMaker`` share, of whatever kind of resource they are."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from launch.aws.storage import Storage
from launch.cli.errors import UsageError
from launch.local import records
from launch.local.errors import exists_already, not_found
from launch.local.records import Record, ResourceKind


class ResourceApi:
    """Base of the classes that hold the methods of boto3's ``sagemaker`` client.

    Args:
        storage: where the files are that requests name.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def _require_files(self, uri: str) -> None:
        """Check that there is something at an address.

        Raises:
            UsageError: There is not.
        """
        if not self._storage.find(uri):
            raise UsageError(f"There is nothing at {uri}.")


def create(kind: ResourceKind[Record], name: str, record: Record) -> None:
    """Write the record of a new resource.

    Raises:
        LocalError: The name is taken.
    """
    if not records.create(kind, name, record):
        raise exists_already(f"Create{kind.api_name}", name)


def require(kind: ResourceKind[Record], operation: str, name: str) -> Record:
    """Return the record of a resource.

    Raises:
        LocalError: There is none of that name.
        Damaged: It cannot be read.
    """
    record = records.read(kind, name)
    if record is None:
        raise not_found(operation, name)
    return record


def delete(kind: ResourceKind[Any], name: str) -> dict[str, Any]:
    """Remove a resource, and return the answer of its Delete operation.

    Raises:
        LocalError: There is none of that name.
    """
    if not records.remove(kind, name):
        raise not_found(f"Delete{kind.api_name}", name)
    return {}


def summaries(
    kind: ResourceKind[Any], part: str, describe: Callable[[str], dict[str, Any]], keys: Sequence[str]
) -> list[dict[str, Any]]:
    """Return some keys of the description of each resource of a kind, the newest first.

    A damaged record is printed on standard error and left out.

    Args:
        kind: of the resources.
        part: of their names.
        describe: returns the description of the resource of a name.
        keys: to return.
    """
    descriptions = []
    for name in records.names(kind):
        if part in name:
            try:
                descriptions.append(describe(name))
            except records.Damaged as damaged:
                print(damaged, file=sys.stderr)
    descriptions.sort(key=lambda description: description["CreationTime"], reverse=True)
    return [{key: description[key] for key in keys} for description in descriptions]
