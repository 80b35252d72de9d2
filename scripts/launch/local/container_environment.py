"""The environment variables of a training container: the job's own, and what reaches S3 from inside."""

import os
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from launch.local.docker_engine import HOST_MACHINE

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
ENDPOINT_URLS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "S3_ENDPOINT_URL")
"""The last one is sagemaker-training's own, which uploads a job's intermediate files."""
LOCALHOSTS = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 - only compared


def with_aws(environment: dict[str, str], session: Any, in_container: bool) -> dict[str, str]:
    """Return a job's variables and those by which it uses AWS as its caller does: credentials, region, addresses.

    Args:
        environment: the job's own variables.
        session: boto3's.
        in_container: whether the job runs in a container, to which this machine has another address.
    """
    variables = dict(environment)
    credentials = session.get_credentials()
    if credentials is not None:
        frozen = credentials.get_frozen_credentials()
        values = (frozen.access_key, frozen.secret_key, frozen.token)
        variables |= {name: value for name, value in zip(CREDENTIALS, values, strict=True) if value}
    if session.region_name:
        variables |= dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), session.region_name)
    for name in ENDPOINT_URLS:
        if url := os.environ.get(name):
            variables[name] = _from_container(url) if in_container else url
    if s3_url := variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL"):
        variables.setdefault("S3_ENDPOINT_URL", s3_url)
    return variables


def _from_container(url: str) -> str:
    """Return the URL by which a container reaches a server of this machine; any other URL as it is."""
    parts = urlsplit(url)
    if parts.hostname not in LOCALHOSTS:
        return url
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"{HOST_MACHINE}{port}"))
