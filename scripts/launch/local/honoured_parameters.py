"""What local mode does with each parameter of a request: honours it, leaves it out and says so, or refuses it.

The tables name the code that honours the parameters of an operation; a parameter that the code comes to honour, or no
longer does, changes its row here. A parameter that is in no row is refused.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from launch.aws.validation import validate
from launch.cli.options import DEFAULT_VOLUME_GB
from launch.local import records
from launch.local.errors import LocalError

LEFT_OUT_EVERYWHERE = ("RoleArn", "ExecutionRoleArn", "VpcConfig", "Tags", "KmsKeyId")
"""Of every operation that has them."""
HONOURED: dict[str, tuple[str, ...]] = {
    # local/jobs_api.py, local/training_job.py, local/ml_tree.py, local/spot.py; of a container: local/docker_engine.py
    "CreateTrainingJob": (
        "TrainingJobName",
        "HyperParameters",
        "Environment",
        "EnableNetworkIsolation",
        "EnableManagedSpotTraining",
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
        "TensorBoardOutputConfig.S3OutputPath",
        "TensorBoardOutputConfig.LocalPath=/opt/ml/output/tensorboard",
    ),
    # local/tuning_api.py, local/tuning_job.py, local/tuning_search.py; TrainingJobDefinition as CreateTrainingJob
    "CreateHyperParameterTuningJob": (
        "HyperParameterTuningJobName",
        "HyperParameterTuningJobConfig.Strategy=Random|Grid",
        "HyperParameterTuningJobConfig.HyperParameterTuningJobObjective",
        "HyperParameterTuningJobConfig.ResourceLimits.MaxNumberOfTrainingJobs",
        "HyperParameterTuningJobConfig.ResourceLimits.MaxParallelTrainingJobs",
        "HyperParameterTuningJobConfig.ParameterRanges.ContinuousParameterRanges",
        "HyperParameterTuningJobConfig.ParameterRanges.IntegerParameterRanges",
        "HyperParameterTuningJobConfig.ParameterRanges.CategoricalParameterRanges",
        "HyperParameterTuningJobConfig.TrainingJobEarlyStoppingType=Off",
        "HyperParameterTuningJobConfig.RandomSeed",
        "TrainingJobDefinition",
    ),
    # local/models_api.py, local/servers.py, local/jobs_api.py, local/transform_job.py
    "CreateModel": (
        "ModelName",
        "PrimaryContainer.Image",
        "PrimaryContainer.ModelDataUrl",
        "PrimaryContainer.Environment",
        "PrimaryContainer.Mode=SingleModel|MultiModel",
    ),
    # local/models_api.py, local/endpoints_api.py
    "CreateEndpointConfig": (
        "EndpointConfigName",
        "ProductionVariants.VariantName",
        "ProductionVariants.ModelName",
        "ProductionVariants.InstanceType",
        "ProductionVariants.InitialInstanceCount=1",
        "ProductionVariants.InitialVariantWeight",
    ),
    # local/endpoints_api.py
    "CreateEndpoint": ("EndpointName", "EndpointConfigName"),
    "UpdateEndpoint": ("EndpointName", "EndpointConfigName"),
    # local/jobs_api.py, local/transform_job.py, local/transform_records.py
    "CreateTransformJob": (
        "TransformJobName",
        "ModelName",
        "BatchStrategy=MultiRecord|SingleRecord",
        "MaxPayloadInMB",
        "MaxConcurrentTransforms",
        "Environment",
        "TransformInput.ContentType",
        "TransformInput.SplitType=None|Line",
        "TransformInput.CompressionType=None",
        "TransformInput.DataSource.S3DataSource.S3Uri",
        "TransformInput.DataSource.S3DataSource.S3DataType=S3Prefix",
        "TransformOutput.S3OutputPath",
        "TransformOutput.Accept",
        "TransformOutput.AssembleWith=None|Line",
        "TransformResources.InstanceType",
        "TransformResources.InstanceCount=1",
        "DataProcessing.InputFilter",
        "DataProcessing.OutputFilter",
        "DataProcessing.JoinSource=None|Input",
    ),
}
"""Parameters that local mode honours, by operation; after ``=`` the only values that it can, separated by ``|``."""
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "CreateTrainingJob": (
        "EnableInterContainerTrafficEncryption",
        "AlgorithmSpecification.EnableSageMakerMetricsTimeSeries",
        "OutputDataConfig.KmsKeyId",
        "ResourceConfig.VolumeSizeInGB",
        "ResourceConfig.VolumeKmsKeyId",
        "ResourceConfig.KeepAlivePeriodInSeconds",
        "StoppingCondition.MaxWaitTimeInSeconds",
        "StoppingCondition.MaxPendingTimeInSeconds",
        "RetryStrategy",
        "ProfilerConfig",
        "DebugHookConfig",
        "ExperimentConfig",
        "MlflowConfig",
    ),
    "CreateHyperParameterTuningJob": (),
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
        "ExperimentConfig",
    ),
}
"""Parameters without which a job or an endpoint has the same result here, by operation; a user is told of them."""

FILLED_IN = {
    "RoleArn": records.ROLE,
    "ExecutionRoleArn": records.ROLE,
    "ResourceConfig.VolumeSizeInGB": DEFAULT_VOLUME_GB,
}
"""Values that the scripts fill in where a user gives none, as the API asks for them: a user is not told of them."""


def check(operation: str, request: Mapping[str, Any]) -> None:
    """Check a request against botocore's model of the API and the tables above; print what is left out.

    Raises:
        ParamValidationError: It has not the form that the API asks for.
        LocalError: Local mode cannot do what a parameter asks for.
        KeyError: There are no tables of this operation.
    """
    validate(operation, request)
    honoured = {
        path: tuple(filter(None, values.split("|")))
        for path, _, values in (entry.partition("=") for entry in HONOURED[operation])
    }
    ignored = (*LEFT_OUT[operation], *LEFT_OUT_EVERYWHERE)
    left_out = []
    for path, value in _parameters(request, honoured):
        if path in honoured and (not honoured[path] or str(value) in honoured[path]):
            continue
        if any(path == prefix or path.startswith(f"{prefix}.") for prefix in ignored):
            if not _is_filled_in(path, value, request):
                left_out.append(path)
            continue
        choices = " or ".join(map(repr, honoured.get(path, ())))
        expected = f"expected {choices}" if choices else "which local mode does not know"
        raise LocalError(operation, "ValidationException", f"{path} is {value!r}, {expected}")
    if left_out:
        names = ", ".join(dict.fromkeys(left_out))
        print(f"Local mode leaves out of {operation}: {names}", file=sys.stderr, flush=True)


def _is_filled_in(path: str, value: Any, request: Mapping[str, Any]) -> bool:
    if path == "StoppingCondition.MaxWaitTimeInSeconds":
        return bool(value == request["StoppingCondition"].get("MaxRuntimeInSeconds"))
    return path in FILLED_IN and FILLED_IN[path] == value


def _parameters(value: Any, honoured: Mapping[str, object], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the parameters of a request by path; one that is honoured is a whole, whatever is in it."""
    if path in honoured or not isinstance(value, dict | list):
        yield path, value
    elif isinstance(value, list):
        for item in value:
            yield from _parameters(item, honoured, path)
    else:
        for key, item in value.items():
            yield from _parameters(item, honoured, f"{path}.{key}" if path else key)
