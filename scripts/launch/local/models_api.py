"""Models and endpoint configurations of this machine: the methods of boto3's ``sagemaker`` client.

Both are kept as they were created; ``launch.local.servers`` and ``launch.local.transform_job`` read them. Which
parameters those honour stands in ``launch.local.honoured_parameters``.
"""

from typing import Any

from launch.local import honoured_parameters, records
from launch.local.errors import LocalError
from launch.local.records import ENDPOINT_CONFIGS, MODELS, Resource, ResourceKind
from launch.local.resource_api import ResourceApi, create, delete, require


class ModelsApi(ResourceApi):
    """The methods of boto3's client that create, describe, list and delete models and endpoint configurations."""

    def create_model(self, **request: Any) -> dict[str, Any]:
        honoured_parameters.check("CreateModel", request)
        self._require_files(request["PrimaryContainer"]["ModelDataUrl"])
        return {"ModelArn": _create(MODELS, request["ModelName"], request)}

    def describe_model(self, ModelName: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        return _describe(MODELS, "DescribeModel", ModelName)

    def delete_model(self, ModelName: str) -> dict[str, Any]:  # noqa: N803
        return delete(MODELS, ModelName)

    def list_models(self, NameContains: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"Models": [{"ModelName": name} for name in records.names(MODELS) if NameContains in name]}

    def create_endpoint_config(self, **request: Any) -> dict[str, Any]:
        honoured_parameters.check("CreateEndpointConfig", request)
        if len(request["ProductionVariants"]) != 1:
            raise LocalError(
                "CreateEndpointConfig", "ValidationException", "ProductionVariants are several, expected 1"
            )
        self.describe_model(ModelName=request["ProductionVariants"][0]["ModelName"])
        return {"EndpointConfigArn": _create(ENDPOINT_CONFIGS, request["EndpointConfigName"], request)}

    def describe_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:  # noqa: N803
        return _describe(ENDPOINT_CONFIGS, "DescribeEndpointConfig", EndpointConfigName)

    def delete_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:  # noqa: N803
        return delete(ENDPOINT_CONFIGS, EndpointConfigName)

    def list_endpoint_configs(self, NameContains: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        names = [name for name in records.names(ENDPOINT_CONFIGS) if NameContains in name]
        return {"EndpointConfigs": [{"EndpointConfigName": name} for name in names]}


def _create(kind: ResourceKind[Resource], name: str, request: dict[str, Any]) -> str:
    record = Resource(request, kind.arn_of(name), records.now())
    create(kind, name, record)
    return record.arn


def _describe(kind: ResourceKind[Resource], operation: str, name: str) -> dict[str, Any]:
    record = require(kind, operation, name)
    return {**record.request, "CreationTime": records.time_of(record.created)}
