"""Clients of AWS from a user's flags and environment; where jobs' files and images are by the flags."""

import argparse
import json
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from launch import project
from launch.aws import image_uris
from launch.aws.clients import Clients
from launch.cli.errors import UsageError
from launch.local.clients import LocalClients
from launch.sagemaker import session

ACCOUNT = "123456789012"


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("RL_RUNS", str(tmp_path / "runs"))
    (tmp_path / "config").write_text("[profile far]\nregion = ap-south-1\n[profile often]\nmax_attempts = 3\n")


def of_account(region: str = "eu-west-1") -> Clients:
    clients = Clients(region)
    clients.__dict__["caller"] = {"Account": ACCOUNT, "Arn": "arn:x"}
    return clients


def test_the_region_is_the_flags_or_the_environments_or_the_profiles(monkeypatch):
    with pytest.raises(UsageError, match=r"^There is no AWS region: give --region, or set AWS_REGION\.$"):
        _ = Clients().region
    assert Clients(profile="far").region == "ap-south-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-1")
    monkeypatch.setenv("AWS_REGION", "")
    assert Clients().region == "us-west-1"
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert Clients(profile="far").region == "us-west-2"
    assert Clients("eu-west-1", "far").region == "eu-west-1"
    assert Clients("eu-west-1").where == " in region eu-west-1"
    assert [Clients(region).partition for region in ("eu-west-1", "cn-north-1")] == ["aws", "aws-cn"]
    assert of_account().default_home == f"s3://sagemaker-eu-west-1-{ACCOUNT}"
    assert (of_account().default_role, of_account().page_of("cars")) == (None, None)


def test_a_profile_that_is_not_there(monkeypatch, tmp_path):
    with pytest.raises(UsageError, match=r"^--profile is 'no', expected one of far, often\.$"):
        Clients(profile="no")
    monkeypatch.setenv("AWS_PROFILE", "none")
    with pytest.raises(UsageError, match=r"^AWS_PROFILE is 'none', expected one of far, often\.$"):
        Clients()
    (tmp_path / "config").write_text("")
    with pytest.raises(UsageError, match=r"^AWS_PROFILE is 'none', but there are no profiles: `aws configure` makes"):
        Clients()


def test_calls_are_repeated_as_the_user_says_or_eight_times(monkeypatch):
    assert Clients("eu-west-1")._config.retries == {"mode": "standard", "total_max_attempts": 8}
    assert Clients("eu-west-1", "often")._config.retries is None
    assert "rl-mountain-car" in Clients("eu-west-1").client("sts").meta.config.user_agent_extra
    for name, value in (("AWS_RETRY_MODE", "legacy"), ("AWS_MAX_ATTEMPTS", "2")):
        monkeypatch.setenv(name, value)
        assert Clients("eu-west-1")._config.retries is None
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("sagemaker", "sagemaker"),
        ("runtime", "sagemaker-runtime"),
        ("logs", "logs"),
        ("autoscaling", "application-autoscaling"),
        ("s3", "s3"),
        ("ecr", "ecr"),
        ("iam", "iam"),
        ("codebuild", "codebuild"),
        ("cloudformation", "cloudformation"),
    ],
)
def test_each_client_is_of_its_service_and_made_once(monkeypatch, name, service):
    clients = Clients("eu-west-1")
    monkeypatch.setattr(clients, "client", lambda service: [service])
    assert getattr(clients, name) == [service]
    assert getattr(clients, name) is getattr(clients, name)


# --- What follows from the flags -------------------------------------------------------------------------------------
def flags(**changes) -> argparse.Namespace:
    return argparse.Namespace(**{"local": False, "bucket": None, "prefix": "", "image": None, **changes})


@pytest.mark.parametrize(
    ("changes", "home"),
    [
        ({}, f"s3://sagemaker-eu-west-1-{ACCOUNT}"),
        ({"prefix": "/cars/"}, f"s3://sagemaker-eu-west-1-{ACCOUNT}/cars"),
        ({"bucket": "b-1", "prefix": "cars"}, "s3://b-1/cars"),
        ({"local": True, "bucket": "b-1", "prefix": "cars"}, "s3://b-1/cars"),
        ({"local": True, "prefix": "cars"}, "file://RUNS/.local/output"),
        ({"instance_type": "local"}, "file://RUNS/.local/output"),
    ],
)
def test_the_address_that_jobs_files_are_below(tmp_path, changes, home):
    is_here = changes.get("local") or "instance_type" in changes
    clients = LocalClients("eu-west-1") if is_here else of_account()
    assert session.home_address(flags(**changes), clients) == home.replace("RUNS", str(tmp_path / "runs"))


def test_the_image_is_the_one_given_or_built_or_pushed(tmp_path):
    assert session.image_uri(flags(image="mine:1", local=True), "serving") == "mine:1"
    assert session.image_uri(flags(local=True), "serving") == "mountain-car-serving:latest"
    here, there = (flags(region=region, profile=None) for region in ("eu-west-1", "us-east-1"))
    nowhere = r"^There is no serving image of region eu-west-1 in .*/runs/images\.json: push one with"
    with pytest.raises(UsageError, match=nowhere):
        session.image_uri(here, "serving")
    image_uris.write({"training": "t", "serving": "s"}, "eu-west-1")
    with pytest.raises(UsageError, match=r"of region us-east-1 in .*json, which has those of eu-west-1: push one with"):
        session.image_uri(there, "serving")
    image_uris.write({"training": "t2", "serving": "s2"}, "us-east-1")
    assert [session.image_uri(here, kind) for kind in project.KINDS] == ["t", "s"]
    assert [session.image_uri(there, kind) for kind in project.KINDS] == ["t2", "s2"]
    file = tmp_path / "runs/images.json"
    assert file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in file.parent.iterdir()] == ["images.json"]
    for content in ("[]", "{", json.dumps({"training": "t"}), '{"eu-west-1": {"training": "t"}}', '{"eu-west-1": []}'):
        file.write_text(content)
        with pytest.raises(UsageError, match="There is no serving image"):
            image_uris.read("serving", "eu-west-1")
    file.write_text('{"training": "t", "serving": "s"}')  # as earlier revisions wrote it
    assert image_uris.read("serving", "eu-west-1") == "s"


ECR = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/team/cars"
DIGEST = f"sha256:{'a1' * 32}"


@pytest.mark.parametrize(
    ("uri", "identifier"),
    [
        (ECR, {"imageTag": "latest"}),
        (f"{ECR}:v1", {"imageTag": "v1"}),
        (f"{ECR}@{DIGEST}", {"imageDigest": DIGEST}),
        (f"{ECR}:v1@{DIGEST}", {"imageDigest": DIGEST}),
        (ECR.replace("eu-west-1", "eu-west-2"), None),
        (ECR.replace(ACCOUNT, "999999999999"), None),
        ("mine:1", None),
        (f"{ECR}:v1/x", None),
    ],
)
def test_only_an_image_of_the_callers_own_ecr_is_looked_for(uri, identifier):
    asked = []
    clients = of_account()
    clients.__dict__["ecr"] = SimpleNamespace(describe_images=lambda **request: asked.append(request))
    image_uris.check_exists(clients, uri)
    assert asked == ([{"repositoryName": "team/cars", "imageIds": [identifier]}] if identifier else [])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ImageNotFoundException", UsageError),
        ("RepositoryNotFoundException", UsageError),
        ("AccessDeniedException", None),
        ("ThrottlingException", ClientError),
    ],
)
def test_what_ecr_answers_of_an_image(code, expected):
    def refuse(**request):
        raise ClientError({"Error": {"Code": code, "Message": "x"}}, "DescribeImages")

    clients = of_account()
    clients.__dict__["ecr"] = SimpleNamespace(describe_images=refuse)
    if expected is None:
        image_uris.check_exists(clients, ECR)
    else:
        with pytest.raises(expected):
            image_uris.check_exists(clients, ECR)


def test_the_clients_are_those_that_the_flags_ask_for():
    asked = {"region": "eu-west-1", "profile": None}
    assert type(session.connect(flags(**asked))) is Clients
    for here in ({"local": True}, {"instance_type": "local"}, {"local": True, "instance_type": "local"}):
        assert type(session.connect(flags(**asked, **here))) is LocalClients
    with pytest.raises(UsageError, match=r"^--instance-type is 'ml\.c5\.large', expected local, or none, with"):
        session.connect(flags(**asked, local=True, instance_type="ml.c5.large"))


def test_names_of_this_project():
    assert [project.image_name(kind) for kind in project.KINDS] == [
        "mountain-car-training:latest",
        "mountain-car-serving:latest",
    ]
    name = project.unique_name("x" * 60)
    assert len(name) == 63
    assert project.unique_name("cars").startswith("cars-20")
    assert project.unique_name("cars") != project.unique_name("cars")
