"""What local mode does with the values of a parameter that it honours."""

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from launch.local import honoured_parameters
from launch.local.clients import LocalClients


def transform_request(**changes) -> dict:
    """Return a CreateTransformJob request with other values of the parameters that have a choice of values."""
    return {
        "TransformJobName": "brief",
        "ModelName": "brief",
        "BatchStrategy": changes.get("BatchStrategy", "MultiRecord"),
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "file:///input"}},
            "SplitType": changes.get("SplitType", "Line"),
        },
        "TransformOutput": {
            "S3OutputPath": "file:///output",
            "AssembleWith": changes.get("AssembleWith", "Line"),
        },
        "TransformResources": {"InstanceType": "local", "InstanceCount": 1},
    }


@pytest.mark.parametrize(
    "changes",
    [{}, {"BatchStrategy": "SingleRecord"}, {"SplitType": "None"}, {"AssembleWith": "None"}],
)
def test_each_known_value_is_taken(changes, capfd):
    honoured_parameters.check("CreateTransformJob", transform_request(**changes))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"SplitType": "RecordIO"}, "TransformInput.SplitType is 'RecordIO', expected 'None' or 'Line'"),
        ({"SplitType": "TFRecord"}, "TransformInput.SplitType is 'TFRecord', expected 'None' or 'Line'"),
        ({"AssembleWith": "line"}, "TransformOutput.AssembleWith is 'line', expected 'None' or 'Line'"),
        ({"BatchStrategy": "Multi"}, "BatchStrategy is 'Multi', expected 'MultiRecord' or 'SingleRecord'"),
    ],
)
def test_a_value_that_the_job_would_mishandle_is_refused(changes, sentence):
    """botocore does not check values: such a file was split at line ends."""
    with pytest.raises(ClientError, match=sentence):
        honoured_parameters.check("CreateTransformJob", transform_request(**changes))


def test_a_parameter_of_one_value_and_an_unknown_one_are_refused():
    with pytest.raises(ClientError, match="CompressionType is 'Gzip', expected 'None'"):
        request = transform_request()
        request["TransformInput"]["CompressionType"] = "Gzip"
        honoured_parameters.check("CreateTransformJob", request)
    with pytest.raises(
        ClientError, match=r"ModelClientConfig.InvocationsMaxRetries is 3, which local mode does not know"
    ):
        retries = {"ModelClientConfig": {"InvocationsMaxRetries": 3}}
        honoured_parameters.check("CreateTransformJob", {**transform_request(), **retries})


def test_what_is_left_out_is_said_once(capsys):
    """Also what is in it, and of a value that is honoured alone with another one; what is honoured is not named."""
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "local", "VolumeSizeInGB": 5}
    request = {
        "EndpointConfigName": "x",
        "ProductionVariants": [{**variant, "InitialInstanceCount": count} for count in (1, 2, 3)],
        "DataCaptureConfig": {
            "InitialSamplingPercentage": 5,
            "DestinationS3Uri": "s3://b",
            "CaptureOptions": [{"CaptureMode": "Input"}],
        },
        "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}],
        "KmsKeyId": "k",
    }
    honoured_parameters.check("CreateEndpointConfig", request)
    names = [
        "ProductionVariants.VolumeSizeInGB",
        "ProductionVariants.InitialInstanceCount",
        "DataCaptureConfig.InitialSamplingPercentage",
        "DataCaptureConfig.DestinationS3Uri",
        "DataCaptureConfig.CaptureOptions.CaptureMode",
        "Tags.Key",
        "Tags.Value",
        "KmsKeyId",
    ]
    first, listed = capsys.readouterr().err.rstrip().split(": ")
    assert first == "Local mode leaves out of CreateEndpointConfig"
    assert sorted(listed.split(", ")) == sorted(names)
    honoured_parameters.check("UpdateEndpoint", {"EndpointName": "x", "EndpointConfigName": "y"})
    assert capsys.readouterr().err == ""


def test_a_request_that_the_api_would_not_take():
    with pytest.raises(ParamValidationError, match='Missing required parameter in input: "EndpointConfigName"'):
        honoured_parameters.check("UpdateEndpoint", {"EndpointName": "x"})
    with pytest.raises(KeyError, match="DeleteEndpoint"):
        honoured_parameters.check("DeleteEndpoint", {"EndpointName": "x"})


def test_what_nobody_gave_is_not_said(capsys):
    """The API asks for a role and a volume, and a Spot job's script for a longest wait."""
    request = {
        "TrainingJobName": "brief",
        "RoleArn": LocalClients().default_role,
        "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "file:///output"},
        "ResourceConfig": {"InstanceType": "local", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
    }
    honoured_parameters.check("CreateTrainingJob", request)
    assert capsys.readouterr() == ("", "")
    request["RoleArn"] = "arn:aws:iam::123456789012:role/mine"
    request["ResourceConfig"]["VolumeSizeInGB"] = 20
    request["StoppingCondition"]["MaxWaitTimeInSeconds"] = 61
    honoured_parameters.check("CreateTrainingJob", request)
    assert capsys.readouterr().err == (
        "Local mode leaves out of CreateTrainingJob: RoleArn, ResourceConfig.VolumeSizeInGB, "
        "StoppingCondition.MaxWaitTimeInSeconds\n"
    )
