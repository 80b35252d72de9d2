"""API requests as data, and what ``--dry-run`` prints of them."""

import json
from collections.abc import Sequence
from typing import Any

Request = tuple[str, dict[str, Any]]
"""An operation of the API, ``CreateTrainingJob`` and the like, and its parameters."""


def print_request(request: dict[str, Any]) -> None:
    """Print a script's only request as ``aws sagemaker create-training-job --cli-input-json`` and the like take it."""
    print(json.dumps(request, indent=2))


def print_requests(requests: Sequence[Request]) -> None:
    """Print a JSON list with an object of operation and parameters for each request."""
    print(json.dumps([{operation: request} for operation, request in requests], indent=2))
