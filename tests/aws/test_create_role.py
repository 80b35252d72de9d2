"""create_role.py against a local AWS server."""

import json
from typing import Any

import pytest
from launch.aws.roles import TRUST_POLICY, trust_policy
from local_aws import ACCOUNT, REGION, requests_of

pytest_plugins = ("proxy",)

NAME = f"rl-mountain-car-{REGION}"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:cars"


def test_it_makes_a_role_once(script, aws):
    done = script("create_role.py", "--bucket", "my-bucket", "--prefix", "cars", "--tag", "team=rl")
    assert done.stdout == f"arn:aws:iam::{ACCOUNT}:role/{NAME}\n", done.stderr
    role = aws.client("iam").get_role(RoleName=NAME)["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert role["Tags"] == [{"Key": "team", "Value": "rl"}]
    assert script("create_role.py", "--bucket", "my-bucket").stdout == done.stdout  # again: nothing to do


def test_it_may_do_only_what_it_needs(script, aws):
    script("create_role.py", "--bucket", "my-bucket", "--prefix", "cars")
    iam = aws.client("iam")
    assert iam.list_attached_role_policies(RoleName=NAME)["AttachedPolicies"] == []
    policy = iam.get_role_policy(RoleName=NAME, PolicyName="rl-mountain-car")["PolicyDocument"]
    assert len(json.dumps(policy)) < 10_240  # IAM's limit for inline policies
    for statement in policy["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any("*" in action for action in actions)
        if statement["Resource"] == "*":  # the two that IAM cannot bind to a resource
            assert actions in (["ecr:GetAuthorizationToken"], ["cloudwatch:PutMetricData"])
    by_sid = {statement["Sid"]: statement for statement in policy["Statement"]}
    assert by_sid["Files"]["Resource"] == "arn:aws:s3:::my-bucket/cars/*"
    assert "s3:DeleteObject" in by_sid["Files"]["Action"]
    assert "Condition" not in by_sid["WhereFilesAre"]
    groups = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker"
    assert by_sid["Logs"]["Resource"][::2] == [
        f"{groups}/{kind}" for kind in ("TrainingJobs", "TransformJobs", "Endpoints/*")
    ]
    assert by_sid["ListFiles"]["Condition"] == {"StringLike": {"s3:prefix": ["cars/*"]}}
    assert by_sid["Images"]["Resource"] == [
        f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/mountain-car-{kind}" for kind in ("training", "serving")
    ]


def test_more_only_if_asked_for(script):
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
    asked = requests_of(script("create_role.py", "--dry-run", "--vpc", "--kms-key", key, "--topic", TOPIC))
    statements = json.loads(asked["PutRolePolicy"]["PolicyDocument"])["Statement"]
    by_sid = {statement["Sid"]: statement for statement in statements}
    assert "ec2:CreateNetworkInterface" in by_sid["Vpc"]["Action"]
    assert by_sid["Keys"]["Resource"] == [key]
    assert {"kms:Encrypt", "kms:GenerateDataKey"} <= set(by_sid["Keys"]["Action"])
    assert (by_sid["Topics"]["Resource"], by_sid["Topics"]["Action"]) == ([TOPIC], ["sns:Publish"])
    plain = requests_of(script("create_role.py", "--dry-run"))
    assert not {"Vpc", "Keys", "Topics"} & {
        s["Sid"] for s in json.loads(plain["PutRolePolicy"]["PolicyDocument"])["Statement"]
    }


def permitted(aws) -> dict[str, Any]:
    policy = aws.client("iam").get_role_policy(RoleName=NAME, PolicyName="rl-mountain-car")["PolicyDocument"]
    return {statement["Sid"]: statement for statement in policy["Statement"]}


def said(done) -> list[str]:
    """Return what a run said that it changes."""
    assert (done.returncode, done.stdout) == (0, f"arn:aws:iam::{ACCOUNT}:role/{NAME}\n"), done.stderr
    return [line.removeprefix(f"{NAME}: ") for line in done.stderr.splitlines()]


def test_the_role_loses_nothing_that_it_was_given(script, aws):
    keys = [f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{number}" for number in (1, 2)]
    home = ("--bucket", "one", "--prefix", "cars")
    assert said(script("create_role.py", *home, "--vpc", "--kms-key", keys[0], "--topic", TOPIC)) == [
        f"added: the role {NAME}, for SageMaker in account {ACCOUNT}",
        "added: reads and writes s3://one/cars",
        f"added: uses the key {keys[0]}",
        f"added: publishes to {TOPIC}",
        "added: works in a VPC",
    ]
    assert said(script("create_role.py")) == ["nothing changes"]
    more = ("--bucket", "two", "--read", "s3://data/a/", "--read", "s3://one/b", "--kms-key", keys[1])
    lines = ["reads and writes s3://two", "reads s3://data/a", "reads s3://one/b", f"uses the key {keys[1]}"]
    dry = script("create_role.py", *more, "--dry-run")
    assert (list(requests_of(dry)), dry.stderr.count("added: ")) == (["PutRolePolicy"], 4)
    assert said(script("create_role.py", *more)) == [f"added: {line}" for line in lines]
    by_sid = permitted(aws)
    assert by_sid["Files"]["Resource"] == ["arn:aws:s3:::one/cars/*", "arn:aws:s3:::two/*"]
    assert (by_sid["ReadFiles"]["Action"], by_sid["ReadFiles"]["Resource"]) == (
        "s3:GetObject",
        ["arn:aws:s3:::data/a/*", "arn:aws:s3:::one/b/*"],
    )
    listed = {each["Resource"]: each.get("Condition") for sid, each in by_sid.items() if sid.startswith("ListFiles")}
    assert listed == {
        "arn:aws:s3:::one": {"StringLike": {"s3:prefix": ["cars/*", "b/*"]}},
        "arn:aws:s3:::two": None,
        "arn:aws:s3:::data": {"StringLike": {"s3:prefix": ["a/*"]}},
    }
    assert len(by_sid["WhereFilesAre"]["Resource"]) == 3
    assert by_sid["Keys"]["Resource"] == keys
    assert {"Vpc", "Topics"} <= by_sid.keys()
    assert said(script("create_role.py", "--no-vpc")) == ["removed: works in a VPC"]
    assert said(script("create_role.py", "--replace", "--bucket", "two", "--kms-key", keys[1])) == [
        "removed: reads and writes s3://one/cars",
        "removed: reads s3://data/a",
        "removed: reads s3://one/b",
        f"removed: uses the key {keys[0]}",
        f"removed: publishes to {TOPIC}",
    ]
    by_sid = permitted(aws)
    assert (by_sid["Files"]["Resource"], by_sid["Keys"]["Resource"]) == ("arn:aws:s3:::two/*", [keys[1]])
    assert not {"Vpc", "Topics", "ReadFiles"} & by_sid.keys()


def test_what_somebody_else_has_added_to_its_policies_stays(script, aws):
    iam = aws.client("iam")
    said(script("create_role.py"))
    own = {"Sid": "Own", "Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [*permitted(aws).values(), own]}
    iam.put_role_policy(RoleName=NAME, PolicyName="rl-mountain-car", PolicyDocument=json.dumps(policy))
    said(script("create_role.py", "--bucket", "another"))
    assert permitted(aws)["Own"] == own

    def trust() -> Any:
        return iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"]

    assert trust() == trust_policy(ACCOUNT)
    iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=json.dumps(TRUST_POLICY))  # of an earlier version
    (line,) = said(script("create_role.py"))
    assert line == f"added: only SageMaker in account {ACCOUNT} may assume it (aws:SourceAccount)"
    assert trust() == trust_policy(ACCOUNT)
    also = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    edited = {**TRUST_POLICY, "Statement": [*TRUST_POLICY["Statement"], also]}
    iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=json.dumps(edited))
    assert said(script("create_role.py")) == [
        "left as it is: the trust policy, which has been edited; it does not ask for aws:SourceAccount",
        "nothing changes",
    ]
    assert trust() == edited


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--read", "cars"), "--read: 'cars' is no s3://bucket/prefix; see --help."),
        (("--kms-key", "alias/cars"), "--kms-key: 'alias/cars' is no arn:aws:kms:REGION:ACCOUNT:key/ID; see --help."),
        (tuple(f"--read=s3://b/{'x' * 100}{number}" for number in range(90)), "The role's policy has "),
    ],
)
def test_mistakes_make_no_role(script, aws, flags, sentence):
    done = script("create_role.py", *flags)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: {sentence}"), done.stderr
    assert (len(done.stderr.splitlines()), aws.client("iam").list_roles()["Roles"]) == (1, [])


@pytest.mark.parametrize(
    ("name", "path"), [("AmazonSageMaker-ExecutionRole-2026", "service-role/"), ("MySageMakerRole", "")]
)
def test_the_role_of_a_notebook_that_may_not_look_at_roles(script, aws, between, name, path):
    aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    assumed = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="notebook")["Credentials"]

    def refuse(handler, answer):
        error = "<Error><Code>AccessDenied</Code><Message>not you</Message></Error>"
        handler.answer(403, {"Content-Type": "text/xml"}, f"<ErrorResponse>{error}</ErrorResponse>".encode())

    url, _ = between(refuse)
    done = script(
        "create_role.py",
        AWS_ACCESS_KEY_ID=assumed["AccessKeyId"],
        AWS_SECRET_ACCESS_KEY=assumed["SecretAccessKey"],
        AWS_SESSION_TOKEN=assumed["SessionToken"],
        AWS_ENDPOINT_URL_IAM=url,
    )
    assert done.stdout == f"arn:aws:iam::{ACCOUNT}:role/{path}{name}\n", done.stderr


def test_a_dry_run_makes_nothing(script, aws):
    requests = requests_of(script("create_role.py", "--dry-run"))
    assert list(requests) == ["CreateRole", "PutRolePolicy"]
    assert aws.client("iam").list_roles()["Roles"] == []


def test_the_role_given_is_used(script, aws):
    aws.client("iam").create_role(RoleName="mine", AssumeRolePolicyDocument=json.dumps(TRUST_POLICY))
    assert script("create_role.py", "--role", "mine").stdout == f"arn:aws:iam::{ACCOUNT}:role/mine\n"
    arn = "arn:aws:iam::999999999999:role/other/theirs"
    done = script("create_role.py", "--role", arn)
    assert (done.stdout, done.stderr) == (f"{arn}\n", "")
    done = script("create_role.py", "--role", arn, "--read", "s3://mine")
    assert (done.stdout, done.stderr) == (f"{arn}\n", f"{arn}: is not this project's role, and is left as it is\n")
    done = script("create_role.py", "--role", "yours")
    assert done.returncode == 2
    expected = "Error: --role is 'yours', expected the ARN or the name of a role of account 123456789012.\n"
    assert done.stderr == expected


def test_without_credentials(script):
    done = script("create_role.py", AWS_ACCESS_KEY_ID="(unset)", AWS_SECRET_ACCESS_KEY="(unset)")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: There are no AWS credentials: ")


def test_without_a_region(script):
    done = script("create_role.py", AWS_REGION="(unset)")
    assert (done.returncode, done.stderr) == (2, "Error: There is no AWS region: give --region, or set AWS_REGION.\n")


def test_an_unknown_profile(script):
    done = script("create_role.py", "--profile", "nobody")
    assert done.returncode == 2
    assert "--profile is 'nobody'" in done.stderr


def test_no_network(script):
    done = script("create_role.py", AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    assert done.returncode == 1
    assert "AWS does not answer at http://127.0.0.1:9" in done.stderr
