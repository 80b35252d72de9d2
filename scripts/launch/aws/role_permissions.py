"""What the project's execution role may do: its permissions as a value, and as an IAM policy and back.

https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from launch import project
from launch.aws import logs
from launch.aws.clients import Clients
from launch.aws.storage import split
from launch.cli.errors import UsageError

REPOSITORIES = tuple(map(project.repository_name, project.KINDS))
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
# SageMaker deletes from S3 a checkpoint that a job deletes from its folder
FILE_ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
LOG_GROUPS = (logs.TRAINING_JOBS, logs.TRANSFORM_JOBS, f"{logs.ENDPOINTS}/*")
MAX_POLICY_LENGTH = 10_240
"""Of a role's inline policies, in characters without white space:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html."""
FILES, READ, LIST, LOCATION = "Files", "ReadFiles", "ListFiles", "WhereFilesAre"
VPC, KEYS, TOPICS = "Vpc", "Keys", "Topics"


@dataclass(frozen=True)
class Permissions:
    """What a user may choose of the role's permissions; the others are always the same.

    Attributes:
        files: ARNs of objects that it reads, writes and deletes: ``arn:aws:s3:::bucket/prefix/*``.
        read: ARNs of objects that it only reads.
        kms_keys: ARNs of keys that encrypt outputs and volumes.
        topics: ARNs of SNS's topics that asynchronous endpoints tell of their answers.
        vpc: whether jobs and endpoints may run in a VPC, which needs permissions on all of EC2.
        others: JSON of statements that somebody has added to the policy, which are kept as they are.
    """

    files: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    kms_keys: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    vpc: bool = False
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """Return the permissions that a policy of ``document`` grants."""
        statements = listed(document.get("Statement"))
        by_sid = {statement.get("Sid", ""): statement for statement in statements}
        files, read, keys, topics = (
            tuple(listed(by_sid.get(sid, {}).get("Resource"))) for sid in (FILES, READ, KEYS, TOPICS)
        )
        own = {FILES, READ, LIST, LOCATION, VPC, KEYS, TOPICS, "Images", "Login", "Logs", "Metrics"}
        others = [
            json.dumps(statement, sort_keys=True)
            for statement in statements
            if statement.get("Sid", "").rstrip("0123456789") not in own
        ]
        return cls(files, read, keys, topics, VPC in by_sid, tuple(others))

    def and_also(self, new: Self) -> Self:
        """Return these permissions and new ones together."""
        united = {
            field.name: tuple(dict.fromkeys((*getattr(self, field.name), *getattr(new, field.name))))
            for field in fields(self)
            if field.name != "vpc"
        }
        return type(self)(vpc=self.vpc or new.vpc, **united)

    def sentences(self) -> list[str]:
        """Return what each permission allows, in a line."""
        return [
            *(f"reads and writes {_address(arn)}" for arn in self.files),
            *(f"reads {_address(arn)}" for arn in self.read),
            *(f"uses the key {arn}" for arn in self.kms_keys),
            *(f"publishes to {arn}" for arn in self.topics),
            *(["works in a VPC"] if self.vpc else []),
            *(f"a statement of somebody else's: {statement}" for statement in self.others),
        ]

    def document(self, clients: Clients) -> dict[str, Any]:
        """Return the IAM policy that grants them, and what every job and endpoint needs.

        Raises:
            UsageError: It is longer than IAM takes.
        """
        document = {
            "Version": "2012-10-17",
            "Statement": [
                *self._file_statements(clients.partition),
                *_image_statements(clients),
                *_log_statements(clients),
                *([_allow(VPC, VPC_ACTIONS, "*")] if self.vpc else []),
                *([_allow(KEYS, KMS_ACTIONS, list(self.kms_keys))] if self.kms_keys else []),
                *([_allow(TOPICS, ["sns:Publish"], list(self.topics))] if self.topics else []),
                *map(json.loads, self.others),
            ],
        }
        length = len(json.dumps(document, separators=(",", ":")))
        if length > MAX_POLICY_LENGTH:
            raise UsageError(
                f"The role's policy has {length} characters, expected at most {MAX_POLICY_LENGTH}: give with --replace "
                f"only the buckets, prefixes, keys and topics that are in use."
            )
        return document

    def _file_statements(self, partition: str) -> Iterator[dict[str, Any]]:
        prefixes: dict[str, list[str]] = {}  # with /* at their ends, by bucket
        for arn in (*self.files, *self.read):
            bucket, _, prefix = arn.rpartition(":::")[2].partition("/")
            prefixes.setdefault(bucket, []).append(prefix)
        if self.files:
            yield _allow(FILES, FILE_ACTIONS, _one_or_list(self.files))
        if self.read:
            yield _allow(READ, "s3:GetObject", _one_or_list(self.read))
        for number, (bucket, all_below) in enumerate(prefixes.items(), 1):
            below = list(dict.fromkeys(all_below))
            restricted = {"Condition": {"StringLike": {"s3:prefix": below}}}
            sid, arn = LIST if number == 1 else f"{LIST}{number}", f"arn:{partition}:s3:::{bucket}"
            yield {**_allow(sid, "s3:ListBucket", arn), **({} if "*" in below else restricted)}
        if prefixes:  # its requests have no prefix to restrict them by
            buckets = [f"arn:{partition}:s3:::{bucket}" for bucket in prefixes]
            yield _allow(LOCATION, "s3:GetBucketLocation", _one_or_list(buckets))


def changes(before: Permissions, after: Permissions) -> list[str]:
    """Return what is added and what is removed, in a line each."""
    had, has = before.sentences(), after.sentences()
    added = [f"added: {sentence}" for sentence in has if sentence not in had]
    return added + [f"removed: {sentence}" for sentence in had if sentence not in has]


def objects_arn(partition: str, address: str) -> str:
    """Return the ARN of all objects below ``s3://bucket/prefix``."""
    _, bucket, prefix = split(address)
    prefix = prefix.strip("/")
    return f"arn:{partition}:s3:::{bucket}/{prefix}/*" if prefix else f"arn:{partition}:s3:::{bucket}/*"


def _address(arn: str) -> str:
    return f"s3://{arn.rpartition(':::')[2].removesuffix('/*')}"


def listed(value: Any) -> list[Any]:
    """Return what a policy has in a place where IAM takes one value or a list of them; nothing for None."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _one_or_list(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


def _allow(sid: str, actions: str | Sequence[str], resource: str | list[str]) -> dict[str, Any]:
    action = actions if isinstance(actions, str) else list(actions)
    return {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource}


def _image_statements(clients: Clients) -> list[dict[str, Any]]:
    ecr = f"arn:{clients.partition}:ecr:{clients.region}:{clients.account}"
    actions = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
    return [
        _allow("Images", actions, [f"{ecr}:repository/{name}" for name in REPOSITORIES]),
        _allow("Login", "ecr:GetAuthorizationToken", "*"),
    ]


def _log_statements(clients: Clients) -> list[dict[str, Any]]:
    prefix = f"arn:{clients.partition}:logs:{clients.region}:{clients.account}:log-group:"
    groups = [arn for name in LOG_GROUPS for arn in (prefix + name, f"{prefix}{name}:log-stream:*")]
    actions = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    namespaces = ["/aws/sagemaker/*", "AWS/SageMaker", "aws/sagemaker/*"]
    return [
        _allow("Logs", actions, groups),
        {
            **_allow("Metrics", "cloudwatch:PutMetricData", "*"),
            "Condition": {"StringLike": {"cloudwatch:namespace": namespaces}},
        },
    ]
