"""What local mode makes of each parameter of a request: honours it, says that it leaves it out, or refuses it."""

import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.exceptions import ClientError, ParamValidationError
from botocore.validate import ParamValidator

LEFT_OUT_EVERYWHERE = ("RoleArn", "ExecutionRoleArn", "VpcConfig", "Tags", "KmsKeyId")
HONOURED: dict[str, tuple[str, ...]] = {
    "CreateTrainingJob": (
        "TrainingJobName",
        "HyperParameters",
        "Environment",
        "EnableNetworkIsolation",
        "AlgorithmSpecification.TrainingImage",
        "AlgorithmSpecification.TrainingInputMode=File",
        "AlgorithmSpecification.MetricDefinitions",
        "InputDataConfig.ChannelName",
        "InputDataConfig.ContentType",
        "InputDataConfig.InputMode=File",
        "InputDataConfig.CompressionType=None",
        "InputDataConfig.RecordWrapperType=None",
        "InputDataConfig.DataSource.S3DataSource.S3Uri",
        "InputDataConfig.DataSource.S3DataSource.S3DataType=S3Prefix",
        "InputDataConfig.DataSource.S3DataSource.S3DataDistributionType=FullyReplicated",
        "OutputDataConfig.S3OutputPath",
        "OutputDataConfig.CompressionType=GZIP",
        "ResourceConfig.InstanceType",
        "ResourceConfig.InstanceCount",
        "StoppingCondition.MaxRuntimeInSeconds",
        "CheckpointConfig.S3Uri",
        "CheckpointConfig.LocalPath=/opt/ml/checkpoints",
    ),
    "CreateModel": (
        "ModelName",
        "PrimaryContainer.Image",
        "PrimaryContainer.ModelDataUrl",
        "PrimaryContainer.Environment",
        "PrimaryContainer.Mode=SingleModel",
    ),
    "CreateEndpointConfig": (
        "EndpointConfigName",
        "ProductionVariants.VariantName",
        "ProductionVariants.ModelName",
        "ProductionVariants.InstanceType",
        "ProductionVariants.InitialInstanceCount=1",
        "ProductionVariants.InitialVariantWeight",
    ),
    "CreateEndpoint": ("EndpointName", "EndpointConfigName"),
    "UpdateEndpoint": ("EndpointName", "EndpointConfigName"),
    "CreateTransformJob": (
        "TransformJobName",
        "ModelName",
        "BatchStrategy",
        "MaxPayloadInMB",
        "MaxConcurrentTransforms=1",
        "Environment",
        "TransformInput.ContentType",
        "TransformInput.SplitType",
        "TransformInput.CompressionType=None",
        "TransformInput.DataSource.S3DataSource.S3Uri",
        "TransformInput.DataSource.S3DataSource.S3DataType=S3Prefix",
        "TransformOutput.S3OutputPath",
        "TransformOutput.Accept",
        "TransformOutput.AssembleWith",
        "TransformResources.InstanceType",
        "TransformResources.InstanceCount=1",
    ),
}
"""Parameters that local mode carries out; after ``=`` the only value that it can."""
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "CreateTrainingJob": (
        "EnableManagedSpotTraining",
        "EnableInterContainerTrafficEncryption",
        "AlgorithmSpecification.EnableSageMakerMetricsTimeSeries",
        "OutputDataConfig.KmsKeyId",
        "ResourceConfig.VolumeSizeInGB",
        "ResourceConfig.VolumeKmsKeyId",
        "StoppingCondition.MaxWaitTimeInSeconds",
        "RetryStrategy",
        "ProfilerConfig",
        "DebugHookConfig",
        "ExperimentConfig",
    ),
    "CreateModel": ("EnableNetworkIsolation",),
    "CreateEndpointConfig": (
        "DataCaptureConfig",
        "ProductionVariants.InitialInstanceCount",
        "ProductionVariants.ServerlessConfig",
        "ProductionVariants.VolumeSizeInGB",
        "ProductionVariants.ContainerStartupHealthCheckTimeoutInSeconds",
    ),
    "CreateEndpoint": ("DeploymentConfig",),
    "UpdateEndpoint": ("DeploymentConfig", "RetainAllVariantProperties", "ExcludeRetainedVariantProperties"),
    "CreateTransformJob": (
        "TransformOutput.KmsKeyId",
        "TransformResources.VolumeKmsKeyId",
        "TransformResources.InstanceCount",
        "MaxConcurrentTransforms",
        "ExperimentConfig",
    ),
}
"""Parameters that change nothing about the result here: local mode says that it leaves them out."""


class LocalError(ClientError):
    """What local mode answers where AWS would answer with an error; of the same shape."""

    who = "Local mode"

    def __init__(self, operation: str, code: str, message: str) -> None:
        super().__init__({"Error": {"Code": code, "Message": message}}, operation)


def check(operation: str, request: Mapping[str, Any]) -> None:
    """Check a request as botocore and local mode see it, and say what is left out.

    Raises:
        ParamValidationError: It has not the shape that the API asks for.
        LocalError: Local mode cannot do what a parameter asks for.
    """
    report = ParamValidator().validate(dict(request), _service().operation_model(operation).input_shape)
    if report.has_errors():
        raise ParamValidationError(report=report.generate_report())
    honoured = {entry.partition("=")[0]: entry.partition("=")[2] for entry in HONOURED[operation]}
    announced = (*LEFT_OUT[operation], *LEFT_OUT_EVERYWHERE)
    left_out = []
    for path, value in _parameters(request, honoured):
        if path in honoured and honoured[path] in ("", str(value)):
            continue
        if any(path == known or path.startswith(f"{known}.") for known in announced):
            left_out.append(path)
            continue
        expected = f"expected {honoured[path]!r}" if path in honoured else "which local mode does not know"
        raise LocalError(operation, "ValidationException", f"{path} is {value!r}, {expected}")
    if left_out:
        names = ", ".join(dict.fromkeys(left_out))
        print(f"Local mode leaves out of {operation}: {names}", file=sys.stderr, flush=True)


def _parameters(value: Any, whole: Mapping[str, str], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a request with their paths; what is honoured as a whole is a leaf."""
    if path in whole or not isinstance(value, dict | list):
        yield path, value
    elif isinstance(value, list):
        for item in value:
            yield from _parameters(item, whole, path)
    else:
        for key, item in value.items():
            yield from _parameters(item, whole, f"{path}.{key}" if path else key)


@lru_cache
def _service() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")
