"""Whether an execution role is of the caller's account, and may read and write where a job does.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from botocore.exceptions import ClientError

from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.aws.storage import join, split
from launch.cli.errors import UsageError

READ, WRITE = "s3:GetObject", "s3:PutObject"
ALLOWED = "allowed"


def check_account(clients: Clients, role: str) -> None:
    """Check that a role is of the caller's account: no other can be passed to SageMaker.

    Args:
        clients: of the caller.
        role: its ARN.

    Raises:
        UsageError: It is of another account.
    """
    account = role.split(":")[4]
    if account != clients.account:
        raise UsageError(f"The role is {role}, of account {account}, expected one of yours, {clients.account}.")


def check_access(clients: Clients, role: str, action: str, uri: str) -> None:
    """Check that a role may read or write at an address, if the caller may ask IAM about that.

    Args:
        clients: of the caller.
        role: its ARN.
        action: READ or WRITE.
        uri: of an object or of a folder: ``s3://bucket/key``.

    Raises:
        UsageError: It may not.
    """
    places = (uri, join(uri, "object")) if action == READ else (join(uri, "object"),)
    try:
        if any(_is_allowed(clients, role, action, place) for place in places) or _has_policy(clients, split(uri)[1]):
            return
    except ClientError:  # the caller may not ask, or the role is too new to be known
        return
    verb = "read" if action == READ else "write"
    raise UsageError(
        f"The role is {role}, which may not {verb} {uri}: for the project's own role, scripts/create_role.py "
        "with the same --bucket and --prefix gives it the right."
    )


def _is_allowed(clients: Clients, role: str, action: str, uri: str) -> bool:
    _, bucket, key = split(uri)
    answer = clients.iam.simulate_principal_policy(
        PolicySourceArn=role, ActionNames=[action], ResourceArns=[f"arn:{clients.partition}:s3:::{bucket}/{key}"]
    )
    return all(result["EvalDecision"] == ALLOWED for result in answer["EvaluationResults"])


def _has_policy(clients: Clients, bucket: str) -> bool:
    """Tell whether a bucket has a policy of its own, which may allow what the role's policies do not."""
    try:
        clients.s3.get_bucket_policy(Bucket=bucket)
    except ClientError as error:
        if aws_errors.code_of(error) in ("NoSuchBucketPolicy", "NoSuchBucket"):
            return False
        raise
    return True
