"""``--request FILE``: JSON that is merged over a script's requests, so that any field of the API is within reach."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ParamValidationError

from launch.aws.validation import validate
from launch.cli import values
from launch.cli.dry_run import Request
from launch.cli.errors import UsageError

OWN_NAMES = (
    "TrainingJobName",
    "HyperParameterTuningJobName",
    "TransformJobName",
    "ModelName",
    "EndpointConfigName",
    "EndpointName",
)
"""By these a script finds what it has made; flags change them."""


def check(file: Path | None, *operations: str) -> None:
    """Check a file before anything is done for the requests that it is to be merged over.

    Args:
        file: the file, if there is one.
        operations: of the requests. Of a single one the file has the parameters themselves.

    Raises:
        UsageError: It cannot be read, names another operation, or has a parameter that the API does not know, or one of
            another type.
    """
    if file is None:
        return
    content = _read(file)
    for operation, part in ({operations[0]: content} if len(operations) == 1 else content).items():
        if operation not in operations or not isinstance(part, dict):
            expected = f"expected an object for {', '.join(operations[:-1])} or {operations[-1]}"
            raise UsageError(f"--request is {file}, which has {operation}: {json.dumps(part)[:50]}, {expected}.")
        _validate(operation, merge({}, part), file, whole=False)


def merge_into(request: dict[str, Any], operation: str, file: Path | None) -> dict[str, Any]:
    """Return a script's only request with the content of a file merged over it.

    Raises:
        UsageError: See ``check``; or the file changes a name, or takes away what the API needs.
    """
    if file is None:
        return request
    check(file, operation)
    return _merged((operation, request), _read(file), file)


def merge_into_each(requests: Sequence[Request], file: Path | None) -> list[dict[str, Any]]:
    """Return requests, each with what a file has under the name of its operation merged over it.

    Raises:
        UsageError: See ``merge_into``; or the file has a part for an operation that is not asked for.
    """
    if file is None:
        return [request for _, request in requests]
    content, operations = _read(file), [operation for operation, _ in requests]
    for other in content.keys() - set(operations):
        raise UsageError(f"--request is {file}, which changes {other}, but this asks for {', '.join(operations)}.")
    return [_merged(request, content.get(request[0], {}), file) for request in requests]


def _read(file: Path) -> dict[str, Any]:
    content = values.json_of("--request", file)
    if not isinstance(content, dict):
        raise UsageError(f"--request is {file}, expected a JSON object.")
    return content


def _merged(request: Request, change: dict[str, Any], file: Path) -> dict[str, Any]:
    operation, before = request
    for name in OWN_NAMES:
        if name in change and change[name] != before.get(name):
            raise UsageError(f"--request is {file}, which sets {name} of {operation}, expected a flag to do that.")
    merged: dict[str, Any] = merge(before, change)
    _validate(operation, merged, file)
    return merged


def _validate(operation: str, request: dict[str, Any], file: Path, whole: bool = True) -> None:
    try:
        validate(operation, request, whole)
    except ParamValidationError as error:
        reason = " ".join(str(error).split()).partition("failed: ")[2]
        raise UsageError(f"--request is {file}, by which {operation} is not valid: {reason}") from None


def merge(target: Any, change: Any) -> Any:
    """Return ``target`` changed as JSON Merge Patch has it: objects are merged, null removes, all else replaces.

    https://www.rfc-editor.org/rfc/rfc7396
    """
    if not isinstance(change, dict):
        return change
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in change.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged
