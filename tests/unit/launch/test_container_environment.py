"""What a local job has in its environment to use AWS as its caller does."""

import boto3
import pytest
from launch.local.container_environment import with_aws


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "S3_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def session(token: str | None = None, region: str | None = None) -> boto3.Session:
    return boto3.Session("key", "secret", token, region)


def test_credentials_and_region_are_the_callers():
    assert with_aws({"A": "1"}, boto3.Session(), True) == {"A": "1"}
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert with_aws({}, session(), True) == keys
    assert with_aws({"AWS_REGION": "x"}, session("token", "eu-west-1"), False) == {
        **keys,
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("http://127.0.0.1:5000", "http://host.docker.internal:5000"),
        ("http://localhost:5000/path?q=1", "http://host.docker.internal:5000/path?q=1"),
        ("http://[::1]:5000", "http://host.docker.internal:5000"),
        ("https://0.0.0.0", "https://host.docker.internal"),
        ("https://s3.example.com:444/x", "https://s3.example.com:444/x"),
    ],
)
def test_a_container_reaches_a_server_of_this_machine_by_another_name(monkeypatch, url, inside):
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert with_aws({}, boto3.Session(), True) == {"AWS_ENDPOINT_URL": inside, "S3_ENDPOINT_URL": inside}
    assert with_aws({}, boto3.Session(), False) == {"AWS_ENDPOINT_URL": url, "S3_ENDPOINT_URL": url}


def test_the_address_of_s3_is_the_nearest_one(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://all")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://s3")
    assert with_aws({}, boto3.Session(), True)["S3_ENDPOINT_URL"] == "http://s3"
    monkeypatch.setenv("S3_ENDPOINT_URL", "http://own")
    assert with_aws({}, boto3.Session(), True)["S3_ENDPOINT_URL"] == "http://own"
