"""Largest numbers, lengths and counts in the model of SageMaker's API, which botocore does not check."""

from typing import Any

import botocore.session

from launch.cli.errors import UsageError

LENGTHS = ("string", "list", "map")
NUMBERS = ("integer", "long", "float", "double")


def check(operation: str, request: dict[str, Any]) -> None:
    """Check a request; botocore does the rest, types and smallest numbers, when it is sent.

    Raises:
        UsageError: Something is larger, longer or more than SageMaker takes. A text is not shown: it may be secret.
    """
    model = botocore.session.get_session().get_service_model("sagemaker").operation_model(operation).input_shape
    _check(request, model, "")


def _check(value: Any, shape: Any, path: str) -> None:
    most = shape.metadata.get("max")
    if most is not None and shape.type_name in NUMBERS and value > most:
        raise UsageError(f"{path} is {value}, expected at most {most}.")
    if most is not None and shape.type_name in LENGTHS and len(value) > most:
        what = "characters" if shape.type_name == "string" else "entries"
        raise UsageError(f"{path} has {len(value)} {what}, expected at most {most}.")
    if shape.type_name == "structure":
        for name, each in value.items():
            if name in shape.members:  # botocore says which ones are known
                _check(each, shape.members[name], f"{path}.{name}".lstrip("."))
    elif shape.type_name == "list":
        for each in value:
            _check(each, shape.member, path)
    elif shape.type_name == "map":
        for name, each in value.items():
            _check(each, shape.value, f"{path}.{name}")
