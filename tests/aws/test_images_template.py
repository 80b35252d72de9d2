"""The CloudFormation template of the stack that builds the images."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from image_stack import create_stack
from launch import project
from launch.aws import builds, registry
from local_aws import ACCOUNT, REGION


class _Template(yaml.SafeLoader):
    """Reads CloudFormation's short forms, ``!Ref Name``, as what is after them."""


def _content(loader: _Template, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    construct = loader.construct_sequence if isinstance(node, yaml.SequenceNode) else loader.construct_mapping
    return construct(node, deep=True)


_Template.add_multi_constructor("!", _content)


def test_the_template_is_what_cloudformation_expects():
    program = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run([program, builds.TEMPLATE], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("kind", project.KINDS)
def test_the_stacks_repositories_are_those_that_push_images_creates(kind, script, aws):
    done = script("push_images.py", "--dry-run")
    created = {
        request["repositoryName"]: request
        for entry in json.loads(done.stdout)
        for operation, request in entry.items()
        if operation == "CreateRepository"
    }[f"mountain-car-{kind}"]
    resources = yaml.load(builds.TEMPLATE.read_text(), _Template)["Resources"]
    made = resources[f"{kind.title()}Repository"]["Properties"]
    assert made["RepositoryName"] == created["repositoryName"]
    assert made["ImageTagMutability"] == created["imageTagMutability"]
    wildcard = created["imageTagMutabilityExclusionFilters"][0]["filter"]
    assert made["ImageTagMutabilityExclusionFilters"][0]["ImageTagMutabilityExclusionFilterValue"] == wildcard
    assert made["ImageScanningConfiguration"]["ScanOnPush"] is created["imageScanningConfiguration"]["scanOnPush"]
    assert made["EncryptionConfiguration"][-1] == {
        "EncryptionType": created["encryptionConfiguration"]["encryptionType"]
    }
    assert json.loads(made["LifecyclePolicy"]["LifecyclePolicyText"]) == registry.LIFECYCLE_POLICY


def test_what_the_stack_creates(aws):
    outputs = create_stack(aws)
    repositories = aws.client("ecr").describe_repositories()["repositories"]
    assert {each["repositoryName"] for each in repositories} == {"mountain-car-training", "mountain-car-serving"}
    (group,) = aws.client("logs").describe_log_groups()["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == (outputs["LogGroup"], 30)
    found = aws.client("s3").get_bucket_encryption(Bucket=outputs["ArtifactsBucket"])
    (rule,) = found["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_what_the_local_aws_server_does_not_know_of_the_stack():
    resources = yaml.load(builds.TEMPLATE.read_text(), _Template)["Resources"]
    bucket = resources["Artifacts"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    project = resources["Project"]["Properties"]
    assert project["Environment"]["PrivilegedMode"] is True
    assert project["Artifacts"]["Location"] == "Artifacts"
    assert project["LogsConfig"]["CloudWatchLogs"] == {"Status": "ENABLED", "GroupName": "LogGroup"}
    for name in ("TrainingRepository", "ServingRepository", "Artifacts"):  # what they hold outlives the stack
        assert resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resources[name]["UpdateReplacePolicy"] == "Retain"


def test_a_build_may_do_only_what_it_needs(aws):
    outputs = create_stack(aws)
    iam = aws.client("iam")
    (role,) = iam.list_roles()["Roles"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "codebuild.amazonaws.com"}
    arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{outputs['Project']}"
    assert trust["Condition"] == {"ArnEquals": {"aws:SourceArn": arn}}
    assert iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"] == []
    (name,) = iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
    document = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
    policy = ast.literal_eval(document)  # which the local AWS server has in Python's form, if a stack creates it
    by_sid = {statement["Sid"]: statement for statement in policy["Statement"]}
    assert by_sid.keys() == {"Logs", "Login", "Images", "Artifacts", "ArtifactsBucket"}
    assert "*" not in json.dumps([statement["Action"] for statement in by_sid.values()])
    everywhere = [statement["Action"] for statement in by_sid.values() if statement["Resource"] == "*"]
    assert everywhere == ["ecr:GetAuthorizationToken"]  # which IAM cannot bind to a repository
    assert by_sid["Artifacts"]["Resource"] == f"arn:aws:s3:::{outputs['ArtifactsBucket']}/*"
    assert outputs["LogGroup"] in by_sid["Logs"]["Resource"]
    # CloudFormation's stack and push_images.py put a policy where there is none
    assert {"ecr:GetLifecyclePolicy", "ecr:PutLifecyclePolicy"} <= set(by_sid["Images"]["Action"])
    assert by_sid["Images"]["Resource"] == [
        f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/mountain-car-{kind}" for kind in project.KINDS
    ]
