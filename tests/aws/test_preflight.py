"""What train.py, evaluate.py, deploy.py and transform.py refuse before anything is created, uploaded or paid for."""

import io
import json
import os
import subprocess
import tarfile

import boto3
import pytest
from jobs import ROOT
from launch.project import TAG
from local_aws import ACCOUNT, REGION, refusing, requests_of
from local_machine import NO_AWS
from unknown_to_moto import put_image

pytest_plugins = ("proxy", "serving_resources")

REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
TRAINING, SERVING = (f"{REGISTRY}/mountain-car-{kind}:1" for kind in ("training", "serving"))
ROLE = f"arn:aws:iam::{ACCOUNT}:role/given"
REST = ("--role", ROLE)
GIVEN = ("--image", TRAINING, *REST)


@pytest.fixture(autouse=True)
def pushed(aws, tmp_path, monkeypatch):
    """Both images in ECR; a checkpoint and observations in the current folder."""
    monkeypatch.chdir(tmp_path)
    put_image(aws, "mountain-car-training", "1", "amd64", title="mountain-car-training", revision="unknown")
    put_image(aws, "mountain-car-serving", "1", "amd64", title="mountain-car-serving")
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint/.coach_checkpoint").write_text("x")
    (tmp_path / "o.csv").write_text("0.5,-0.5\n")
    (tmp_path / "source").mkdir()
    for name in ("train.py", "train-coach.py"):
        (tmp_path / "source" / name).write_text("print('no checks')\n")


def created(aws) -> list[str]:
    """Return what there is in the account, but for roles and images, and buckets of a test's own."""
    sagemaker, s3 = aws.client("sagemaker"), aws.client("s3")
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    kinds = (
        ("list_training_jobs", "TrainingJobSummaries"),
        ("list_hyper_parameter_tuning_jobs", "HyperParameterTuningJobSummaries"),
        ("list_transform_jobs", "TransformJobSummaries"),
        ("list_models", "Models"),
        ("list_endpoint_configs", "EndpointConfigs"),
        ("list_endpoints", "Endpoints"),
    )
    found = [str(each) for method, key in kinds for each in getattr(sagemaker, method)()[key]]
    objects = [each["Key"] for name in names for each in s3.list_objects_v2(Bucket=name).get("Contents", [])]
    return [*found, *objects, *(name for name in names if not name.startswith("mine-"))]


def bucket(aws, name: str, region: str = REGION) -> None:
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    s3 = boto3.client("s3", region_name=region, endpoint_url=aws.url, **keys)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})


def in_order(script, aws, mistakes) -> None:
    """Check each command's sentence and status, and that none created anything."""
    for command, sentence in mistakes:
        done = script(*command)
        assert (done.returncode, done.stderr.splitlines()[-1]) == (2, f"Error: {sentence}"), (command, done.stderr)
    assert created(aws) == []


def test_images_that_cannot_run(script, aws, model):
    put_image(aws, "arm", "1", "arm64")
    put_image(aws, "many", "1", "amd64", index=True)
    far, gone, arm = TRAINING.replace(REGION, "us-east-1"), TRAINING.replace(":1", ":2"), f"{REGISTRY}/arm:1"
    scripts = (
        ("train.py", "--source-dir", "source", "--entry-point", "train.py"),
        ("evaluate.py", "checkpoint"),
        ("deploy.py", model),
        ("transform.py", model, "o.csv"),
        ("tune.py", "--range", "discount=0.9:0.99"),
        ("register.py", model),
    )
    build = "docker buildx build --platform linux/{} --provenance=false --sbom=false"
    index = (
        f"Image {REGISTRY}/many:1 is an index of manifests, but SageMaker takes a single one: build it with `{build}`."
    )
    sentence = f"The image is {far}, of region us-east-1, expected one of {REGION}."
    mistakes = [
        *(((*command, "--image", far), sentence) for command in scripts),
        ((*scripts[1], "--image", gone), f"There is no image {gone}: push one with scripts/push_images.py."),
        (("train.py", "--image", arm), f"Image {arm} is for arm64, but ml.c5.xlarge has amd64."),
        (
            ("deploy.py", model, "--image", arm, "--serverless"),
            f"Image {arm} is for arm64, but SageMaker has amd64.",
        ),
        *(((*command, "--image", f"{REGISTRY}/many:1"), index.format("amd64")) for command in scripts),
        (
            ("deploy.py", model, "--image", f"{REGISTRY}/many:1", "--instance-type", "ml.c7g.large"),
            index.format("arm64"),
        ),
        (
            ("deploy.py", model, "--image", SERVING, "--instance-type", "ml.c7g.large"),
            f"Image {SERVING} is for amd64, but ml.c7g.large has arm64.",
        ),
    ]
    in_order(script, aws, [((*command, *REST), sentence) for command, sentence in mistakes])
    done = script("deploy.py", model, "--image", arm, "--instance-type", "ml.c7g.large", *REST)
    assert "AWS refuses CreateEndpointConfig: Value 'ml.c7g.large'" in done.stderr, "moto's list of types is older"


def test_an_image_of_another_account_is_noted(script, aws, between):
    theirs = TRAINING.replace(ACCOUNT, "999999999999")
    done = script("train.py", "--image", theirs, *REST)
    note = f"Image {theirs} is of account 999999999999: the policy of its repository must let the role pull it.\n"
    assert (done.returncode, done.stderr) == (0, note)
    url, _ = between(refusing("BatchGetImage", "AccessDeniedException", "not you"))
    done = script("train.py", "--image", f"{REGISTRY}/mountain-car-training:1", *REST, AWS_ENDPOINT_URL_ECR=url)
    assert (done.returncode, done.stderr) == (0, "")  # what may not be looked at is not checked


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A small repository in the place of this one: an image's sources, and a page."""
    root = tmp_path / "checkout"
    files = {
        "docker/training/Dockerfile": "COPY --from=build /a /b\nCOPY src/a.py src/b-*.py src/room/*.py ./\n",
        "src/a.py": "1",
        "src/b-1.py": "1",
        "src/room/c.py": "1",
        "src/room/deep/d.py": "1",
        "docs.md": "1",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.com")
        return subprocess.check_output(["git", *identity, *arguments], cwd=root, text=True).strip()

    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "all")
    monkeypatch.setattr("launch.project.ROOT", root)
    return root, git("rev-parse", "--short=12", "HEAD")


def test_a_stale_image(script, aws, checkout):
    root, revision = checkout
    labels = {"title": "mountain-car-training", "revision": revision}
    put_image(aws, "mountain-car-training", "2", "amd64", **labels)
    put_image(aws, "mountain-car-training", "dirty", "amd64", **{**labels, "revision": f"{revision}-dirty"})
    put_image(aws, "theirs", "2", "amd64", **{**labels, "title": "theirs"})
    image = TRAINING.replace(":1", ":2")
    train = ("train.py", "--image", image, *REST)
    assert script(*train).stderr == ""
    for name in ("docs.md", "src/other.py", "src/room/deep/d.py"):  # do not go into the image
        (root / name).write_text("2")
    assert script(*train).stderr == ""
    for name in ("src/a.py", "src/b-2.py", "src/room/c.py"):  # a change, a file that is new, one in a folder
        (root / name).write_text("2")
    older = f"Image {image} is of revision {revision}, older than the checkout's src/a.py, src/b-2.py, src/room/c.py"
    assert script(*train).stderr == f"{older}: scripts/push_images.py pushes a new one.\n"
    assert script(*train, "--stale-image", "ok").stderr == ""
    assert script("train.py", "--image", f"{REGISTRY}/theirs:2", *REST).stderr == ""
    jobs = len(aws.client("sagemaker").list_training_jobs()["TrainingJobSummaries"])
    assert jobs == 5
    refused = script(*train, "--stale-image", "refuse")
    remedy = "scripts/push_images.py pushes a new one, --stale-image ok takes it as it is"
    assert (refused.returncode, refused.stderr) == (2, f"Error: {older}: {remedy}.\n")
    assert len(aws.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]) == jobs
    # An image of uncommitted changes has what was written before it.
    dirty = ("train.py", "--image", TRAINING.replace(":1", ":dirty"), *REST)
    for name in ("src/a.py", "src/b-2.py"):
        os.utime(root / name, (0, 0))
    assert "older than the checkout's src/room/c.py: scripts" in script(*dirty).stderr
    os.utime(root / "src/room/c.py", (0, 0))
    assert script(*dirty).stderr == ""


@pytest.mark.container
def test_a_stale_image_of_the_engine_is_refused(script, engine, checkout, tmp_path):
    """Of a job on this machine: before it is made."""
    root, revision = checkout
    (root / "scripts").symlink_to(ROOT / "scripts")  # the job's process runs there
    labels = {"title": "mountain-car-training", "revision": revision}
    changes = [f"LABEL org.opencontainers.image.{name}={value}" for name, value in labels.items()]
    layer = io.BytesIO()
    tarfile.open(fileobj=layer, mode="w").close()
    engine.api.import_image_from_data(layer.getvalue(), repository="stale", tag="1", changes=changes)
    job = ("train.py", "--local", "--wait", "--image", "stale:1")
    records = tmp_path / "runs/.local/training-jobs"
    try:
        (root / "src/a.py").write_text("2")
        done = script(*job)
        older = f"Image stale:1 is of revision {revision}, older than the checkout's src/a.py"
        remedy = "`make images` builds it, --stale-image ok takes it as it is"
        assert (done.returncode, done.stderr) == (2, f"Error: {older}: {remedy}.\n")
        assert not records.exists() or not list(records.iterdir())
        (root / "src/a.py").write_text("1")
        done = script(*job, "--job-name", "fresh")
        assert "older than" not in done.stderr
        assert done.returncode == 1  # there is no program in it
        assert [each.name for each in records.iterdir()] == ["fresh"]
    finally:
        engine.images.remove("stale:1", force=True)


def test_buckets_and_roles_that_cannot_be_used(script, aws, model, between):
    bucket(aws, "mine-far", "eu-central-1")
    bucket(aws, "mine-near")
    bucket(aws, "mine-open")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*"}]}
    aws.client("s3").put_bucket_policy(Bucket="mine-open", Policy=json.dumps(policy))
    far = "is in bucket mine-far of region eu-central-1, expected one of eu-west-1."
    source = ("--source-dir", "source", "--entry-point", "train.py")
    theirs = "arn:aws:iam::999999999999:role/r"
    serving = ("--image", SERVING, *REST)
    in_order(
        script,
        aws,
        [
            (("train.py", *GIVEN, *source, "--bucket", "mine-far"), f"OutputDataConfig.S3OutputPath {far}"),
            (("train.py", *GIVEN, "--checkpoint-uri", "s3://mine-far/c"), f"CheckpointConfig.S3Uri {far}"),
            (
                ("train.py", *GIVEN, "--checkpoint-uri", "s3://gone/c"),
                "There is no bucket gone, which CheckpointConfig.S3Uri names.",
            ),
            (("evaluate.py", *GIVEN, "checkpoint", "--bucket", "mine-far"), f"OutputDataConfig.S3OutputPath {far}"),
            (("deploy.py", *serving, model, "--bucket", "mine-far"), f"PrimaryContainer.ModelDataUrl {far}"),
            (("transform.py", *serving, model, "o.csv", "--bucket", "mine-far"), f"TransformOutput.S3OutputPath {far}"),
            (
                ("train.py", "--image", TRAINING, "--role", theirs, *source),
                f"The role is {theirs}, of account 999999999999, expected one of yours, {ACCOUNT}.",
            ),
        ],
    )
    assert script("create_role.py").returncode == 0  # which may use the default bucket alone
    role = f"arn:aws:iam::{ACCOUNT}:role/rl-mountain-car-{REGION}"
    remedy = (
        "for the project's own role, scripts/create_role.py with the same --bucket and --prefix gives it the right."
    )
    near = ("--image", TRAINING, "--bucket", "mine-near")
    refusals = [
        (("train.py", *near, *source, "--job-name", "j"), f"may not read s3://mine-near/j/source: {remedy}"),
        (("train.py", *near), f"may not write s3://mine-near: {remedy}"),
    ]
    in_order(script, aws, [(command, f"The role is {role}, which {end}") for command, end in refusals])
    url, _ = between(lambda handler, answer: handler.answer(403, {}, b"<Error><Code>AccessDenied</Code></Error>"))
    assert role_of(script, *near) == role
    for command, environment in (
        (("--image", TRAINING), {}),
        (("--image", TRAINING, "--bucket", "mine-open"), {}),  # the bucket's own policy may allow it
        (near, {"AWS_ENDPOINT_URL_IAM": url}),  # a caller who may not ask
    ):
        done = script("train.py", *command, "--role", role, **environment)
        assert (done.returncode, done.stderr) == (0, "")
    assert script("create_role.py", "--bucket", "mine-near").returncode == 0
    assert script("train.py", *near).returncode == 0


def role_of(script, *flags: str) -> str:
    return str(requests_of(script("train.py", "--dry-run", *flags))["CreateTrainingJob"]["RoleArn"])


def test_hyperparameters_that_the_container_would_refuse(script, aws):
    one = ("train.py", *GIVEN, "-p")
    in_order(
        script,
        aws,
        [
            ((*one, "discont=0.9"), "Hyperparameter discont is unknown, did you mean 'discount'?"),
            ((*one, "discount=1.5"), "Hyperparameter discount is 1.5, expected a number between 0 and 1."),
            (
                ("tune.py", *GIVEN, "--range", "discount=0.9:1.5"),  # at the ends of its range
                "Hyperparameter discount is 1.5, expected a number between 0 and 1.",
            ),
            (
                ("tune.py", *GIVEN, "--choices", "discont=0.9,1"),
                "Hyperparameter discont is unknown, did you mean 'discount'?",
            ),
            (
                (*one, "rl.agent_params.algorithm.discont=1"),  # a path: the preset is looked into
                "Hyperparameter rl.agent_params.algorithm.discont is not in this preset: rl.agent_params.algorithm has "
                "no 'discont', did you mean 'discount'?",
            ),
            (
                ("evaluate.py", *GIVEN, "checkpoint", "-p", "evaluate_steps=0"),
                "Hyperparameter evaluate_steps is 0, expected a whole number 1 or more.",
            ),
        ],
    )
    done = script("evaluate.py", *GIVEN, "checkpoint", "-p", "discount=0.9")  # a training's
    assert done.stderr.startswith("Error: Hyperparameter discount is unknown, known are "), done.stderr
    assert created(aws) == []
    own = ("--source-dir", "source", "--entry-point", "train-coach.py")  # nothing is known of what it takes
    assert script(*one, "discont=0.9", *own).returncode == 0
    put_image(aws, "theirs", "1", "amd64")
    assert script("train.py", "--image", f"{REGISTRY}/theirs:1", *REST, "-p", "x=y").returncode == 0
    assert script(*one, "discount=0.9", "-p", "seed=1").returncode == 0


def test_a_mistake_in_a_tag_or_in_the_number_of_hyperparameters(script, aws):
    """SageMaker takes 100 hyperparameters, with those that the script adds."""
    hundred = [part for number in range(100) for part in ("-p", f"x{number}=1")]
    source = ("--source-dir", "source", "--entry-point", "train.py")
    added = "sagemaker_program, sagemaker_submit_directory, sagemaker_s3_output of the script's own among them"
    for flags, sentence in (
        (
            hundred,
            "There are 101 hyperparameters, sagemaker_s3_output of the script's own among them, expected at most 100.",
        ),
        ((*hundred[6:], *source), None),
        ((*hundred[4:], *source), f"There are 101 hyperparameters, {added}, expected at most 100."),
        (
            ("--tag", "created-by=me"),
            "--tag: 'created-by=me' has the key of the project's own tag, expected another; see --help.",
        ),
    ):
        done = script("train.py", *GIVEN, "--job-name", "mine", *flags)
        assert (done.returncode, done.stderr) == ((2, f"Error: {sentence}\n") if sentence else (0, "")), sentence
    (made,) = aws.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    assert aws.client("sagemaker").list_tags(ResourceArn=made["TrainingJobArn"])["Tags"] == [TAG]


def test_instance_types_and_limits(script, aws, model):
    serving = ("--image", SERVING, *REST)
    in_order(
        script,
        aws,
        [
            (
                ("deploy.py", *REST, model, "--instance-type", "ml.c7g.large"),
                "--instance-type is 'ml.c7g.large', of arm64, but the images are amd64: expected "
                "the like of ml.c5.large.",
            ),
            (
                ("deploy.py", *serving, model, "--instance-type", "ml.t2.medium", "--autoscale", "1:2"),
                "Endpoint rl-mountain-car is to scale, and --instance-type is 'ml.t2.medium', which cannot: "
                "expected the like of ml.c5.large.",
            ),
            (
                ("deploy.py", *serving, model, "--serverless", "--max-concurrency", "201"),
                "--max-concurrency: '201' is no whole number from 1 to 200; see --help.",
            ),
            (
                ("train.py", *GIVEN, "--subnets", *map(str, range(17)), "--security-groups", "g"),
                "VpcConfig.Subnets has 17 entries, expected at most 16.",
            ),
            (
                ("train.py", *GIVEN, "--env", f"TOKEN={'x' * 513}"),
                "Environment.TOKEN has 513 characters, expected at most 512.",
            ),
        ],
    )
    done = script("train.py", *GIVEN, "--instance-type", "ml.c9x.xlarge")
    assert done.returncode == 0
    assert done.stderr.startswith("--instance-type is 'ml.c9x.xlarge', passed on: botocore ")
    (job,) = aws.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    described = aws.client("sagemaker").describe_training_job(TrainingJobName=job["TrainingJobName"])
    assert described["ResourceConfig"]["InstanceType"] == "ml.c9x.xlarge"
    assert script("deploy.py", *serving, model, "--autoscale", "1:2").returncode == 0
    done = script("deploy.py", *serving, model, "--instance-type", "ml.t2.medium")  # it would keep its scaling
    assert (done.returncode, "which cannot" in done.stderr) == (2, True)
