"""clean_up.py against a local AWS server: all that the scripts have made goes, and nothing of anybody else's."""

import json
import time

import httpx
import pytest
from image_stack import create_stack
from launch.aws.roles import TRUST_POLICY
from launch.cli import progress
from local_aws import REGION, log_lines, put_images
from serving_resources import BUCKET, GIVEN, put_logs
from timeline import after, refused

pytest_plugins = ("proxy", "timeline", "serving_resources")

ROLE = f"rl-mountain-car-{REGION}"
THEIRS = "their-rl-mountain-car"
MODEL = f"{THEIRS}-2026-11-01-10-00-00-000000"


def account(aws) -> set[str]:
    """Return what there is in the account."""
    sagemaker, logs, s3 = aws.client("sagemaker"), aws.client("logs"), aws.client("s3")
    streams = logs.describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs")["logStreams"]
    names = {
        "endpoint": [each["EndpointName"] for each in sagemaker.list_endpoints()["Endpoints"]],
        "config": [each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]],
        "model": [each["ModelName"] for each in sagemaker.list_models()["Models"]],
        "target": [
            each["ResourceId"]
            for each in aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")[
                "ScalableTargets"
            ]
        ],
        "repository": [each["repositoryName"] for each in aws.client("ecr").describe_repositories()["repositories"]],
        "role": [each["RoleName"] for each in aws.client("iam").list_roles()["Roles"]],
        "stack": [each["StackName"] for each in aws.client("cloudformation").describe_stacks()["Stacks"]],
        "group": [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]],
        "stream": [each["logStreamName"] for each in streams],
        "file": [
            f"{bucket['Name']}/{each['Key']}"
            for bucket in s3.list_buckets()["Buckets"]
            for each in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", [])
        ],
        "packages": [
            each["ModelPackageGroupName"]
            for each in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
        ],
        "experiment": [each["ExperimentName"] for each in sagemaker.list_experiments()["ExperimentSummaries"]],
        "trial": [each["TrialName"] for each in sagemaker.list_trials()["TrialSummaries"]],
        "bucket": [each["Name"] for each in s3.list_buckets()["Buckets"]],
    }
    return {f"{kind} {name}" for kind, all_of_kind in names.items() for name in all_of_kind}


@pytest.fixture
def others(script, aws, model) -> set[str]:
    """Have in the account what the scripts make and what others have made; return the others'."""
    s3, sagemaker, iam, logs = (aws.client(name) for name in ("s3", "sagemaker", "iam", "logs"))
    variant = {"VariantName": "v", "InstanceType": "ml.c5.large", "InitialInstanceCount": 1}
    sagemaker.create_model(ModelName=MODEL, ExecutionRoleArn=GIVEN[3], PrimaryContainer={"Image": "theirs:1"})
    sagemaker.create_endpoint_config(EndpointConfigName=MODEL, ProductionVariants=[{**variant, "ModelName": MODEL}])
    sagemaker.create_model(ModelName="made-by-hand", ExecutionRoleArn=GIVEN[3], PrimaryContainer={"Image": GIVEN[1]})
    sagemaker.create_endpoint(EndpointName=THEIRS, EndpointConfigName=MODEL)
    s3.create_bucket(Bucket="theirs", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="theirs", Key="rl-mountain-car-1/x")
    iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=json.dumps(TRUST_POLICY))
    log_lines(aws, f"{THEIRS}/algo-1", "a line")
    logs.create_log_group(logGroupName=f"/aws/sagemaker/Endpoints/{THEIRS}")
    sagemaker.create_model_package_group(ModelPackageGroupName=THEIRS, ModelPackageGroupDescription="x")
    sagemaker.create_experiment(ExperimentName=THEIRS)
    sagemaker.create_trial(TrialName=THEIRS, ExperimentName=THEIRS)
    theirs = account(aws)

    sagemaker.create_model_package_group(ModelPackageGroupName="rl-mountain-car", ModelPackageGroupDescription="x")
    sagemaker.create_model_package(ModelPackageGroupName="rl-mountain-car", ModelApprovalStatus="Approved")
    put_images(aws)
    outputs = create_stack(aws, CreateTrainingRepository="false", CreateServingRepository="false")
    s3.put_object(Bucket=outputs["ArtifactsBucket"], Key="1/images.json")
    assert script("create_role.py").returncode == 0
    nothing = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [nothing]})
    managed = iam.create_policy(PolicyName="theirs", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=managed)
    done = script("deploy.py", *GIVEN, model, "--endpoint-name", "cars", "--autoscale", "1:2")
    assert done.returncode == 0, done.stderr
    under_other_names(script, aws, model)
    s3.put_object(Bucket=BUCKET, Key="rl-mountain-car-1/output/model.tar.gz")
    s3.put_object(Bucket=BUCKET, Key="theirs/x")
    logs.create_log_stream(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName="rl-mountain-car-1/algo-1")
    logs.create_log_group(logGroupName="/aws/sagemaker/Endpoints/cars")
    put_logs(aws, "a-stream")
    return theirs


def under_other_names(script, aws, model) -> None:
    """Have what nothing but its tag says to be the project's: jobs, an endpoint of another image, a group."""
    role, s3, sagemaker = GIVEN[2:], aws.client("s3"), aws.client("sagemaker")
    for command in (
        ("train.py", "--image", "own:1", "--job-name", "A-job", "--bucket", "own-bucket", "--prefix", "p"),
        ("train.py", "--image", "own:1", "--job-name", "in-the-bucket", "--experiment", "lab"),
        ("deploy.py", "--image", "own:1", "--endpoint-name", "own", model),
        ("register.py", "--image", "own:1", "--group", "autos", model),
    ):
        done = script(*command, *role)
        assert done.returncode == 0, done.stderr
    s3.put_object(Bucket="own-bucket", Key="p/A-job/output/model.tar.gz")
    s3.put_object(Bucket=BUCKET, Key="in-the-bucket/output/model.tar.gz")
    aws.client("logs").create_log_stream(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName="A-job/algo-1")
    sagemaker.create_trial(TrialName="run", ExperimentName="lab")
    sagemaker.create_trial_component(TrialComponentName="A-job")
    sagemaker.associate_trial_component(TrialName="run", TrialComponentName="A-job")


def test_all_that_the_scripts_have_made_goes_and_nothing_else(script, aws, others, timeline):
    before = account(aws)
    assert len(before - others) >= 15
    dry = script("clean_up.py", "--dry-run")
    operations = [operation for entry in json.loads(dry.stdout) for operation in entry]
    assert operations[0] == "DeregisterScalableTarget"
    assert operations[-3:] == ["DeleteRolePolicy", "DetachRolePolicy", "DeleteRole"]
    asked = script("clean_up.py", input="n\n")
    assert (asked.returncode, asked.stdout.splitlines()[-1]) == (0, "Delete all of it? [y/N] Nothing was deleted.")
    assert f"  1 files below s3://{BUCKET}/rl-mountain-car-1/" in asked.stdout
    assert script("clean_up.py").returncode == 2  # nobody can be asked
    assert account(aws) == before

    timeline.answers("DescribeLogGroups", refused("AccessDeniedException", "nor you"))
    timeline.answers("DeleteRepository", refused("AccessDeniedException", "not you"))
    done = script("clean_up.py", "--yes")
    assert done.returncode == 1
    first, second, last = done.stderr.splitlines()
    assert first == "Could not look for logs: AWS refuses DescribeLogGroups: nor you (AccessDeniedException)."
    repository = "repository mountain-car-training with its images"
    assert second == f"Left {repository}: AWS refuses DeleteRepository: not you (AccessDeniedException)."
    assert last == f"Failed: There may be more left: logs, {repository}."
    assert "Deleted role" in done.stdout
    left = account(aws) - others
    assert not [each for each in left if each.startswith(("endpoint", "config", "model", "target", "role", "stack"))]

    done = script("clean_up.py", "--yes", "--endpoint-name", "cars")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert f"Left bucket {BUCKET}, if it is empty then: it is not" in done.stdout
    assert account(aws) - others == {f"bucket {BUCKET}", f"file {BUCKET}/theirs/x"}
    assert others - account(aws) == set()
    aws.client("s3").delete_object(Bucket=BUCKET, Key="theirs/x")
    assert script("clean_up.py", "--yes").returncode == 0
    assert account(aws) == others
    assert script("clean_up.py").stdout == f"There is nothing left of this project in region {REGION}\n"


def test_what_takes_long_is_said(script, aws, timeline, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 0.05)
    assert script("create_role.py").returncode == 0
    slow = after(lambda: time.sleep(0.2))
    timeline.answers("ListRolePolicies", slow)
    timeline.answers("DeleteRole", slow)
    done = script("clean_up.py", "--yes")
    assert done.returncode == 0, done.stderr
    assert "Waiting for a list of the role: 0 s\n" in done.stderr
    assert f"Waiting for the deletion of role {ROLE}: 0 s\n" in done.stderr


def test_below_a_prefix_all_files_go(script, aws, between):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("cars/a", "cars/b/c", "cars-2/a", "rl-mountain-car-1/a"):
        s3.put_object(Bucket="mine", Key=key)
    done = script("clean_up.py", "--bucket", "mine", "--prefix", "cars", "--yes")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Deleted 2 files below s3://mine/cars")
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="mine")["Contents"]] == [
        "cars-2/a",
        "rl-mountain-car-1/a",
    ]

    def refuse(handler, answer):
        if handler.command == "POST":  # DeleteObjects answers 200, whatever it has not deleted
            error = "<Error><Key>cars-2/a</Key><Code>AccessDenied</Code><Message>not you</Message></Error>"
            answer = httpx.Response(200, text=f"<DeleteResult>{error}</DeleteResult>")
        handler.answer(answer.status_code, answer.headers, answer.content)

    url, _ = between(refuse)
    done = script("clean_up.py", "--bucket", "mine", "--prefix", "cars-2", "--yes", AWS_ENDPOINT_URL_S3=url)
    left = "1 files below s3://mine/cars-2"
    refusal = f"Left {left}: AWS refuses DeleteObjects: not you (AccessDenied)."
    assert (done.returncode, done.stderr) == (1, f"{refusal}\nFailed: There may be more left: {left}.\n")
