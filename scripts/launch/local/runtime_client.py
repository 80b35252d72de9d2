"""The method of boto3's ``sagemaker-runtime`` client, for endpoints of this machine."""

import io
from typing import Any

import httpx

from launch.aws.storage import Storage
from launch.local import records
from launch.local.errors import LocalError
from launch.local.records import ENDPOINTS
from launch.local.target_models import TargetModels, model_error

SECONDS_TO_INVOKE = 60
"""As on SageMaker: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"""


class LocalRuntime:
    """Sends observations to the deployment that serves.

    Args:
        storage: where the models of multi-model endpoints are.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._client = httpx.Client(trust_env=False, timeout=SECONDS_TO_INVOKE)  # no proxy for this machine

    def invoke_endpoint(
        self,
        EndpointName: str,  # noqa: N803 - boto3's names
        Body: bytes | str,  # noqa: N803
        ContentType: str = "",  # noqa: N803
        Accept: str = "",  # noqa: N803
        CustomAttributes: str = "",  # noqa: N803
        TargetModel: str = "",  # noqa: N803
    ) -> dict[str, Any]:
        record = records.read(ENDPOINTS, EndpointName)
        if record is None or record.serving is None:
            raise LocalError(
                "InvokeEndpoint", "ValidationError", f"Endpoint {EndpointName} of account local not found."
            )
        models = TargetModels(EndpointName, record.serving, self._storage, self._client)
        headers = {
            "Content-Type": ContentType,
            "Accept": Accept,
            "X-Amzn-SageMaker-Custom-Attributes": CustomAttributes,
        }
        try:
            answer = self._client.post(
                f"{record.serving.url}{models.path(TargetModel)}",
                content=Body.encode() if isinstance(Body, str) else Body,
                headers={name: value for name, value in headers.items() if value},
            )
        except httpx.TransportError as error:
            raise LocalError(
                "InvokeEndpoint", "ServiceUnavailable", f"The container does not answer: {error}"
            ) from None
        if answer.status_code >= 400:
            raise model_error(EndpointName, answer)
        return {
            "Body": io.BytesIO(answer.content),
            "ContentType": answer.headers.get("Content-Type", ""),
            "InvokedProductionVariant": record.serving.variant,
            "CustomAttributes": answer.headers.get("X-Amzn-SageMaker-Custom-Attributes", ""),
        }
