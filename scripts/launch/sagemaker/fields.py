"""Forms of fields that several requests have."""

import argparse
from typing import Any


def without_empty(request: Any) -> Any:
    """Return a request without the fields that nobody asked for: None, empty lists and empty objects."""
    if isinstance(request, dict):
        kept = {key: without_empty(value) for key, value in request.items()}
        return {key: value for key, value in kept.items() if value is not None and value != [] and value != {}}
    return request


def vpc_config(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return VpcConfig by the flags of ``options.add_network``; its lists are empty for a script without them."""
    return {
        "SecurityGroupIds": getattr(arguments, "security_groups", []),
        "Subnets": getattr(arguments, "subnets", []),
    }


def s3_data_source(uri: str) -> dict[str, Any]:
    """Return DataSource of all files below an address."""
    return {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}
