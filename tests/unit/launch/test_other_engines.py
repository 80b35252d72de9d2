"""Engines that are not Debian's on this processor: of a context, on arm64, with another version of the API."""

import base64
import hashlib
import json
import os
import sys
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace

import demo
import pytest
from launch.aws.image_configs import INDEXES, MEDIA_TYPES
from launch.aws.registry import Registry
from launch.cli.errors import JobFailed, UsageError
from launch.local import attached, images
from stand_ins import PLATFORM, REQUEST, server_of

CONTAINER = {
    "Id": "c0ffee",
    "Config": {"Tty": False},
    "Name": "/brief",
    "HostConfig": {"LogConfig": {"Type": "json-file"}},
    **PLATFORM,
}
EMULATE = (
    "This Docker engine, on arm64, runs no image for linux/amd64: have it emulate that by `docker run --privileged "
    "--rm tonistiigi/binfmt --install amd64`, or in Docker Desktop by Rosetta (Settings, General)."
)


# --- Contexts --------------------------------------------------------------------------------------------------------
@pytest.fixture
def context(tmp_path, monkeypatch):
    """Write a context as `docker context create` does, and choose it as `docker context use` does."""
    folder = tmp_path / "docker"
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)

    def write(name: str, host: str) -> None:
        meta = folder / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
        meta.parent.mkdir(parents=True)
        endpoints = {"docker": {"Host": host, "SkipTLSVerify": False}}
        meta.write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoints}))
        (folder / "config.json").write_text(json.dumps({"currentContext": name}))

    return write


def test_the_engine_is_that_of_the_current_context(fake_engine, context, monkeypatch, tmp_path):
    _, requests = fake_engine
    address = os.environ["DOCKER_HOST"]
    context("desktop-linux", address)
    monkeypatch.setenv("DOCKER_HOST", "")
    images.connect()
    assert requests == [("GET", "/version"), ("GET", "/v1.43/_ping")]
    context("colima", "unix:///nowhere.sock")
    sentence = (
        "No Docker engine answers at unix:///nowhere.sock, of Docker's context colima, expected one that is running."
    )
    with pytest.raises(UsageError, match=f"^{sentence}$"):
        images.connect()
    monkeypatch.setenv("DOCKER_CONTEXT", "desktop-linux")
    images.connect()
    assert len(requests) == 4
    monkeypatch.setenv("DOCKER_CONTEXT", "absent")
    with pytest.raises(UsageError, match=r"^The context absent of DOCKER_CONTEXT is not there, expected one that "):
        images.connect()
    monkeypatch.setenv("DOCKER_HOST", address)  # comes first, as for `docker`
    images.connect()
    assert len(requests) == 6
    monkeypatch.setenv("DOCKER_HOST", "")
    monkeypatch.setenv("DOCKER_CONTEXT", "")
    for meta in tmp_path.rglob("meta.json"):
        meta.write_text("{")
    with pytest.raises(UsageError, match=r"^The Docker context cannot be read: .*colima"):
        images.connect()
    for meta in tmp_path.rglob("meta.json"):
        meta.unlink()
    with pytest.raises(UsageError, match=r"^The current Docker context is not there, expected one that "):
        images.connect()


# --- arm64 -----------------------------------------------------------------------------------------------------------
def framed(text: bytes) -> bytes:
    """Return what a container printed as the engine sends it."""
    return b"\x01\0\0\0" + len(text).to_bytes(4, "big") + text


@pytest.fixture
def arm64(fake_engine):
    """An engine on arm64 that has the images, for amd64, and emulates that; what it was asked."""
    answers, requests = fake_engine
    answers["GET", "/version"] = (200, {"ApiVersion": "1.43", "Os": "linux", "Arch": "arm64"})
    answers["GET", "/json"] = (200, CONTAINER)  # of images and containers
    answers["POST", "/containers/create"] = (201, {"Id": "c0ffee"})
    for action in ("start", "stop"):
        answers["POST", f"/containers/c0ffee/{action}"] = (204, None)
    answers["GET", "/containers/c0ffee/logs"] = (200, b"")
    answers["POST", "/containers/c0ffee/wait"] = (200, {"StatusCode": 0})
    answers["DELETE", "/containers/c0ffee"] = (204, None)
    return SimpleNamespace(
        answers=answers, asked=requests.asked, of=lambda end: [each for each in requests.asked if each.path == end]
    )


def test_an_engine_that_emulates_is_told_the_platform(arm64, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 1000)  # whose files a container of the image hands over
    engine = attached.make_engine("docker")
    (probe,) = arm64.of("/containers/create")
    assert json.loads(probe.body)["Entrypoint"] == ["true"]
    assert arm64.asked[-1].method == "DELETE"
    arm64.answers["GET", "/containers/c0ffee/logs"] = (200, framed(b"trained\n"))
    lines: list[str] = []
    attached.run_training_job(engine, REQUEST, tmp_path / "run", lines.append)
    assert lines == ["trained"]
    created = arm64.of("/containers/create")
    assert [each.query["platform"] for each in created] == ["linux/amd64"] * 3
    assert [json.loads(each.body)["Cmd"] for each in created][1] == ["train"]
    assert json.loads(created[2].body)["Entrypoint"] == ["chown"]


@pytest.mark.parametrize("at_start", [True, False])
def test_the_demo_on_an_engine_that_does_not_emulate(arm64, tmp_path, monkeypatch, at_start):
    """runc refuses to start the program; older engines start it, and it prints the kernel's answer."""
    if at_start:
        reason = "failed to create task: OCI runtime create failed: exec /usr/bin/true: exec format error: unknown"
        arm64.answers["POST", "/containers/c0ffee/start"] = (400, {"message": reason})
    else:
        arm64.answers["GET", "/containers/c0ffee/logs"] = (200, framed(b"exec /usr/bin/true: exec format error\n"))
    monkeypatch.setattr(sys, "argv", ["demo.py", "--engine", "docker", "--runs", str(tmp_path / "runs")])
    with pytest.raises(UsageError) as caught:
        demo.main()
    assert str(caught.value) == EMULATE
    assert arm64.asked[-2].method == "DELETE"  # after it the version is asked
    assert not (tmp_path / "runs").exists()


def test_images_of_its_own_processor_are_refused(arm64):
    arm64.answers["GET", "/json"] = (200, {**CONTAINER, "Architecture": "arm64"})
    sentence = (
        r"^Image mountain-car-training:latest is for linux/arm64, expected linux/amd64: build it with `make images`\.$"
    )
    with pytest.raises(UsageError, match=sentence):
        attached.make_engine("docker")
    with pytest.raises(UsageError, match="build it with `docker build --platform linux/amd64`"):
        images.check_platform(images.connect().images.get("mine:1"), "mine:1")
    assert not arm64.of("/containers/create")


def test_a_build_on_an_engine_that_does_not_emulate(arm64):
    arm64.answers["GET", "/json"] = (200, {"Id": "b", "Size": 1, **PLATFORM})
    failed = "The command '/bin/sh -c apt-get update' returned a non-zero code: 255"
    arm64.answers["POST", "/build"] = (200, [{"stream": "exec /bin/sh: exec format error\n"}, {"error": failed}])
    with pytest.raises(JobFailed) as caught:
        images.build(images.connect(), "training", say=lambda line: None)
    assert str(caught.value) == f"The training image cannot be built. {EMULATE}"
    (asked,) = arm64.of("/build")
    assert asked.query["platform"] == "linux/amd64"


# --- Pushes ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def clients():
    token = base64.b64encode(b"AWS:password").decode()
    data = [{"authorizationToken": token, "proxyEndpoint": "https://ecr"}]
    return SimpleNamespace(ecr=SimpleNamespace(get_authorization_token=lambda: {"authorizationData": data}))


@pytest.mark.parametrize(("version", "platform"), [("1.45", None), ("1.46", {"os": "linux", "architecture": "amd64"})])
def test_what_is_pushed_is_one_manifest(fake_engine, clients, version, platform):
    """Where the engine can choose it; where it cannot, and has pushed an index with attestations, that is refused."""
    answers, requests = fake_engine
    answers["GET", "/version"] = (200, {"ApiVersion": version, "Arch": "amd64"})
    answers["GET", "/json"] = (200, {"Id": "i", **PLATFORM})
    answers["POST", "/tag"] = (201, None)
    answers["POST", "/push"] = (200, [{"aux": {"Tag": "v1", "Digest": "sha256:1", "Size": 3}}])
    descriptor = {"mediaType": MEDIA_TYPES[1], "digest": "sha256:1"}
    answers["GET", "/distribution/ecr/mountain-car-serving:v1/json"] = (200, {"Descriptor": descriptor})
    target = Registry(images.connect(), clients)
    assert target.push("mountain-car-serving:abc", "serving", "v1") == "sha256:1"
    (pushed,) = (each for each in requests.asked if each.path.endswith("/push"))
    assert json.loads(pushed.query.get("platform", "null")) == platform
    assert [each for each in requests.asked if "platform" in each.query] == [pushed] * bool(platform)
    for descriptor["mediaType"] in INDEXES:
        with pytest.raises(UsageError, match=r"^ecr/mountain-car-serving:v1 is an index of manifests, but SageMaker"):
            target.push("mountain-car-serving:abc", "serving", "v1")
    answers["GET", "/distribution/ecr/mountain-car-serving:v1/json"] = (404, {"message": "manifest unknown"})
    with pytest.raises(JobFailed, match=r"^ecr/mountain-car-serving:v1 is not in the registry, although it was pushed"):
        target.push("mountain-car-serving:abc", "serving", "v1")


def test_an_engine_that_cannot_ask_a_registry(fake_engine, clients):
    """As Podman, which has no such request, and does not say what it has pushed: the registry is asked itself."""
    answers, _ = fake_engine
    asked = []

    class Manifests(BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append((self.path, self.headers["Authorization"], self.headers["Accept"]))
            status = {"v1": 200, "v2": 404, "v3": 401}[self.path.rpartition("/")[2]]
            self.send_response(status)
            self.send_header("Content-Type", MEDIA_TYPES[0])
            self.send_header("Docker-Content-Digest", "sha256:1")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with server_of(Manifests) as url:
        address = url.removeprefix("http://")
        for tag in ("v1", "v2", "v3"):
            end = f"/distribution/{address}/mirror/mountain-car-serving:{tag}/json"
            answers["GET", end] = (404, "Not Found")
        target = Registry(images.connect(), clients, f"{address}/mirror")
        assert [target.digest("serving", tag) for tag in ("v1", "v2")] == ["sha256:1", None]
        with pytest.raises(JobFailed, match=rf"^{address}/mirror cannot be asked about .*:v3: 401 Client Error"):
            target.digest("serving", "v3")
    login = f"Basic {base64.b64encode(b'AWS:password').decode()}"
    assert asked[0] == ("/v2/mirror/mountain-car-serving/manifests/v1", login, ", ".join(MEDIA_TYPES))
