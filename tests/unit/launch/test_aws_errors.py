"""AWS's errors in one sentence: what no local server can answer with."""

import boto3
import pytest
from botocore import exceptions
from launch.aws import errors as aws_errors
from launch.cli.errors import JobFailed, UsageError
from launch.local.errors import LocalError


def refusal(code: str, message: str, status: int = 400) -> exceptions.ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return exceptions.ClientError(response, "DescribeTrainingJob")


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (
            exceptions.EndpointConnectionError(endpoint_url="https://sts.us-mars-1.amazonaws.com/"),
            UsageError,
            "AWS does not answer at sts.us-mars-1.amazonaws.com: the region is not one that is known for SageMaker.",
        ),
        (
            exceptions.EndpointConnectionError(endpoint_url="https://api.sagemaker.eu-west-1.amazonaws.com/"),
            JobFailed,
            "AWS does not answer at https://api.sagemaker.eu-west-1.amazonaws.com/: is there a network, and a proxy "
            "where one is needed?",
        ),
        (
            refusal("AccessDeniedException", "User x is not authorized."),
            UsageError,
            "AWS refuses DescribeTrainingJob: User x is not authorized (AccessDeniedException).",
        ),
        (refusal("ThrottlingException", "Rate exceeded"), JobFailed, "Rate exceeded (ThrottlingException)."),
        (refusal("InternalFailure", "", 500), JobFailed, "AWS refuses DescribeTrainingJob: InternalFailure"),
        (refusal("ExpiredToken", "The token has expired."), UsageError, "The token has expired (ExpiredToken)."),
        (refusal("Odd", "x", 500), JobFailed, "AWS refuses DescribeTrainingJob: x (Odd)."),
        (refusal("Odd", "x", 499), UsageError, "AWS refuses DescribeTrainingJob: x (Odd)."),
        (refusal("ServiceUnavailable", "x"), JobFailed, "x (ServiceUnavailable)."),
        (exceptions.ClientError({}, "GetRole"), UsageError, "AWS refuses GetRole:  ()."),
        (LocalError("GetRole", "Odd", "x"), UsageError, "Local mode refuses GetRole: x (Odd)."),
        (exceptions.NoCredentialsError(), UsageError, "There are no AWS credentials: run `aws configure`, name"),
        (
            exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            UsageError,
            "There are no AWS credentials",
        ),
        (exceptions.NoRegionError(), UsageError, "There is no AWS region: give --region, or set AWS_REGION."),
        (
            exceptions.ParamValidationError(report="Missing x\nUnknown y"),
            UsageError,
            "The request is not valid: Missing x Unknown y",
        ),
        (
            exceptions.EndpointConnectionError(endpoint_url="https://sts.cn-mars-1.amazonaws.com.cn"),
            UsageError,
            "AWS does not answer at sts.cn-mars-1.amazonaws.com.cn: the region is not one that is known",
        ),
        (
            exceptions.EndpointConnectionError(endpoint_url="https://sts.cn-north-1.amazonaws.com.cn"),
            JobFailed,
            "AWS does not answer at https://sts.cn-north-1.amazonaws.com.cn: is there a network",
        ),
        (
            exceptions.ConnectTimeoutError(endpoint_url="http://proxy.example.com/amazonaws.com"),
            JobFailed,
            "AWS does not answer at http://proxy.example.com/amazonaws.com: is there a network",
        ),
        (exceptions.HTTPClientError(error="x"), JobFailed, "AWS does not answer at its address: is there a network"),
        (boto3.exceptions.Boto3Error("Some\nthing."), JobFailed, "Some thing."),
        (exceptions.WaiterError("w", "Max attempts", {}), JobFailed, "Waiter w failed: Max attempts."),
    ],
)
def test_an_error_is_one_sentence(error, kind, sentence):
    explained = aws_errors.explain(error)
    assert type(explained) is kind
    assert sentence in str(explained)
    assert "\n" not in str(explained)


def test_a_fault_of_the_scripts_own_is_not_explained():
    assert aws_errors.explain(KeyError("x")) is None


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("ValidationException", "Requested resource not found.", True),
        ("ValidationException", 'Could not find endpoint "arn:x".', True),
        ("ValidationException", "1 validation error detected", False),
        ("RepositoryNotFoundException", "", True),
        ("AccessDenied", "", False),
        ("AccessDenied", "it does not exist", False),
        ("404", "", True),
        ("403", "Not Found", False),
        ("ResourceNotFoundExceptions", "", False),
    ],
)
def test_what_is_not_there(code, message, expected):
    error = refusal(code, message)
    assert aws_errors.is_not_found(error) == expected

    def describe(**names):
        assert names == {"Name": "x"}
        raise error

    if expected:
        assert aws_errors.describe_if_exists(describe, Name="x") is None
    else:
        with pytest.raises(exceptions.ClientError):
            aws_errors.describe_if_exists(describe, Name="x")
    assert aws_errors.describe_if_exists(lambda **names: names, Name="x") == {"Name": "x"}
