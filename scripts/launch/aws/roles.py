"""The execution role that SageMaker assumes for a job or an endpoint, and its permissions.

https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
"""

import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from launch import project
from launch.aws import errors as aws_errors
from launch.aws import logs
from launch.aws.clients import Clients
from launch.aws.storage import split
from launch.cli.dry_run import Request
from launch.cli.errors import UsageError
from launch.cli.progress import waiting_for
from launch.cli.values import ROLE_ARN

REPOSITORIES = tuple(map(project.repository_name, project.KINDS))
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
SERVICE = "sagemaker.amazonaws.com"
ASSUMING = ("sts:AssumeRole", "sts:*", "*")
"""Actions of a trust policy that let its principal assume the role."""
TRUST_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": ASSUMING[0]}],
}
STUDIOS_ROLE = "AmazonSageMaker-ExecutionRole"
"""Roles that SageMaker's console makes have names that begin so, and the path ``service-role/``."""
NOT_YET_ASSUMABLE = re.compile("could not assume role|sts:AssumeRole|ensure that the role", re.IGNORECASE)
SECONDS_UNTIL_ASSUMABLE = 60
ASSUMED = re.compile(r"arn:(aws[a-z-]*):sts::(\d{12}):assumed-role/([\w+=,.@-]+)/")


def project_role_name(clients: Clients) -> str:
    """Return the name of the role that this project makes: one for each region, as its policy names the region."""
    return f"rl-mountain-car-{clients.region}"


def policy(
    clients: Clients, home: str, vpc: bool = False, kms_keys: Sequence[str] = (), topics: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the role's permissions: its bucket below the prefix, its repositories, its logs and metrics, no more.

    Args:
        clients: of the account and the region.
        home: ``s3://bucket/prefix``.
        vpc: whether jobs and endpoints may run in a VPC, which needs permissions on all of EC2.
        kms_keys: ARNs of keys that encrypt outputs and volumes.
        topics: ARNs of SNS's topics that asynchronous endpoints tell of their answers.
    """
    optional = []
    if vpc:
        optional.append({"Sid": "Vpc", "Effect": "Allow", "Action": list(VPC_ACTIONS), "Resource": "*"})
    if kms_keys:
        optional.append({"Sid": "Keys", "Effect": "Allow", "Action": list(KMS_ACTIONS), "Resource": list(kms_keys)})
    if topics:
        optional.append({"Sid": "Topics", "Effect": "Allow", "Action": ["sns:Publish"], "Resource": list(topics)})
    return {
        "Version": "2012-10-17",
        "Statement": [
            *_file_statements(clients.partition, home),
            *_image_statements(clients),
            *_log_statements(clients),
            *optional,
        ],
    }


def _file_statements(partition: str, home: str) -> list[dict[str, Any]]:
    _, bucket, prefix = split(home)
    below = f"{prefix.strip('/')}/*" if prefix.strip("/") else "*"
    return [
        {
            "Sid": "Files",
            "Effect": "Allow",
            # SageMaker deletes from S3 a checkpoint that a job deletes from its folder
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
            "Sid": "WhereFilesAre",  # its requests have no prefix to restrict them by
            "Effect": "Allow",
            "Action": "s3:GetBucketLocation",
            "Resource": f"arn:{partition}:s3:::{bucket}",
        },
    ]


def _image_statements(clients: Clients) -> list[dict[str, Any]]:
    ecr = f"arn:{clients.partition}:ecr:{clients.region}:{clients.account}"
    return [
        {
            "Sid": "Images",
            "Effect": "Allow",
            "Action": ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
            "Resource": [f"{ecr}:repository/{name}" for name in REPOSITORIES],
        },
        {"Sid": "Login", "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
    ]


def _log_statements(clients: Clients) -> list[dict[str, Any]]:
    groups = [
        f"arn:{clients.partition}:logs:{clients.region}:{clients.account}:log-group:{name}" for name in LOG_GROUPS
    ]
    return [
        {
            "Sid": "Logs",
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
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
    ]


def execution_role(clients: Clients, role: str | None) -> str:
    """Return the ARN of the role to use.

    The role given by ARN or name; else the caller's, if SageMaker may assume it; else the one of ``create_role.py``. A
    role given by its ARN is not looked at: it may be another account's, or the caller may not look.

    Raises:
        UsageError: There is none, or SageMaker may not assume it.
    """
    if role and ROLE_ARN.fullmatch(role):
        return role
    if clients.default_role:
        return clients.default_role
    if role:
        named = _find(clients, role)
        if named is None:
            raise UsageError(
                f"--role is {role!r}, expected the ARN or the name of a role of account {clients.account}."
            )
        return _require_trust(named)
    if callers := callers_role(clients):
        return callers
    projects = _find(clients, project_role_name(clients))
    if projects is None:
        raise UsageError("There is no execution role: make one with scripts/create_role.py, or give --role.")
    return _require_trust(projects)


def _require_trust(role: dict[str, Any]) -> str:
    """Return the ARN of a role that SageMaker may assume."""
    if not _may_be_assumed(role):
        raise UsageError(
            f"The role is {role['RoleName']}, which SageMaker may not assume: its trust policy has to allow "
            f"{SERVICE} sts:AssumeRole."
        )
    return str(role["Arn"])


def _may_be_assumed(role: dict[str, Any]) -> bool:
    """Tell whether a role's trust policy lets SageMaker assume it."""
    for statement in _listed(role["AssumeRolePolicyDocument"].get("Statement")):
        principal = statement.get("Principal")
        services = _listed(principal.get("Service")) if isinstance(principal, dict) else _listed(principal)
        actions = _listed(statement.get("Action"))
        if statement.get("Effect") == "Allow" and {SERVICE, "*"} & {*services} and {*ASSUMING} & {*actions}:
            return True
    return False


def _listed(value: Any) -> list[Any]:
    """Return what a policy has in a place where IAM takes one value or a list of them; nothing for None."""
    return value if isinstance(value, list) else [] if value is None else [value]


def callers_role(clients: Clients) -> str | None:
    """Return the ARN of the caller's own role if SageMaker may assume it, as in a SageMaker notebook; else None."""
    assumed = ASSUMED.match(clients.caller["Arn"])
    if not assumed:
        return None
    try:
        role = _find(clients, assumed[3])
    except ClientError:  # a notebook's role is often not allowed to read roles
        path = "service-role/" if assumed[3].startswith(STUDIOS_ROLE) else ""
        return f"arn:{assumed[1]}:iam::{assumed[2]}:role/{path}{assumed[3]}" if "SageMaker" in assumed[3] else None
    return str(role["Arn"]) if role and _may_be_assumed(role) else None


def optional_permissions(clients: Clients, name: str) -> tuple[bool, list[str], list[str]]:
    """Return what is optional of a role of this project: whether it is for a VPC, its KMS keys and its SNS topics."""
    answer = aws_errors.describe_if_exists(clients.iam.get_role_policy, RoleName=name, PolicyName=POLICY_NAME)
    document = answer["PolicyDocument"] if answer else {"Statement": []}
    by_sid = {statement.get("Sid"): statement for statement in document["Statement"]}
    keys, topics = (_listed(by_sid.get(sid, {}).get("Resource")) for sid in ("Keys", "Topics"))
    return "Vpc" in by_sid, keys, topics


@waiting_for("SageMaker to take on the role")
def call_once_assumable(clients: Clients, call: Callable[..., Any], request: dict[str, Any]) -> None:
    """Make a call that names a role; repeat it for a while if SageMaker cannot assume the role, which may be new.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    """
    deadline = time.monotonic() + SECONDS_UNTIL_ASSUMABLE
    announced = False
    while True:
        try:
            call(**request)
            return
        except ClientError as error:
            refused = aws_errors.code_of(error) == "ValidationException" and NOT_YET_ASSUMABLE.search(str(error))
            if not refused or time.monotonic() > deadline:
                raise
        if not announced:
            waiting = f"waiting up to {SECONDS_UNTIL_ASSUMABLE} s"
            print(f"SageMaker cannot take on the role, which may be new: {waiting}", flush=True)
            announced = True
        time.sleep(clients.seconds_between_polls)


def requests(clients: Clients, name: str, permissions: dict[str, Any], tags: list[dict[str, str]]) -> list[Request]:
    """Return the API requests that create a role, or bring it up to date."""
    create: dict[str, Any] = {
        "RoleName": name,
        "AssumeRolePolicyDocument": json.dumps(TRUST_POLICY),
        "Description": "SageMaker jobs and endpoints of the Mountain Car project",
    }
    if tags:
        create["Tags"] = tags
    put = {"RoleName": name, "PolicyName": POLICY_NAME, "PolicyDocument": json.dumps(permissions)}
    role = _find(clients, name)
    if role is None:
        return [("CreateRole", create), ("PutRolePolicy", put)]
    trust = {"RoleName": name, "PolicyDocument": create["AssumeRolePolicyDocument"]}
    return [*([] if _may_be_assumed(role) else [("UpdateAssumeRolePolicy", trust)]), ("PutRolePolicy", put)]


def create_or_update(clients: Clients, name: str, requests: list[Request]) -> str:
    """Send what ``requests`` returned, and return the role's ARN."""
    operations = {
        "CreateRole": clients.iam.create_role,
        "UpdateAssumeRolePolicy": clients.iam.update_assume_role_policy,
        "PutRolePolicy": clients.iam.put_role_policy,
    }
    for operation, request in requests:
        operations[operation](**request)
        if operation == "CreateRole":
            clients.iam.get_waiter("role_exists").wait(RoleName=name)
    return str(clients.iam.get_role(RoleName=name)["Role"]["Arn"])


def _find(clients: Clients, name: str) -> dict[str, Any] | None:
    answer = aws_errors.describe_if_exists(clients.iam.get_role, RoleName=name.rpartition("/")[2])
    return dict(answer["Role"]) if answer else None
