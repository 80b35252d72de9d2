"""AWS's errors in one sentence: what no local server can answer with."""

import pytest
from botocore import exceptions
from launch.aws import errors as aws_errors
from launch.cli.errors import JobFailed, UsageError


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
    ],
)
def test_what_is_not_there(code, message, expected):
    assert aws_errors.is_not_found(refusal(code, message)) == expected
