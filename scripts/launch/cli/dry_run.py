"""API requests as data, and what ``--dry-run`` prints of them."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from launch.cli import secrets

Request = tuple[str, dict[str, Any]]
"""An operation of the API, ``CreateTrainingJob`` and the like, and its parameters."""


def print_request(request: dict[str, Any]) -> None:
    """Print a script's only request as ``aws sagemaker create-training-job --cli-input-json`` and the like take it."""
    _print(request)


def print_requests(requests: Sequence[Request]) -> None:
    """Print a JSON list with an object of operation and parameters for each request."""
    _print([{operation: request} for operation, request in requests])


def _print(value: Any) -> None:
    """Print JSON. A terminal does not show what may be secret; a pipe or a file does, as it may be sent from there."""
    print(json.dumps(secrets.masked(value) if sys.stdout.isatty() else value, indent=2))
