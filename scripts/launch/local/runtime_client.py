"""The method of boto3's ``sagemaker-runtime`` client, for endpoints of this machine."""

import io
from typing import Any

import httpx

from launch.local import records
from launch.local.errors import LocalError
from launch.local.records import ENDPOINTS

SECONDS_TO_INVOKE = 60
"""As on SageMaker: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"""


class LocalRuntime:
    """Sends observations to the deployment that serves."""

    def __init__(self) -> None:
        self._client = httpx.Client(trust_env=False, timeout=SECONDS_TO_INVOKE)  # no proxy for this machine

    def invoke_endpoint(
        self,
        EndpointName: str,  # noqa: N803 - boto3's names
        Body: bytes | str,  # noqa: N803
        ContentType: str = "",  # noqa: N803
        Accept: str = "",  # noqa: N803
        CustomAttributes: str = "",  # noqa: N803
    ) -> dict[str, Any]:
        record = records.read(ENDPOINTS, EndpointName)
        if record is None or record.serving is None:
            raise LocalError(
                "InvokeEndpoint", "ValidationError", f"Endpoint {EndpointName} of account local not found."
            )
        headers = {
            "Content-Type": ContentType,
            "Accept": Accept,
            "X-Amzn-SageMaker-Custom-Attributes": CustomAttributes,
        }
        try:
            answer = self._client.post(
                f"{record.serving.url}/invocations",
                content=Body.encode() if isinstance(Body, str) else Body,
                headers={name: value for name, value in headers.items() if value},
            )
        except httpx.TransportError as error:
            raise LocalError(
                "InvokeEndpoint", "ServiceUnavailable", f"The container does not answer: {error}"
            ) from None
        if answer.status_code >= 400:
            raise _model_error(EndpointName, answer)
        return {
            "Body": io.BytesIO(answer.content),
            "ContentType": answer.headers.get("Content-Type", ""),
            "InvokedProductionVariant": record.serving.variant,
            "CustomAttributes": answer.headers.get("X-Amzn-SageMaker-Custom-Attributes", ""),
        }


def _model_error(endpoint: str, answer: httpx.Response) -> LocalError:
    """Return SageMaker's error for a container's answer of 400 or above."""
    side = "client" if answer.status_code < 500 else "server"
    message = (
        f'Received {side} error ({answer.status_code}) from primary with message "{answer.text}". '
        f"See the log of endpoint {endpoint}."
    )
    error = LocalError("InvokeEndpoint", "ModelError", message)
    error.response.update(OriginalStatusCode=answer.status_code, OriginalMessage=answer.text)
    return error
