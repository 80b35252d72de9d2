"""KMS keys that cannot be used are noticed before anything is made; one that can reaches all that is encrypted."""

import pytest
from local_aws import ACCOUNT, REGION, requests_of
from serving_resources import BUCKET, GIVEN

pytest_plugins = ("proxy", "serving_resources")
pytestmark = pytest.mark.usefixtures("pushed")


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "train-coach.py").write_text("")
    return ("--source-dir", str(folder), "--entry-point", "train-coach.py")


@pytest.fixture
def observations(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("0.5,-0.5\n")
    return str(file)


def test_a_key_that_cannot_be_used(script, aws, model, source, observations):
    kms = aws.client("kms")
    disabled, doomed, asymmetric = (
        kms.create_key(**how)["KeyMetadata"]["KeyId"]
        for how in ({}, {}, {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"})
    )
    kms.disable_key(KeyId=disabled)
    kms.schedule_key_deletion(KeyId=doomed)
    kms.create_alias(AliasName="alias/cars", TargetKeyId=disabled)
    elsewhere = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{'0' * 8}-0000-0000-0000-{'0' * 12}"
    role = ("--role", GIVEN[3])
    image = ("--image", GIVEN[1].replace("serving", "training"))
    commands = [
        (("train.py", *role, *image, *source), "--kms-key", "alias/cars", "that is Disabled"),
        (("train.py", *role, *image), "--volume-kms-key", doomed, "that is PendingDeletion"),
        (("deploy.py", *GIVEN, model), "--kms-key", disabled, "that is Disabled"),
        (("deploy.py", *GIVEN, model, "--async"), "--async-kms-key", asymmetric, "of RSA_2048"),
        (("transform.py", *GIVEN, model, observations), "--kms-key", elsewhere, "that is there in region eu-west-1"),
        (("transform.py", *GIVEN, model, observations), "--volume-kms-key", "alias/none", "that is there in region"),
        (("deploy.py", *GIVEN, model), "--kms-key", elsewhere.replace(REGION, "us-east-1"), "of region us-east-1, exp"),
        (("register.py", *GIVEN, model), "--kms-key", disabled, "that is Disabled"),
        (("predict.py", "--async", "0.5,-0.5"), "--kms-key", doomed, "that is PendingDeletion"),
    ]
    for command, flag, key, reason in commands:
        done = script(*command, flag, key)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith(f"Error: {flag} is {key!r}, "), done.stderr
        assert (reason in done.stderr, len(done.stderr.splitlines())) == (True, 1)
    ecr = aws.client("ecr")
    for kind in ("training", "serving"):
        ecr.delete_repository(repositoryName=f"mountain-car-{kind}", force=True)
    done = script("push_images.py", "--kms-key", disabled, DOCKER_HOST="unix:///nowhere")
    sentence = f"--kms-key is {disabled!r}, a KMS key that is Disabled, expected one that is Enabled."
    assert (done.returncode, done.stderr) == (2, f"Error: {sentence}\n")
    assert ecr.describe_repositories()["repositories"] == []
    sagemaker = aws.client("sagemaker")
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert sagemaker.list_models()["Models"] == sagemaker.list_training_jobs()["TrainingJobSummaries"] == []


def test_a_key_reaches_all_that_is_encrypted(script, aws, model, source, tmp_path):
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    image = ("--image", GIVEN[1].replace("serving", "training"), "--role", GIVEN[3])
    done = script("train.py", *image, *source, "--kms-key", key, "--job-name", "cars")
    assert done.returncode == 0, done.stderr
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint/.coach_checkpoint").touch()
    done = script("evaluate.py", *image, str(tmp_path / "checkpoint"), "--kms-key", key, "--job-name", "judged")
    assert done.returncode == 0, done.stderr
    done = script("deploy.py", *GIVEN, model, "--data-capture", "10", "--kms-key", key)
    assert done.returncode == 0, done.stderr
    s3, sagemaker = aws.client("s3"), aws.client("sagemaker")
    name = sagemaker.list_endpoint_configs()["EndpointConfigs"][0]["EndpointConfigName"]
    for uploaded in (
        "cars/source/sourcedir.tar.gz",
        "judged/checkpoint/.coach_checkpoint",
        f"{name}/model.tar.gz",
    ):
        assert s3.head_object(Bucket=BUCKET, Key=uploaded)["SSEKMSKeyId"] == key
    dry = requests_of(script("deploy.py", *GIVEN, model, "--data-capture", "10", "--kms-key", key, "--dry-run"))
    several = ("--multi-model", "--target-model", "car", "--endpoint-name", "several")
    assert script("deploy.py", *GIVEN, model, *several, "--kms-key", key).returncode == 0
    (car,) = (each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix="several-")["Contents"])
    assert s3.head_object(Bucket=BUCKET, Key=car)["SSEKMSKeyId"] == key
    package = ("register.py", *GIVEN, model, "--group", "keyed", "--kms-key", key)
    assert requests_of(script(*package, "--dry-run"))["CreateModelPackage"]["SecurityConfig"] == {"KmsKeyId": key}
    assert script(*package).returncode == 0
    (registered,) = (each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix="keyed-")["Contents"])
    assert s3.head_object(Bucket=BUCKET, Key=registered)["SSEKMSKeyId"] == key
    config = dry["CreateEndpointConfig"]
    assert config["KmsKeyId"] == config["DataCaptureConfig"]["KmsKeyId"] == key


@pytest.mark.parametrize("code", ["KMS.DisabledException", "KMS.NotFoundException"])
def test_a_key_that_stops_later_is_said_by_the_upload(script, aws, model, between, code):
    """As where the caller may not look at the key."""
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]

    def refuse(handler, answer):
        if handler.command == "PUT" and "model.tar.gz" in handler.path:
            body = f"<Error><Code>{code}</Code><Message>{key} is disabled.</Message></Error>"
            handler.answer(400, {"Content-Type": "application/xml"}, body.encode())
        else:
            handler.answer(answer.status_code, answer.headers, answer.content)

    url, _ = between(refuse)
    done = script("deploy.py", *GIVEN, model, "--kms-key", key, AWS_ENDPOINT_URL_S3=url)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: The KMS key of s3://{BUCKET}/"), done.stderr
    assert done.stderr.endswith(f"/model.tar.gz does not work: {key} is disabled ({code[4:]}).\n")
    assert aws.client("sagemaker").list_models()["Models"] == []
