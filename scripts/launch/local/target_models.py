"""The models of a multi-model endpoint of this machine, each loaded when it is asked for, as SageMaker does.

https://docs.aws.amazon.com/sagemaker/latest/dg/mms-container-apis.html has the container's part.
"""

import shutil
from pathlib import Path
from typing import Any

import httpx

from launch.aws.storage import Storage
from launch.local import records, servers
from launch.local.errors import LocalError
from launch.local.records import ENDPOINTS, Deployment


class TargetModels:
    """Loads the models that requests ask for into the server of a deployment.

    Args:
        endpoint: its name.
        deployment: that serves.
        storage: where the models are.
        client: for requests to the server.
    """

    def __init__(self, endpoint: str, deployment: Deployment, storage: Storage, client: httpx.Client) -> None:
        self._endpoint = endpoint
        self._deployment = deployment
        self._storage = storage
        self._client = client

    def path(self, target: str) -> str:
        """Return the path that answers for a model, which is loaded if it is not yet.

        Args:
            target: TargetModel of the request; empty for an endpoint of a single model.

        Raises:
            LocalError: There is no such model, or it cannot be loaded; or the endpoint is of the other kind.
        """
        if self._deployment.models is None:
            if target:
                raise _refused(f"TargetModel is {target}, but {self._endpoint} is no multi-model endpoint")
            return "/invocations"
        address = self._deployment.models + target
        if not target or not self._storage.find(address):
            raise _refused(f"TargetModel is {target!r}, expected a model of {self._endpoint}")
        name = target.removesuffix(".tar.gz")
        if self._ask("GET", f"/{name}").status_code == 404:
            self._load(name, address)
        return f"/models/{name}/invoke"

    def _load(self, name: str, address: str) -> None:
        """Load a model; where there is no room, unload others first."""
        version = str(self._deployment.version)
        models = records.folder_of(ENDPOINTS, self._endpoint) / version / "ml" / "models"
        shutil.rmtree(models / name, ignore_errors=True)
        servers.fetch_model(self._storage, address, models / name / "model")
        seen = Path("/opt/ml/models") if self._deployment.container else models
        request = {"model_name": name, "url": str(seen / name / "model")}
        while (answer := self._ask("POST", "", json=request)).status_code == 507:
            loaded = self._ask("GET", "").json()["models"]
            if not loaded:
                break
            self._ask("DELETE", f"/{loaded[0]['modelName']}")
        if answer.status_code not in (200, 409):  # 409: another request has loaded it meanwhile
            raise model_error(self._endpoint, answer)

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._client.request(method, f"{self._deployment.url}/models{path}", **options)


def _refused(message: str) -> LocalError:
    return LocalError("InvokeEndpoint", "ValidationError", message)


def model_error(endpoint: str, answer: httpx.Response) -> LocalError:
    """Return SageMaker's error for a container's answer of 400 or above."""
    side = "client" if answer.status_code < 500 else "server"
    message = (
        f'Received {side} error ({answer.status_code}) from primary with message "{answer.text}". '
        f"See the log of endpoint {endpoint}."
    )
    error = LocalError("InvokeEndpoint", "ModelError", message)
    error.response.update(OriginalStatusCode=answer.status_code, OriginalMessage=answer.text)
    return error
