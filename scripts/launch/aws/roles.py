"""The role that SageMaker takes on for a job or an endpoint, and what it may do.

https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
"""

import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from launch.aws import clients as aws
from launch.aws import logs
from launch.aws.storage import split
from launch.cli.errors import UsageError

REPOSITORIES = ("mountain-car-training", "mountain-car-serving")
POLICY_NAME = "rl-mountain-car"
VPC_ACTIONS = (
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeVpcs",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
)
"""https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html#sagemaker-roles-createtrainingjob-perms."""
KMS_ACTIONS = ("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey")
LOG_GROUPS = (logs.TRAINING_JOBS, logs.TRANSFORM_JOBS, f"{logs.ENDPOINTS}/*")
TRUST_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
ROLE_NAME = re.compile(r"[\w+=,.@/-]{1,64}", re.ASCII)
STUDIOS_ROLE = "AmazonSageMaker-ExecutionRole"
"""What the names begin with of the roles that SageMaker's console makes, below the path ``service-role/``."""
NOT_YET_ASSUMABLE = re.compile("could not assume role|sts:AssumeRole|ensure that the role", re.IGNORECASE)
SECONDS_UNTIL_ASSUMABLE = 60
ASSUMED = re.compile(r"arn:(aws[a-z-]*):sts::(\d{12}):assumed-role/([\w+=,.@-]+)/")


def given(text: str) -> str:
    """Check the form of a role's ARN or name; for ``type=`` of a flag."""
    if not (ROLE_ARN if text.startswith("arn:") else ROLE_NAME).fullmatch(text):
        raise UsageError(f"--role is {text!r}, expected arn:aws:iam::ACCOUNT:role/NAME, or a role's name.")
    return text


def own_role_name(clients: aws.Clients) -> str:
    """Return the name of the role that this project makes: one per region, as its policy names the region."""
    return f"rl-mountain-car-{clients.region}"


def policy(clients: aws.Clients, home: str, vpc: bool = False, kms_keys: Sequence[str] = ()) -> dict[str, Any]:
    """Return what the role may do: its bucket below the prefix, its repositories, its logs and metrics, no more.

    Args:
        clients: whose account and region.
        home: ``s3://bucket/prefix``.
        vpc: whether jobs and endpoints may stand in a VPC, for which SageMaker asks for permissions on all of EC2.
        kms_keys: ARNs of keys that encrypt outputs and volumes.
    """
    partition, region, account = clients.partition, clients.region, clients.account
    _, bucket, prefix = split(home)
    below = f"{prefix.strip('/')}/*" if prefix.strip("/") else "*"
    groups = [f"arn:{partition}:logs:{region}:{account}:log-group:{group}" for group in LOG_GROUPS]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Files",
                "Effect": "Allow",
                # a checkpoint that a job deletes, SageMaker deletes from where it is synchronized with
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
                "Resource": f"arn:{partition}:s3:::{bucket}/{below}",
            },
            {
                "Sid": "ListFiles",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": f"arn:{partition}:s3:::{bucket}",
                **({"Condition": {"StringLike": {"s3:prefix": [below]}}} if below != "*" else {}),
            },
            {
                "Sid": "WhereFilesAre",  # such a request has no prefix
                "Effect": "Allow",
                "Action": "s3:GetBucketLocation",
                "Resource": f"arn:{partition}:s3:::{bucket}",
            },
            {
                "Sid": "Images",
                "Effect": "Allow",
                "Action": ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
                "Resource": [f"arn:{partition}:ecr:{region}:{account}:repository/{name}" for name in REPOSITORIES],
            },
            {"Sid": "Login", "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
            {
                "Sid": "Logs",
                "Effect": "Allow",
                "Action": [
                    "logs:CreateLogGroup",
                    "logs:CreateLogStream",
                    "logs:PutLogEvents",
                    "logs:DescribeLogStreams",
                ],
                "Resource": [arn for group in groups for arn in (group, f"{group}:log-stream:*")],
            },
            {
                "Sid": "Metrics",
                "Effect": "Allow",
                "Action": "cloudwatch:PutMetricData",
                "Resource": "*",
                "Condition": {
                    "StringLike": {"cloudwatch:namespace": ["/aws/sagemaker/*", "AWS/SageMaker", "aws/sagemaker/*"]}
                },
            },
            *([{"Sid": "Vpc", "Effect": "Allow", "Action": list(VPC_ACTIONS), "Resource": "*"}] if vpc else []),
            *(
                [{"Sid": "Keys", "Effect": "Allow", "Action": list(KMS_ACTIONS), "Resource": list(kms_keys)}]
                if kms_keys
                else []
            ),
        ],
    }


def execution_role(clients: aws.Clients, wanted: str | None) -> str:
    """Return the ARN of the role to use; makes none.

    The role given; else the caller's, if it is one that SageMaker may take on; else the one of ``create_role.py``.

    Raises:
        UsageError: There is none.
    """
    if wanted and ROLE_ARN.fullmatch(wanted):
        return wanted
    if clients.default_role:
        return clients.default_role
    if wanted:
        found = _find(clients, wanted)
        if found is None:
            raise UsageError(
                f"--role is {wanted!r}, expected the ARN or the name of a role of account {clients.account}."
            )
        return str(found["Arn"])
    if callers := callers_role(clients):
        return callers
    found = _find(clients, own_role_name(clients))
    if found is None:
        raise UsageError("There is no execution role: make one with scripts/create_role.py, or give --role.")
    return str(found["Arn"])


def callers_role(clients: aws.Clients) -> str | None:
    """Return the role of the caller, if SageMaker may take it on, as in a SageMaker notebook."""
    assumed = ASSUMED.match(clients.caller["Arn"])
    if not assumed:
        return None
    try:
        role = _find(clients, assumed[3])
    except ClientError:  # a notebook's role often may not look at roles
        path = "service-role/" if assumed[3].startswith(STUDIOS_ROLE) else ""
        return f"arn:{assumed[1]}:iam::{assumed[2]}:role/{path}{assumed[3]}" if "SageMaker" in assumed[3] else None
    trusts = json.dumps(role["AssumeRolePolicyDocument"]) if role else ""
    return str(role["Arn"]) if role and "sagemaker.amazonaws.com" in trusts else None


def permissions_of(clients: aws.Clients, name: str) -> tuple[bool, list[str]]:
    """Return what a role of this project may do that has to be asked for: stand in a VPC, and use which keys."""
    found = aws.found(clients.iam.get_role_policy, RoleName=name, PolicyName=POLICY_NAME)
    document = found["PolicyDocument"] if found else {"Statement": []}
    by_sid = {statement.get("Sid"): statement for statement in document["Statement"]}
    keys = by_sid.get("Keys", {}).get("Resource", [])
    return "Vpc" in by_sid, [keys] if isinstance(keys, str) else list(keys)


def once_assumable(clients: aws.Clients, call: Callable[..., Any], request: dict[str, Any]) -> None:
    """Make a call that names a role, and make it again for a while if SageMaker cannot take on the role: it may be new.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    """
    deadline = time.monotonic() + SECONDS_UNTIL_ASSUMABLE
    said = False
    while True:
        try:
            call(**request)
            return
        except ClientError as error:
            refused = aws.code_of(error) == "ValidationException" and NOT_YET_ASSUMABLE.search(str(error))
            if not refused or time.monotonic() > deadline:
                raise
        if not said:
            waiting = f"waiting up to {SECONDS_UNTIL_ASSUMABLE} s"
            print(f"SageMaker cannot take on the role, which may be new: {waiting}", flush=True)
            said = True
        time.sleep(clients.seconds_between_looks)


def requests(
    clients: aws.Clients, name: str, permissions: dict[str, Any], tags: list[dict[str, str]]
) -> list[tuple[str, dict[str, Any]]]:
    """Return the API requests that make a role, or bring it up to date."""
    create: dict[str, Any] = {
        "RoleName": name,
        "AssumeRolePolicyDocument": json.dumps(TRUST_POLICY),
        "Description": "SageMaker jobs and endpoints of the Mountain Car project",
    }
    if tags:
        create["Tags"] = tags
    put = {"RoleName": name, "PolicyName": POLICY_NAME, "PolicyDocument": json.dumps(permissions)}
    exists = _find(clients, name) is not None
    return [*([] if exists else [("CreateRole", create)]), ("PutRolePolicy", put)]


def make(clients: aws.Clients, name: str, wanted: list[tuple[str, dict[str, Any]]]) -> str:
    """Carry out ``requests``, and return the role's ARN."""
    for operation, request in wanted:
        if operation == "CreateRole":
            clients.iam.create_role(**request)
            clients.iam.get_waiter("role_exists").wait(RoleName=name)
        else:
            clients.iam.put_role_policy(**request)
    return str(clients.iam.get_role(RoleName=name)["Role"]["Arn"])


def _find(clients: aws.Clients, name: str) -> dict[str, Any] | None:
    try:
        return dict(clients.iam.get_role(RoleName=name.rpartition("/")[2])["Role"])
    except ClientError as error:
        if aws.is_not_found(error):
            return None
        raise
