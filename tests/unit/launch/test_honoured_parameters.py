"""What local mode does with the values of a parameter that it honours."""

import pytest
from botocore.exceptions import ClientError
from launch.local import honoured_parameters


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
    with pytest.raises(ClientError, match=r"DataProcessing.InputFilter is '\$', which local mode does not know"):
        honoured_parameters.check("CreateTransformJob", {**transform_request(), "DataProcessing": {"InputFilter": "$"}})
