"""What the tests of endpoints and transform jobs share: a model, images in ECR, and what there is on the server."""

import contextlib
import io
import os
import tarfile
import time

import pytest
from local_aws import ACCOUNT, REGION, put_images

BUCKET = f"sagemaker-{REGION}-{ACCOUNT}"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mountain-car-serving:1"
GIVEN = ("--image", IMAGE, "--role", f"arn:aws:iam::{ACCOUNT}:role/r")
RESOURCE = "endpoint/rl-mountain-car/variant/AllTraffic"


@pytest.fixture
def pushed(aws):
    put_images(aws)


@pytest.fixture
def model(tmp_path):
    file = tmp_path / "model.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        member = tarfile.TarInfo("policy.json")
        member.size = 100_000
        tar.addfile(member, io.BytesIO(os.urandom(member.size)))
    return str(file)


def names(aws) -> tuple[list[str], list[str]]:
    sagemaker = aws.client("sagemaker")
    models = [each["ModelName"] for each in sagemaker.list_models()["Models"]]
    configs = [each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]]
    return models, configs


def put_logs(aws, stream: str, *lines: str) -> None:
    logs = aws.client("logs")
    group = "/aws/sagemaker/Endpoints/rl-mountain-car"
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": int(1000 * time.time()), "message": line} for line in lines]
    if events:
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
