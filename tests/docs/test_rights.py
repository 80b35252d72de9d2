"""The policy on docs/aws.md has a right for each call of the scripts, and no others; its tables are the code's."""

import json
import re

import botocore.session
from botocore import xform_name
from documents import Page
from jobs import ROOT
from launch.aws import scaling

PAGE = Page("docs/aws.md")
SERVICES = {
    "autoscaling": "application-autoscaling",
    "runtime": "sagemaker-runtime",
    **{name: name for name in ("cloudformation", "cloudwatch", "codebuild", "ecr", "iam", "kms", "logs", "s3")},
    "sagemaker": "sagemaker",
}
"""Services by the names of their clients in ``Clients``."""
CALLS = re.compile(rf'\b_?({"|".join(SERVICES)})\.(?:get_paginator\("(\w+)"\)|(\w+))')
REQUESTS = re.compile(r'\("([A-Z]\w+)", ')
NAMED = re.compile(r'"((?:describe|list|stop)_\w+)"')
"""Methods of SageMaker's client that are called by their names."""
ACTIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}
"""Operations whose IAM action has another name: https://docs.aws.amazon.com/service-authorization/latest/reference/."""
BESIDE = {
    "s3:GetObject, s3:PutObject, s3:AbortMultipartUpload": "boto3's transfers",
    "ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, ecr:CompleteLayerUpload, ecr:GetDownloadUrlForLayer, "
    "ecr:InitiateLayerUpload, ecr:PutImage, ecr:UploadLayerPart": "the Docker engine's push",
    "iam:PassRole, iam:CreateServiceLinkedRole": "SageMaker's and Application Auto Scaling's own conditions",
    "kms:CreateGrant, kms:Decrypt, kms:GenerateDataKey": "what S3 and SageMaker do with a caller's key",
    "sagemaker:AddTags, iam:TagRole, ecr:TagResource": "of tags",
}


def called() -> set[str]:
    """Return the IAM actions of what the scripts call."""
    session = botocore.session.get_session()
    operations = {name: session.get_service_model(name).operation_names for name in SERVICES.values()}
    methods = {name: {xform_name(each): each for each in known} for name, known in operations.items()}
    actions = set()
    for path in (ROOT / "scripts").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for client, paginated, method in CALLS.findall(text):
            service = SERVICES[client]
            if operation := methods[service].get(paginated or method):
                actions.add(f"{service.removesuffix('-runtime')}:{operation}")
        for method in NAMED.findall(text):
            if operation := methods["sagemaker"].get(method):
                actions.add(f"sagemaker:{operation}")
        for operation in REQUESTS.findall(text):
            actions |= {
                f"{service.removesuffix('-runtime')}:{operation}"
                for service, known in operations.items()
                if operation in known
            }
    return {ACTIONS.get(action, action) for action in actions}


def test_the_policy_has_a_right_for_each_call():
    (policy,) = (json.loads(code) for _, language, code in PAGE.blocks() if language == "json")
    granted = [
        action
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    ]
    assert len(granted) == len(set(granted))
    assert sorted(granted) == sorted(called() | {action for actions in BESIDE for action in actions.split(", ")})
    assert len(json.dumps(policy, separators=(",", ":"))) <= 6144  # IAM's limit of a managed policy


def test_the_default_targets_of_scaling_are_the_codes():
    rows = re.findall(r"^\| `(ml\.[\w.]+)` \| (\d+) \| ([\d,]+) \|$", PAGE.text, re.MULTILINE)
    assert len(rows) > 4
    for instance_type, vcpus, invocations in rows:
        assert scaling.vcpus(instance_type) == int(vcpus)
        assert f"{scaling.default_invocations(instance_type):,.0f}" == invocations
