"""push_images.py against a local AWS server, a real Docker engine and a real registry."""

import contextlib
import hashlib
import io
import json
import os
import pty
import re
import subprocess
import sys
import tarfile
import termios
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from launch import project
from launch.aws.clients import Clients
from launch.aws.registry import LIFECYCLE_POLICY, Registry
from launch.cli import progress
from launch.local import images
from local_aws import ACCOUNT, REGION, requests_of
from registry import LOGIN, serving

import docker

pytest_plugins = ("registry",)

NAMES = [f"mountain-car-{kind}" for kind in project.KINDS]
OCI_IMAGE, OCI_INDEX = (f"application/vnd.oci.image.{name}.v1+json" for name in ("manifest", "index"))
ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


def test_a_dry_run_shows_the_requests_and_sends_none(script, aws):
    done = script("push_images.py", "--dry-run", "--tag", "team=rl", DOCKER_HOST="unix:///nowhere")
    operations = [next(iter(entry)) for entry in json.loads(done.stdout)]
    assert operations == [*["CreateRepository", "PutLifecyclePolicy"] * 2, "GetAuthorizationToken"]
    created = json.loads(done.stdout)[0]["CreateRepository"]
    assert created == {
        "repositoryName": "mountain-car-training",
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "layer-cache*"}],
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfiguration": {"encryptionType": "AES256"},
        "tags": [{"Key": "team", "Value": "rl"}],
    }
    assert aws.client("ecr").describe_repositories()["repositories"] == []


@pytest.mark.container
@pytest.mark.slow
def test_images_are_pushed_once_by_revision(checkout, aws, engine, stand_in_registry, kept_tags, tmp_path):
    kms = aws.client("kms")
    kms.create_alias(AliasName="alias/images", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    registry = ("--registry", f"{stand_in_registry.address}/push")
    done = checkout.script("push_images.py", *registry, "--tag", "team=rl", "--kms-key", "alias/images")
    assert done.returncode == 0, done.stderr
    revision = checkout.git("rev-parse", "--short=12", "HEAD")
    ecr = aws.client("ecr")
    for repository in ecr.describe_repositories(repositoryNames=NAMES)["repositories"]:
        name = repository["repositoryName"]
        assert f"Created repository {name}" in done.stdout
        assert repository["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
        assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
        assert repository["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": "alias/images"}
        assert ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"] == [
            {"Key": "team", "Value": "rl"}
        ]
        (rule,) = json.loads(ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])["rules"]
        assert (rule["selection"]["tagStatus"], rule["action"]) == ("untagged", {"type": "expire"})
        assert stand_in_registry.tags(f"push/{name}") == {revision}

    file = tmp_path / "runs/images.json"
    uris = json.loads(file.read_text())[REGION]
    for kind, uri in uris.items():  # ECR's own, whatever the images are pushed through
        assert re.fullmatch(rf"{ECR}/mountain-car-{kind}@sha256:[0-9a-f]{{64}}", uri)
        assert f"{kind}: {uri}" in done.stdout.splitlines()
    # What was pushed can be pulled by what the file says, and is what was built.
    built = engine.images.get(project.image_name("serving", revision)).id
    engine.images.remove(f"{stand_in_registry.address}/push/mountain-car-serving:{revision}", noprune=True)
    pulled = engine.images.pull(
        uris["serving"].replace(ECR, f"{stand_in_registry.address}/push"),
        auth_config=dict(zip(("username", "password"), LOGIN, strict=True)),
    )
    assert pulled.id == built

    file.unlink()
    again = checkout.script("push_images.py", *registry)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("is pushed already") == 2
    assert "Step" not in again.stdout
    assert json.loads(file.read_text()) == {REGION: uris}

    # With changes the revision does not say what is in an image: its id does.
    with (checkout.folder / "container_src/patient_envs.py").open("a") as source:
        source.write("# changed\n")
    changed = checkout.script("push_images.py", *registry)
    assert changed.returncode == 0, changed.stderr
    for name in NAMES:
        image = engine.images.get(f"{name}:{revision}-dirty").id.removeprefix("sha256:")[:12]
        assert stand_in_registry.tags(f"push/{name}") == {revision, f"{revision}-dirty-{image}"}
    assert json.loads(file.read_text())[REGION]["training"] != uris["training"]
    again = checkout.script("push_images.py", *registry, "--only", "push")
    assert again.stdout.count("is pushed already") == 2

    done = checkout.script(
        "push_images.py", "--registry", stand_in_registry.address, "--only", "push", AWS_REGION="us-east-1"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.container
def test_a_registry_that_does_not_let_us_in(checkout, aws, engine, stand_in_registry):
    role = aws.client("sts").assume_role(RoleArn="arn:aws:iam::999999999999:role/other", RoleSessionName="other")
    theirs = role["Credentials"]  # whose account's token is not that of the registry
    done = checkout.script(
        "push_images.py",
        "--registry",
        stand_in_registry.address,
        AWS_ACCESS_KEY_ID=theirs["AccessKeyId"],
        AWS_SECRET_ACCESS_KEY=theirs["SecretAccessKey"],
        AWS_SESSION_TOKEN=theirs["SessionToken"],
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"Failed: {stand_in_registry.address} cannot be asked about ")
    assert "no basic auth" in done.stderr or "unauthorized" in done.stderr


@pytest.mark.container
def test_a_push_that_fails(checkout, engine, kept_tags, tmp_path):
    """With what a registry answers that takes nothing: the engine says so in the midst of its events."""
    for kind in project.KINDS:  # in place of what is built: any image will do
        engine.images.get(images.BASE_IMAGE).tag(
            f"mountain-car-{kind}", tag=checkout.git("rev-parse", "--short=12", "HEAD")
        )
    with serving(tmp_path, {"maintenance": {"readonly": {"enabled": True}}}) as registry:
        done = checkout.script("push_images.py", "--registry", registry.address, "--only", "push")
    assert done.returncode == 1
    assert re.match(rf"Failed: {registry.address}/mountain-car-training:\w+ cannot be pushed: .*\.\n$", done.stderr)
    assert not (tmp_path / "runs/images.json").exists()


class Slow(BaseHTTPRequestHandler):
    """A registry that has nothing, and refuses an upload, each after a while."""

    def do_ANY(self):
        time.sleep(0.0 if self.path == "/v2/" else 0.2)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, code = (403, "DENIED") if self.command == "POST" else (404, "MANIFEST_UNKNOWN")
        body = json.dumps({"errors": [{"code": code, "message": "not here"}]}).encode()
        self.send_response(200 if self.path == "/v2/" else status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_ANY  # noqa: N815

    def log_message(self, *arguments):
        pass


@pytest.mark.container
def test_a_push_off_a_terminal_is_not_silent(script, engine, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 0.05)
    monkeypatch.setattr(project, "git_revision", lambda: "slow")
    name = "mountain-car-training:slow"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    engine.images.get(images.BASE_IMAGE).tag("mountain-car-training", tag="slow")
    try:
        done = script("push_images.py", "--only", "push", "--registry", address)
    finally:
        server.shutdown()
        for each in (name, f"{address}/{name}"):
            with contextlib.suppress(docker.errors.ImageNotFound):
                engine.images.remove(each, noprune=True)
    assert done.returncode == 1
    assert f"Failed: {address}/{name} cannot be pushed: " in done.stderr, done.stderr
    assert f"Waiting for an answer of {address}: 0 s\n" in done.stderr
    assert f"Waiting for the push of {name}: 0 s\n" in done.stderr


@pytest.mark.container
def test_a_registry_that_does_not_answer(checkout, engine):
    done = checkout.script("push_images.py", "--registry", "127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.startswith("Failed: 127.0.0.1:9 cannot be asked about ")
    assert done.stderr.count("\n") == 1


@pytest.mark.container
def test_nothing_is_built_that_could_be_pushed(checkout, engine, stand_in_registry):
    checkout.git("commit", "--quiet", "--allow-empty", "--message", "Another")
    done = checkout.script("push_images.py", "--registry", stand_in_registry.address, "--only", "push")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: There is no image mountain-car-training:")


@pytest.mark.container
def test_an_image_for_another_processor_is_not_pushed(checkout, engine, kept_tags, stand_in_registry):
    """As an engine on Apple silicon has it, whose image was built without a platform."""
    checkout.git("commit", "--quiet", "--allow-empty", "--message", "For arm64")
    revision = checkout.git("rev-parse", "--short=12", "HEAD")
    name = f"mountain-car-training:{revision}"
    load_image(engine, name, "arm64")
    done = checkout.script("push_images.py", "--registry", stand_in_registry.address, "--only", "push")
    assert (done.returncode, done.stderr) == (
        2, f"Error: Image {name} is for linux/arm64, expected linux/amd64: build it with `make images`.\n"
    )  # fmt: skip
    assert revision not in stand_in_registry.tags("mountain-car-training")


@pytest.mark.container
def test_an_index_in_the_registry_is_refused(checkout, engine, stand_in_registry):
    """As BuildKit makes it by default, of one image and its attestations; a single manifest of OCI's is taken."""
    checkout.git("commit", "--quiet", "--allow-empty", "--message", "Built by BuildKit")
    revision = checkout.git("rev-parse", "--short=12", "HEAD")
    for name in NAMES:
        config = stand_in_registry.put_blob(name, b'{"architecture": "amd64", "os": "linux"}')
        config["mediaType"] = "application/vnd.oci.image.config.v1+json"
        manifest = {"schemaVersion": 2, "mediaType": OCI_IMAGE, "config": config, "layers": []}
        image = stand_in_registry.put_manifest(name, revision, manifest)
    attestation = {**image, "platform": {"os": "unknown", "architecture": "unknown"}}
    image["platform"] = {"os": "linux", "architecture": "amd64"}
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [image, attestation]}
    stand_in_registry.put_manifest("mountain-car-serving", revision, index)
    done = checkout.script("push_images.py", "--registry", stand_in_registry.address, "--only", "push")
    address = f"{stand_in_registry.address}/mountain-car-serving:{revision}"
    assert (done.returncode, done.stderr) == (
        2,
        f"Error: {address} is an index of manifests, but SageMaker takes a single one: delete it from the repository, "
        "build it with `make images` or `docker buildx build --platform linux/amd64 --provenance=false --sbom=false`, "
        "and push it again.\n",
    )
    assert f"mountain-car-training:{revision} is pushed already\n" in done.stdout


def load_image(engine, name, architecture):
    """Have the engine load an image without files for a processor."""
    layer = io.BytesIO()
    tarfile.open(fileobj=layer, mode="w").close()
    digest = f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, content in (
            ("config.json", json.dumps(config).encode()),
            ("manifest.json", json.dumps(manifest).encode()),
            ("layer.tar", layer.getvalue()),
        ):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    engine.images.load(archive.getvalue())


@pytest.mark.container
def test_a_bar_on_a_terminal(checkout, engine, kept_tags, tmp_path):
    checkout.git("commit", "--quiet", "--allow-empty", "--message", "Small images")
    revision = checkout.git("rev-parse", "--short=12", "HEAD")
    for kind in project.KINDS:
        engine.images.get(images.BASE_IMAGE).tag(f"mountain-car-{kind}", tag=revision)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 120))
    shown: list[bytes] = []

    def read() -> None:
        while True:
            try:
                shown.append(os.read(ours, 4096))
            except OSError:  # its other end is closed
                return

    reader = threading.Thread(target=read)
    reader.start()
    with serving(tmp_path) as registry:
        command = [sys.executable, "scripts/push_images.py", "--only", "push", "--registry", registry.address]
        done = subprocess.run(
            command, cwd=checkout.folder, env=checkout.environment, stdout=subprocess.PIPE, stderr=theirs, timeout=120
        )
    os.close(theirs)
    reader.join(timeout=10)
    assert done.returncode == 0
    bars = b"".join(shown).decode()
    assert f"mountain-car-training:{revision}" in bars
    assert re.search(r"[1-9]\d?%\|.*[1-9][\d.]*M/\d[\d.]*M ", bars)  # the last of it may come too soon to be shown


def test_repositories_that_are_there_stay_as_they_are(script, aws):
    ecr = aws.client("ecr")
    for name in NAMES:
        ecr.create_repository(repositoryName=name)
    ecr.put_lifecycle_policy(repositoryName=NAMES[0], lifecyclePolicyText=json.dumps(LIFECYCLE_POLICY))
    requests = requests_of(script("push_images.py", "--dry-run"))
    assert list(requests) == ["PutLifecyclePolicy", "GetAuthorizationToken"]
    assert requests["PutLifecyclePolicy"]["repositoryName"] == NAMES[1]
    done = script("push_images.py", "--dry-run", "--kms-key", "alias/images")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: Repository mountain-car-training is there, without --kms-key")


def test_no_docker_engine(script):
    done = script("push_images.py", DOCKER_HOST="unix:///nowhere.sock")
    assert (done.returncode, done.stderr) == (
        2,
        "Error: No Docker engine answers at unix:///nowhere.sock, expected one that is running.\n",
    )


@pytest.mark.container
@pytest.mark.parametrize("address", ["https://example.com", "example.com/", "UPPER/Case"])
def test_an_address_that_is_none(script, engine, address):
    done = script("push_images.py", "--registry", address)
    assert (done.returncode, f"--registry is {address!r}" in done.stderr) == (2, True)


def test_without_credentials(script):
    done = script("push_images.py", AWS_ACCESS_KEY_ID="(unset)", AWS_SECRET_ACCESS_KEY="(unset)")
    assert (done.returncode, done.stderr.startswith("Error: There are no AWS credentials: ")) == (2, True)


def test_a_tag_that_is_none(script):
    done = script("push_images.py", "--dry-run", "--tag", "team")
    assert done.returncode == 2
    assert "'team' is no KEY=VALUE" in done.stderr


@pytest.mark.container
def test_where_ecr_is(aws, engine, monkeypatch):
    """Without --registry the address is that of the account's own ECR, as its token says."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    target = Registry(engine, Clients())
    assert target.repository("serving") == f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mountain-car-serving"
