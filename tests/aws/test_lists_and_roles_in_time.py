"""Lists that come in pages, roles that are new or that SageMaker may not assume, the first of all buckets."""

import json
from datetime import UTC, datetime, timezone
from typing import Any

import pytest
from launch.aws import roles
from local_aws import ACCOUNT, REGION
from timeline import FAULT, THROTTLED, after, given, refused

pytest_plugins = ("timeline",)

NAMES = {
    "ListTrainingJobs": ("TrainingJobSummaries", "TrainingJob", "training job"),
    "ListHyperParameterTuningJobs": ("HyperParameterTuningJobSummaries", "HyperParameterTuningJob", "tuning job"),
    "ListTransformJobs": ("TransformJobSummaries", "TransformJob", "transform job"),
    "ListEndpoints": ("Endpoints", "Endpoint", "endpoint"),
    "ListModelPackageGroups": ("ModelPackageGroupSummaryList", "ModelPackageGroup", "package group"),
}


def page(operation: str, numbers: range, token: str | None = None) -> Any:
    """Return an answer of a List operation: resources of these numbers, the first of them made in second 0."""
    key, prefix, _ = NAMES[operation]
    entries = [
        {
            f"{prefix}Name": f"rl-mountain-car-{number}",
            f"{prefix}Arn": f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:x/{number}",
            f"{prefix}Status": "Stopped" if number % 2 else "Failed",
            "CreationTime": 60 * number,
            "LastModifiedTime": 0,
        }
        for number in numbers
    ]
    return given(**{key: entries, **({"NextToken": token} if token else {})})


def test_a_list_is_read_from_all_pages(script, timeline):
    for operation, numbers in (("ListTrainingJobs", [3, 2, 1]), ("ListTransformJobs", [12]), ("ListEndpoints", [])):
        for number in numbers:
            timeline.answers(operation, page(operation, range(number, number + 1), f"after-{number}"))
        timeline.answers(operation, page(operation, range(0), "an empty page is not the end"), THROTTLED)
        timeline.answers(operation, page(operation, range(20, 21) if operation == "ListEndpoints" else range(0)))
    done = script("list.py", "--name-contains", "rl")
    assert done.returncode == 0, done.stderr

    def line(noun: str, number: int, status: str) -> str:
        moment = datetime.fromtimestamp(60 * number, UTC).astimezone()
        return f"{noun:<15}{f'rl-mountain-car-{number}':<64}{status:<12}{moment:%Y-%m-%d %H:%M}"

    assert done.stdout.splitlines() == [
        line("training job", 3, "Stopped"),
        line("training job", 2, "Failed"),
        line("training job", 1, "Stopped"),
        line("transform job", 12, "Failed"),
        line("endpoint", 20, "Failed"),
    ]
    query = {"NameContains": "rl", "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 100}
    asked = timeline.of("ListTrainingJobs")
    assert asked[0] == query
    assert [each.get("NextToken") for each in asked[1:3]] == ["after-3", "after-2"]
    assert all({**query, "NextToken": each["NextToken"]} == each for each in asked[1:])


@pytest.mark.parametrize(("last", "more"), [(range(60, 100), False), (range(60, 101), True)])
def test_more_than_a_hundred_are_said_to_be_there(script, timeline, last, more):
    timeline.answers("ListEndpoints", page("ListEndpoints", range(60), "next"), page("ListEndpoints", last))
    done = script("list.py")
    *lines, hint = done.stdout.splitlines()
    sentence = "There are more endpoints, older than these 100: --name-contains finds them."
    assert (hint == sentence) == more
    assert len(lines) + (not more) == 100


def test_nothing_is_listed(script, timeline):
    assert script("list.py", "--name-contains", "").stdout == "There is no job or endpoint in region eu-west-1.\n"
    assert "NameContains" not in timeline.of("ListEndpoints")[0]
    dry = json.loads(script("list.py", "--dry-run").stdout)
    assert [next(iter(each)) for each in dry] == list(NAMES)
    assert dry[0]["ListTrainingJobs"]["NameContains"] == "rl-mountain-car"


# --- Roles -----------------------------------------------------------------------------------------------------------
def trust(**changes: Any) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, **changes}]})


TRUSTING = [
    trust(),
    trust(Principal={"Service": ["ec2.amazonaws.com", "sagemaker.amazonaws.com"]}, Action=["sts:TagSession", "sts:*"]),
    trust(Principal="*", Action="*"),
]
OTHERS = [
    trust(Principal={"Service": "ec2.amazonaws.com"}),
    trust(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
    trust(Effect="Deny"),
    trust(Action="sts:TagSession"),
    trust(Principal={"Service": "notsagemaker.amazonaws.com"}),
    "{}",
]
PROJECTS = f"rl-mountain-car-{REGION}"


def test_a_role_that_sagemaker_may_not_assume_is_refused(script, aws):
    iam = aws.client("iam")
    for number, document in enumerate([*TRUSTING, *OTHERS]):
        iam.create_role(RoleName=f"role-{number}", AssumeRolePolicyDocument=document)
        done = script("create_role.py", "--role", f"role-{number}")
        if document in TRUSTING:
            assert done.stdout == f"arn:aws:iam::{ACCOUNT}:role/role-{number}\n", document
        else:
            sentence = f"Error: The role is role-{number}, which SageMaker may not assume: its trust policy has to"
            assert done.stderr.startswith(sentence), document
            assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(("document", "own"), [(TRUSTING[0], True), (OTHERS[0], False)])
def test_the_callers_own_role_is_used_if_sagemaker_may_assume_it(script, aws, document, own):
    """As in a SageMaker notebook; a developer's or a build server's is none."""
    aws.client("iam").create_role(RoleName="callers", AssumeRolePolicyDocument=document, Path="/team/")
    arn = f"arn:aws:iam::{ACCOUNT}:role/team/callers"
    assumed = aws.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/callers", RoleSessionName="me")
    credentials = {
        "AWS_ACCESS_KEY_ID": assumed["Credentials"]["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": assumed["Credentials"]["SecretAccessKey"],
        "AWS_SESSION_TOKEN": assumed["Credentials"]["SessionToken"],
    }
    done = script("train.py", "--image", "x", "--dry-run", **credentials)
    if own:
        assert f'"RoleArn": "{arn}"' in done.stdout, done.stderr
        assert script("create_role.py", **credentials).stdout == f"{arn}\n"
        assert json.loads(script("create_role.py", "--dry-run", **credentials).stdout) == []
    else:
        assert done.stderr.startswith("Error: There is no execution role: make one with scripts/create_role.py")


def test_a_new_role_is_waited_for_and_its_policy_put_after_it(script, aws, timeline):
    missing = refused("NoSuchEntity", "The role cannot be found.", 404)
    timeline.answers("GetRole", missing, missing)  # before it, and of the first look after it
    done = script("create_role.py", "--tag", "team=rl")
    assert (done.returncode, done.stdout) == (0, f"arn:aws:iam::{ACCOUNT}:role/{PROJECTS}\n"), done.stderr
    changes = [each for each in timeline.operations if not each.startswith("Get")]
    assert changes == ["CreateRole", "PutRolePolicy"]
    begin = timeline.operations.index("CreateRole")
    assert "GetRole" in timeline.operations[begin : timeline.operations.index("PutRolePolicy")]


def test_the_projects_role_is_mended(script, aws, timeline):
    """Somebody has changed its trust policy: it was used as it was, and brought up to date only in its permissions."""
    iam = aws.client("iam")
    iam.create_role(RoleName=PROJECTS, AssumeRolePolicyDocument=OTHERS[0])
    done = script("train.py", "--image", "x", "--dry-run")
    assert f"The role is {PROJECTS}, which SageMaker may not assume" in done.stderr
    assert script("create_role.py").returncode == 0
    assert iam.get_role(RoleName=PROJECTS)["Role"]["AssumeRolePolicyDocument"] == roles.trust_policy(ACCOUNT)
    assert script("train.py", "--image", "x", "--dry-run").returncode == 0
    timeline.requests.clear()
    assert script("create_role.py").returncode == 0
    assert [each for each in timeline.operations if not each.startswith("Get")] == []


ROLE = f"arn:aws:iam::{ACCOUNT}:role/new"
JOB = ("train.py", "--image", "x", "--role", ROLE)
NOT_YET = [
    refused("ValidationException", f"Could not assume role {ROLE}. Please ensure that the role exists"),
    refused("ValidationException", "Please ensure that the role has sts:AssumeRole"),
]


def test_a_role_is_waited_for_until_it_can_be_assumed(script, timeline):
    timeline.answers("CreateTrainingJob", NOT_YET[0], THROTTLED, NOT_YET[1], FAULT)
    done = script(*JOB)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SageMaker cannot take on the role, which may be new: waiting up to 60 s") == 1
    assert timeline.operations.count("CreateTrainingJob") == 5


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (NOT_YET[0], "Could not assume role"),
        (refused("ValidationException", "The image is bad"), "The image is bad"),
        (refused("AccessDeniedException", "not sts:AssumeRole"), "not sts:AssumeRole"),
    ],
)
def test_a_role_is_not_waited_for_in_vain(script, timeline, monkeypatch, answer, sentence):
    monkeypatch.setattr(roles, "SECONDS_UNTIL_ASSUMABLE", -1 if answer is NOT_YET[0] else 60)
    timeline.answers("CreateTrainingJob", answer)
    done = script(*JOB)
    assert (done.returncode, sentence in done.stderr) == (2, True)
    assert timeline.operations.count("CreateTrainingJob") == 1
    assert "waiting" not in done.stdout


def test_a_model_that_the_role_may_not_read_is_no_new_role(script, aws, timeline):
    """SageMaker's sentence about the file goes on about the trust policy."""
    message = (
        f"Could not access model data at s3://mine/cars/model.tar.gz. Please ensure that the role {ROLE} exists and "
        "that its trust relationship policy allows the action sts:AssumeRole for the service principal "
        "sagemaker.amazonaws.com. Also ensure that the role has s3:GetObject permissions."
    )
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="mine", Key="cars/model.tar.gz", Body=b"")
    timeline.answers("CreateModel", refused("ValidationException", message))
    done = script("deploy.py", "--image", "x", "--role", ROLE, "s3://mine/cars/model.tar.gz")
    assert (done.returncode, timeline.operations.count("CreateModel"), done.stdout) == (2, 1, "")
    assert done.stderr.startswith("Error: SageMaker cannot read s3://mine/cars/model.tar.gz with the role: ")
    assert "create_role.py --read s3://mine/cars, and" in done.stderr


# --- Buckets ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_the_first_job_makes_the_bucket_before_it_is_created(script, aws, timeline, region):
    s3 = aws.client("s3")
    name = f"sagemaker-{region}-{ACCOUNT}"
    timeline.answers("CreateTrainingJob", after(lambda: seen.extend(s3.list_buckets()["Buckets"])))
    seen: list[Any] = []
    done = script(*JOB, AWS_REGION=region)
    assert done.returncode == 0, done.stderr
    assert [each["Name"] for each in seen] == [name]
    assert done.stdout.splitlines()[0] == f"Created bucket {name}"
    assert (s3.get_bucket_location(Bucket=name)["LocationConstraint"] or "us-east-1") == region
    assert set(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values()) == {True}
    again = script(*JOB, AWS_REGION=region)
    assert (again.returncode, "Created bucket" in again.stdout) == (0, False)
