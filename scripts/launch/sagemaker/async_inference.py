"""Asynchronous inference: requests wait in a queue, bodies and answers are files in S3.

https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference.html
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from launch.aws.clients import Clients
from launch.aws.storage import Storage, join, split
from launch.cli.errors import JobFailed, UsageError
from launch.cli.progress import waiting_for
from launch.project import unique_name
from launch.sagemaker import fields, predictions, session

FLAGS = (
    "async_output",
    "async_failures",
    "async_kms_key",
    "success_topic",
    "error_topic",
    "max_concurrent",
    "target_backlog",
)
"""Of ``deploy.py``, by the names of the arguments: what only an asynchronous endpoint has."""
LARGEST_PAYLOAD_IN_MB = 1024
ENVIRONMENT = {
    "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(LARGEST_PAYLOAD_IN_MB),
    "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "900",  # as long as SageMaker waits if a request does not say otherwise
    "SAGEMAKER_RL_RECEIVE_TIMEOUT_SECONDS": "300",
}
"""Variables of the container, for the largest bodies that there are."""
SECONDS_TO_ANSWER = 3600
"""From a request to its answer: an endpoint without instances needs minutes to begin."""


def check_flags(arguments: argparse.Namespace) -> None:
    """Check the flags of an asynchronous endpoint.

    Raises:
        UsageError: One is given without ``--async``, or is no address in S3.
    """
    for name in FLAGS:
        flag, value = f"--{name.replace('_', '-')}", getattr(arguments, name)
        if value is not None and not arguments.asynchronous:
            raise UsageError(f"{flag} is of an asynchronous endpoint, expected with --async.")
        if value is not None and name in ("async_output", "async_failures") and split(value)[0] != "s3":
            raise UsageError(f"{flag} is {value!r}, expected s3://bucket/prefix.")


def config(arguments: argparse.Namespace, clients: Clients) -> dict[str, Any]:
    """Return AsyncInferenceConfig of CreateEndpointConfig."""
    home = join(session.home_address(arguments, clients), arguments.endpoint_name)
    complete = {
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": arguments.max_concurrent},
        "OutputConfig": {
            "S3OutputPath": arguments.async_output or join(home, "async-output"),
            "S3FailurePath": arguments.async_failures or join(home, "async-failures"),
            "KmsKeyId": arguments.async_kms_key,
            "NotificationConfig": {"SuccessTopic": arguments.success_topic, "ErrorTopic": arguments.error_topic},
        },
    }
    return dict(fields.without_empty(complete))


# --- Asking an endpoint ----------------------------------------------------------------------------------------------
def request(arguments: argparse.Namespace, clients: Clients, invocation: dict[str, Any]) -> dict[str, Any]:
    """Return the InvokeEndpointAsync request that asks the same as an InvokeEndpoint request.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html

    Args:
        arguments: the flags of ``predict.py``.
        clients: give the account.
        invocation: the InvokeEndpoint request, whose body goes to the request's ``InputLocation``.
    """
    home = session.home_address(arguments, clients)
    location = join(home, invocation["EndpointName"], "async-input", f"{unique_name('request')}.json")
    kept = {name: value for name, value in invocation.items() if name != "Body"}
    return {**kept, "InputLocation": location}


def invoke(clients: Clients, request: dict[str, Any], body: str, kms_key: str | None = None) -> Any:
    """Upload a body, encrypted by a key if one is given, send its request, wait for the answer; return that, decoded.

    Raises:
        JobFailed: The endpoint failed, or there is no answer in time.
    """
    storage = Storage(clients)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "body.json"
        file.write_text(body, encoding="utf-8")
        storage.ensure_bucket(split(request["InputLocation"])[1])
        storage.upload(file, request["InputLocation"], kms_key)
        answer = clients.runtime.invoke_endpoint_async(**request)
        output, failure = answer["OutputLocation"], answer.get("FailureLocation")
        print(f"The answer will be at {output}", file=sys.stderr, flush=True)
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        with waiting_for("the answer"):
            while True:
                if storage.find(output):
                    return predictions.decode(_read(storage, output, folder))
                if failure and storage.find(failure):
                    reason = _read(storage, failure, folder).decode("utf-8", "replace").strip()
                    raise JobFailed(f"The endpoint could not answer: {reason}")
                if time.monotonic() > deadline:
                    raise JobFailed(f"There is no answer at {output} after {SECONDS_TO_ANSWER} s; it may still come.")
                time.sleep(clients.seconds_between_polls)


def _read(storage: Storage, uri: str, folder: str) -> bytes:
    (file,) = storage.download(uri, Path(folder) / "answer")
    return file.read_bytes()
