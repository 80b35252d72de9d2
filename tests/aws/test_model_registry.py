"""register.py and deploy.py --package against a local AWS server: groups, packages, approval."""

import json

import pytest
from jobs import ROOT
from launch.project import TAG
from launch.sagemaker import model_packages
from local_aws import ACCOUNT, REGION, assert_valid, requests_of
from sagemaker_rl.serving.codecs import CODECS
from serving_resources import BUCKET, GIVEN, IMAGE, names

pytest_plugins = ("serving_resources", "timeline")
pytestmark = pytest.mark.usefixtures("pushed")

JOB = "rl-mountain-car-1"
OBSERVATIONS = str(ROOT / "observations.csv")
TRAINING_IMAGE = IMAGE.replace("serving", "training")


@pytest.fixture
def job(aws, script) -> str:
    """A training job with a model, whose policy was evaluated."""
    from moto.sagemaker.models import sagemaker_backends

    given = ("--image", TRAINING_IMAGE, *GIVEN[2:])
    done = script("train.py", *given, "--job-name", JOB, "-p", "RLCOACH_PRESET=preset-mountain-car-dqn")
    assert done.returncode == 0, done.stderr
    metric = {"MetricName": "reward-evaluation", "Value": -98.5, "Timestamp": 0}
    sagemaker_backends[ACCOUNT][REGION].training_jobs[JOB].final_metric_data_list = [metric]
    aws.client("s3").put_object(Bucket=BUCKET, Key=f"{JOB}/output/model.tar.gz", Body=b"model")
    return JOB


def packages(aws, group: str = "cars") -> list[dict]:
    """Return the descriptions of a group's packages, the first first."""
    sagemaker = aws.client("sagemaker")
    listed = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    arns = [each["ModelPackageArn"] for each in listed]
    return [sagemaker.describe_model_package(ModelPackageName=arn) for arn in arns]


def test_a_model_is_registered_approved_and_deployed(script, aws, job, timeline):
    timeline.lists_in_pages_of("ListModelPackages", 1)
    register = ("register.py", *GIVEN, "--group", "cars")
    requests = requests_of(script(*register, job, "--dry-run", "--tag", "team=cars"))
    assert list(requests) == ["CreateModelPackageGroup", "CreateModelPackage"]
    assert requests["CreateModelPackageGroup"]["Tags"] == [TAG, {"Key": "team", "Value": "cars"}]
    for operation, request in requests.items():
        properties = request.pop("CustomerMetadataProperties", None)  # AWS's pattern for its values takes nothing
        assert_valid(operation, request)
    assert properties == {
        "training-job": job,
        "preset": "preset-mountain-car-dqn",
        "training-image": TRAINING_IMAGE,
        "serving-image-revision": "1",
    }
    assert aws.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"] == []
    quality = requests["CreateModelPackage"]["ModelMetrics"]["ModelQuality"]["Statistics"]
    key = f"{job}/model-quality.json"
    assert quality == {"ContentType": "application/json", "S3Uri": f"s3://{BUCKET}/{key}"}

    first = script(*register, job)
    assert first.returncode == 0, first.stderr
    assert "Registered cars:1 as PendingManualApproval" in first.stdout
    assert list(requests_of(script(*register, job, "--dry-run"))) == ["CreateModelPackage"]  # its group is there
    report = json.loads(aws.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert report["regression_metrics"]["reward-evaluation"]["value"] == -98.5
    (package,) = packages(aws)
    specification = package["InferenceSpecification"]
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{job}/output/model.tar.gz"}
    assert specification["Containers"] == [container]
    assert specification["SupportedContentTypes"] == list(CODECS)
    assert package["CustomerMetadataProperties"] == properties

    done = script("deploy.py", *GIVEN[2:], "--package", "cars")
    assert (done.returncode, done.stderr) == (2, "Error: Model package group cars has no version that is approved.\n")
    done = script("deploy.py", *GIVEN[2:], "--package", "cars:1")
    refusal = "Model package cars:1 is PendingManualApproval, expected Approved"
    assert (done.returncode, done.stderr) == (
        2,
        f"Error: {refusal}: python scripts/register.py --package cars:1 --approve.\n",
    )
    assert names(aws) == ([], [])
    done = script("register.py", "--package", "cars:1", "--approve", "--description", "drives well")
    assert done.stdout == "Model package cars:1 is Approved; it was PendingManualApproval\n", done.stderr
    assert packages(aws)[0]["ApprovalDescription"] == "drives well"
    assert "Registered cars:2 as Approved" in script(*register, job, "--approve").stdout
    assert script("register.py", "--package", "cars:2", "--reject").returncode == 0

    arn = package["ModelPackageArn"]
    for reference in ("cars", "cars:1", arn):
        request = requests_of(script("deploy.py", *GIVEN[2:], "--package", reference, "--dry-run"))["CreateModel"]
        assert_valid("CreateModel", request)
        assert request["PrimaryContainer"] == {"ModelPackageName": arn}
    done = script("deploy.py", *GIVEN[2:], "--package", "cars", "--env", "SAGEMAKER_RL_COMPILE=0")
    assert f"Endpoint rl-mountain-car serves {arn}" in done.stdout, done.stderr
    ((model,), _) = names(aws)
    container = aws.client("sagemaker").describe_model(ModelName=model)["PrimaryContainer"]
    assert container == {"ModelPackageName": arn, "Environment": {"SAGEMAKER_RL_COMPILE": "0"}}

    listed = script("list.py", "--name-contains", "car").stdout.splitlines()
    assert [line.split()[:4] for line in listed if line.startswith("package")] == [
        ["package", "group", "cars", "Completed"]
    ]
    listed = [line.split()[:3] for line in script("list.py", "--group", "cars").stdout.splitlines()]
    assert sorted(listed) == [["cars:1", "Approved", "Completed"], ["cars:2", "Rejected", "Completed"]]

    aws.client("s3").put_object(Bucket=BUCKET, Key="o.csv", Body=b"0.5,-0.5\n")
    transform = ("transform.py", "--package", "cars", *GIVEN[2:], f"s3://{BUCKET}/o.csv", "--heads")
    requests = requests_of(script(*transform, "--dry-run"))
    assert_valid("CreateTransformJob", requests["CreateTransformJob"])
    assert requests["CreateModel"]["PrimaryContainer"] == {"ModelPackageName": arn}
    done = script(*transform)
    assert "Completed" in done.stdout.splitlines(), done.stderr
    (sent,) = timeline.of("CreateTransformJob")
    assert sent["Environment"] == {"SAGEMAKER_RL_OUTPUT": "heads"}
    assert timeline.of("CreateModel")[-1]["PrimaryContainer"] == {"ModelPackageName": arn}

    aws.client("s3").delete_object(Bucket=BUCKET, Key=f"{job}/output/model.tar.gz")
    done = script("deploy.py", *GIVEN[2:], "--package", "cars")
    assert f"There is nothing at s3://{BUCKET}/{job}/output/model.tar.gz, the model of package cars:1." in done.stderr


def test_the_metrics_of_a_model_are_those_of_an_evaluation_that_is_named(script, aws, job, model):
    done = script("register.py", *GIVEN, "--dry-run", model)
    request = requests_of(done)["CreateModelPackage"]
    assert "ModelMetrics" not in request
    assert request["CustomerMetadataProperties"] == {"serving-image-revision": "1"}
    request = requests_of(script("register.py", *GIVEN, "--dry-run", model, "--evaluation", job))["CreateModelPackage"]
    assert request["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] == f"s3://{BUCKET}/{job}/model-quality.json"
    assert script("train.py", "--image", TRAINING_IMAGE, *GIVEN[2:], "--job-name", "other").returncode == 0
    done = script("register.py", *GIVEN, model, "--evaluation", "other")
    sentence = "Error: Job other is Completed and has no metric reward-evaluation, expected one that has.\n"
    assert (done.returncode, done.stderr) == (2, sentence)


def test_mistakes_about_packages(script, aws, model):
    for command, sentence in (
        (("register.py",), "Expected a model, or --package GROUP:VERSION"),
        (("register.py", model, "--package", "cars:1"), "Expected a model, or --package GROUP:VERSION"),
        (("register.py", "--package", "cars:1"), "expected with --approve or --reject."),
        (("register.py", "--package", "cars", "--approve"), "--package is 'cars', expected GROUP:VERSION."),
        (("register.py", model, "--reject"), "--reject is of a package that is registered"),
        (("register.py", "nobody"), "There is no training job 'nobody' in region eu-west-1."),
        (("register.py", model, "--evaluation", "nobody"), "There is no training job 'nobody' in region eu-west-1."),
        (("register.py", model, "--local"), "Unrecognized arguments: --local"),
        (("register.py", model, "--image", IMAGE[:-1] + "2"), "There is no image"),
        (
            ("register.py", model, "--instance-types", "ml.c5.large", "c5"),
            "--instance-types is 'c5', which SageMaker does",
        ),
        (
            ("register.py", model, "--transform-types", "local"),
            "--transform-types is 'local', which SageMaker does not",
        ),
        (("list.py", "--group", "none"), "There is no model package group 'none' in region eu-west-1."),
        (("list.py", "--group", "cars", "--local"), "--group does not go with --local: this machine has no model reg"),
        (("list.py", "--group", "cars", "--endpoint-name", "x"), "--group does not go with --endpoint-name."),
        (("transform.py", OBSERVATIONS), "There is no model, expected a training job's name, a model.tar.gz or"),
        (("transform.py", model, OBSERVATIONS, "--package", "cars"), "--package names the model, expected without"),
        (("transform.py", OBSERVATIONS, "--package", "cars", "--local"), "this machine has no model registry."),
        (("transform.py", "--package", "cars", OBSERVATIONS), "There is no model package group 'cars' in region"),
        (("deploy.py",), "There is no model, expected a training job's name, a model.tar.gz or --package."),
        (("deploy.py", "--package", "cars:0"), "'cars:0' is no GROUP, GROUP:VERSION or ARN of a model package"),
        (("deploy.py", "--package", "cars"), "There is no model package group 'cars' in region eu-west-1."),
        (("deploy.py", "--package", f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/cars/1"), "There is no model"),
        (("deploy.py", model, "--package", "cars"), "--package names the model, expected without"),
        (("deploy.py", "--package", "cars", "--image", IMAGE), "--image does not go with --package"),
        (("deploy.py", "--package", "cars", "--multi-model"), "--multi-model does not go with --package"),
        (("deploy.py", "--package", "cars", "--local"), "this machine has no model registry."),
    ):
        given = GIVEN[2:] if {"--image", "--package"} & {*command} else GIVEN
        given = () if command[0] == "list.py" else given
        done = script(*command, *given)
        assert done.returncode == 2, (command, done.stdout)
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert aws.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"] == []
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert names(aws) == ([], [])


def test_the_media_types_of_a_package_are_the_endpoints():
    assert set(model_packages.MEDIA_TYPES) == set(CODECS)
