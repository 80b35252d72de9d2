"""What is asked of a Docker engine: containers, networks, builds, pushes; the engine is a small fake of its API."""

import base64
import io
import json
import re
import sys
import tarfile
from types import SimpleNamespace

import pytest
from launch import project
from launch.aws import registry
from launch.aws.registry import Registry
from launch.cli.errors import JobFailed, UsageError
from launch.local import host_network, images, labels
from launch.local.docker_engine import DockerEngine
from launch.local.engine_choice import choose_engine
from launch.local.engines import ContainerSettings
from stand_ins import PLATFORM

IMAGE = "my-image:1"
CONTAINER = {
    "Id": "c0ffee",
    "Config": {"Tty": False, "Labels": {}},
    "Name": "/brief",
    "State": {"Status": "running"},
    **PLATFORM,
}


@pytest.fixture
def engine(fake_engine):
    """The answers of an engine that has all images, and what it was asked."""
    answers, requests = fake_engine
    answers["GET", "/json"] = (200, CONTAINER)  # of images and containers
    answers["POST", "/containers/create"] = (201, {"Id": "c0ffee"})
    for action in ("start", "stop"):
        answers["POST", f"/containers/c0ffee/{action}"] = (204, None)
    answers["DELETE", "/containers/c0ffee"] = (204, None)
    return SimpleNamespace(
        answers=answers, asked=requests.asked, of=lambda end: [each for each in requests.asked if each.path == end]
    )


def created(engine) -> tuple[str, dict]:
    (request,) = engine.of("/containers/create")
    return request.query["name"], json.loads(request.body)


def framed(*chunks: bytes) -> bytes:
    """Return what a container printed as the engine sends it."""
    return b"".join(b"\x01\0\0\0" + len(chunk).to_bytes(4, "big") + chunk for chunk in chunks)


# --- Containers ------------------------------------------------------------------------------------------------------
def test_a_training_container_on_the_bridge(engine, tmp_path):
    settings = ContainerSettings("algo-1", "bridge", {}, {"A": "1"})
    docker_engine = DockerEngine("train-image:1", "serve-image:1", {"mine": "yes"})
    docker_engine.train(tmp_path, "brief", settings)
    name, body = created(engine)
    assert re.fullmatch("brief-[0-9a-f]{6}", name), "another checkout on this machine may have one of the same name"
    assert (body["Image"], body["Cmd"], body["Hostname"]) == ("train-image:1", ["train"], "algo-1")
    assert (body["Env"], body["Labels"]) == (["A=1"], {"mine": "yes"})
    assert body["HostConfig"]["Binds"] == [f"{tmp_path}:/opt/ml:rw"]
    assert body["HostConfig"]["NetworkMode"] == "bridge"
    assert body["HostConfig"]["ExtraHosts"] == ["host.docker.internal:host-gateway"]
    assert engine.asked[-1].path == "/containers/c0ffee/start"


def test_a_training_container_without_a_network(engine, tmp_path):
    DockerEngine(IMAGE, IMAGE).train(tmp_path, "brief", ContainerSettings())
    _, body = created(engine)
    assert (body["HostConfig"]["NetworkMode"], body["Hostname"]) == ("none", "algo-1")
    assert body["HostConfig"]["ExtraHosts"] == ["algo-1:127.0.0.1"]


def test_training_containers_of_one_job_know_each_other(engine, tmp_path):
    addresses = {"algo-1": "10.0.0.2", "algo-2": "10.0.0.3"}
    DockerEngine(IMAGE, IMAGE).train(tmp_path, "brief", ContainerSettings("algo-2", "net-1", addresses))
    _, body = created(engine)
    assert body["HostConfig"]["NetworkMode"] == "net-1"
    assert {"algo-1:10.0.0.2", "algo-2:10.0.0.3"} <= set(body["HostConfig"]["ExtraHosts"])
    endpoint = body["NetworkingConfig"]["EndpointsConfig"]["net-1"]
    assert endpoint["IPAMConfig"] == {"IPv4Address": "10.0.0.3"}


def test_a_serving_container_and_its_address(engine, tmp_path):
    port = {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "32768"}]}
    engine.answers["GET", "/json"] = (200, {**CONTAINER, "NetworkSettings": {"Ports": port}})
    docker_engine = DockerEngine("train-image:1", "serve-image:1")
    workload, url = docker_engine.serve(tmp_path, "brief", {"A": "1"})
    assert url == "http://127.0.0.1:32768"
    _, body = created(engine)
    assert (body["Image"], body["Cmd"], body["Env"]) == ("serve-image:1", ["serve"], ["A=1"])
    assert body["HostConfig"]["Binds"] == [f"{tmp_path}/model:/opt/ml/model:ro"]
    assert body["HostConfig"]["PortBindings"] == {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}
    engine.answers["POST", "/containers/c0ffee/wait"] = (200, {"StatusCode": 3})
    engine.answers["GET", "/containers/c0ffee/logs"] = (200, framed(b"one\ntw", b"\xffo\nno end"))
    assert list(workload.lines()) == ["one", "tw\ufffdo", "no end"]
    assert workload.wait() == 3
    workload.stop(7)
    assert engine.asked[-2].path == "/containers/c0ffee/stop"
    assert engine.asked[-2].query["t"] == "7"
    assert (engine.asked[-1].method, engine.asked[-1].query["force"]) == ("DELETE", "True")


def test_a_serving_container_that_has_ended_already(engine, tmp_path):
    engine.answers["GET", "/json"] = (200, {**CONTAINER, "NetworkSettings": {"Ports": {}}})
    _, url = DockerEngine(IMAGE, IMAGE).serve(tmp_path, "brief")
    assert url == "http://127.0.0.1:0"


def test_a_container_that_cannot_be_removed_is_named(engine, tmp_path, capsys):
    workload = DockerEngine(IMAGE, IMAGE).train(tmp_path, "brief")
    engine.answers["DELETE", "/containers/c0ffee"] = (500, {"message": "device or resource busy"})
    workload.stop()
    assert "Container brief may be left: docker rm -f brief (" in capsys.readouterr().out
    assert [each.query["t"] for each in engine.of("/containers/c0ffee/stop")] == ["30"]


@pytest.mark.parametrize("answers", [True, False])
def test_the_engine_of_an_image(engine, monkeypatch, capsys, answers):
    monkeypatch.delenv("RL_LOCAL_ENGINE", raising=False)
    engine.answers["GET", "/images/json"] = (200, [{"Id": "i"}] if answers else [])
    if answers:
        assert choose_engine(IMAGE) == "docker"
    else:
        with pytest.raises(
            UsageError,
            match=r"^Image my-image:1 is not on this Docker engine: docker pull --platform linux/amd64 my-image:1\.$",
        ):
            choose_engine(IMAGE)
        with pytest.raises(UsageError, match=r"mountain-car-serving:latest .*: build it with `make images`"):
            choose_engine("mountain-car-serving:latest")
    monkeypatch.setenv("RL_LOCAL_ENGINE", "process")
    assert choose_engine(IMAGE) == "process"
    monkeypatch.setenv("RL_LOCAL_ENGINE", "podman")
    with pytest.raises(UsageError, match=r"^RL_LOCAL_ENGINE is 'podman', expected docker or process\.$"):
        choose_engine(IMAGE)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    monkeypatch.setenv("RL_LOCAL_ENGINE", "")
    with pytest.raises(UsageError, match="No Docker engine answers"):
        choose_engine(IMAGE)
    assert choose_engine("mountain-car-training:latest") == "process"
    assert "its entry point runs as a process" in capsys.readouterr().err
    monkeypatch.setenv("RL_LOCAL_ENGINE", "docker")
    with pytest.raises(UsageError, match=r"^No Docker engine answers at unix:///nowhere\.sock"):
        choose_engine("mountain-car-training:latest")


# --- Networks --------------------------------------------------------------------------------------------------------
def test_one_host_needs_no_network_of_its_own():
    for isolated, name in ((True, "none"), (False, "bridge")):
        with host_network.host_network("brief", ["algo-1"], isolated, {}) as network:
            assert network == (name, {})


def test_several_hosts_have_addresses_in_a_network_of_their_own(engine):
    pool = {"IPAM": {"Config": [{"Subnet": "10.1.0.0/29", "Gateway": "10.1.0.1"}]}}
    engine.answers["POST", "/networks/create"] = (201, {"Id": "n1"})
    engine.answers["GET", "/networks/n1"] = (200, {"Id": "n1", "Name": "brief-123456", **pool})
    engine.answers["DELETE", "/networks/n1"] = (204, None)
    with host_network.host_network("brief", ["algo-1", "algo-2"], True, {"mine": "1"}) as (name, addresses):
        assert name == "brief-123456"
        assert addresses == {"algo-1": "10.1.0.2", "algo-2": "10.1.0.3"}
        removed = [each for each in engine.asked if each.method == "DELETE"]
        assert len(removed) == 1
    first, second = (json.loads(each.body) for each in engine.of("/networks/create"))
    assert (first["Internal"], first["Labels"]) == (True, {"mine": "1"})
    assert second["IPAM"]["Config"][0]["Subnet"] == "10.1.0.0/29"
    assert engine.asked[-1].method == "DELETE"


def test_what_killed_jobs_have_left_is_removed(engine, monkeypatch, tmp_path, capsys):
    """By its labels: what has no owner, or one that is alive, stays."""
    monkeypatch.setenv("RL_RUNS", str(tmp_path))
    alive = labels.of_job()[labels.OWNER]
    dead = f"{alive}1"
    found = {"dead": {labels.OWNER: dead}, "alive": {labels.OWNER: alive}, "none": {labels.ENDPOINT: "cars"}}
    engine.answers["GET", "/containers/json"] = (200, [{"Id": name} for name in found])
    engine.answers["GET", "/networks"] = (200, [{"Id": name, "Labels": each} for name, each in found.items()])
    for name, each in found.items():
        described = {**CONTAINER, "Id": name, "Name": f"/{name}", "Config": {"Labels": each}}
        engine.answers["GET", f"/containers/{name}/json"] = (200, described)
        engine.answers["DELETE", f"/containers/{name}"] = (204, None)
        engine.answers["DELETE", f"/networks/{name}"] = (204, None)
    labels.remove_leftovers()
    assert [each.path for each in engine.asked if each.method == "DELETE"] == ["/containers/dead", "/networks/dead"]
    assert capsys.readouterr().err == "Removed container dead, which a killed process had left\n"
    (listed,) = engine.of("/containers/json")
    assert json.loads(listed.query["filters"]) == {"label": [f"{labels.RUNS}={tmp_path}"]}
    assert listed.query["all"] == "1"
    assert labels.filter_of_endpoint("cars")["label"] == [f"{labels.RUNS}={tmp_path}", f"{labels.ENDPOINT}=cars"]
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    labels.remove_leftovers()


# --- Builds ----------------------------------------------------------------------------------------------------------
def test_a_build_of_an_image(engine, monkeypatch, tmp_path):
    (tmp_path / "ca.pem").write_text("CERTIFICATE")
    monkeypatch.setattr(images, "git_revision", lambda: "abc-dirty")
    engine.answers["GET", "/images/base:1/json"] = (200, {"Id": "b", "Size": 70_000_000, **PLATFORM})
    engine.answers["GET", "/images/mountain-car-serving:latest/json"] = (
        200,
        {"Id": "s", "Size": 100_000_000, **PLATFORM},
    )
    engine.answers["POST", "/tag"] = (201, None)
    engine.answers["POST", "/build"] = (
        200,
        [{"stream": "Step 1/2 : FROM\nnoise\n"}, {"stream": "[2/2] STEP 2/2: RUN"}],
    )
    said: list[str] = []
    client = images.connect()
    built = images.build(client, "serving", "base:1", tmp_path / "ca.pem", said.append, ["cached:1"])
    assert built == images.BuiltImage("mountain-car-serving:latest", 30_000_000)
    assert said == ["[serving] Step 1/2 : FROM", "[serving] [2/2] STEP 2/2: RUN"], "Docker's and Podman's"
    (asked,) = engine.of("/build")
    assert asked.query["dockerfile"] == "docker/serving/Dockerfile"
    assert (asked.query["t"], json.loads(asked.query["cachefrom"])) == ("mountain-car-serving:latest", ["cached:1"])
    assert json.loads(asked.query["buildargs"]) == {"BASE_IMAGE": "base:1", "GIT_REVISION": "abc-dirty"}
    assert asked.query["platform"] == images.PLATFORM
    assert (asked.query["rm"], asked.query["forcerm"]) == ("True", "True")
    with tarfile.open(fileobj=io.BytesIO(asked.body)) as tar:
        assert tar.extractfile("docker/ca-bundle.pem").read() == b"CERTIFICATE"
        assert "container_src/train-coach.py" in tar.getnames()
        assert not [name for name in tar.getnames() if "__pycache__" in name]
        assert {(each.mtime, each.uid, each.gid, each.uname, each.gname) for each in tar} == {(0, 0, 0, "", "")}
    (tagged,) = (each for each in engine.asked if each.path.endswith("/tag"))
    assert (tagged.query["repo"], tagged.query["tag"]) == ("mountain-car-serving", "abc-dirty")
    assert images.build_stage(client, "serving", "base:1", None, said.append) == "mountain-car-serving:build-stage"
    asked = engine.of("/build")[1]
    assert (asked.query["target"], asked.query["t"]) == ("build", "mountain-car-serving:build-stage")
    assert json.loads(asked.query["buildargs"]) == {"BASE_IMAGE": "base:1"}


def test_a_build_that_fails_ends_with_its_last_lines(engine):
    engine.answers["GET", "/json"] = (200, {"Id": "b", "Size": 1, **PLATFORM})
    events = [{"stream": f"line {number}\n"} for number in range(20)]
    engine.answers["POST", "/build"] = (200, [*events, {"error": "no space left"}])
    said: list[str] = []
    with pytest.raises(JobFailed) as caught:
        images.build(images.connect(), "training", say=said.append)
    first, *lines = str(caught.value).splitlines()
    assert first == "The training image cannot be built: no space left"
    assert lines == [*(f"line {number}" for number in range(6, 20)), "no space left"]
    assert said == ["[training] no space left"]
    engine.answers["POST", "/build"] = (500, {"message": "bad Dockerfile"})
    with pytest.raises(JobFailed, match=r"^The training image cannot be built: bad Dockerfile\nbad Dockerfile$"):
        images.build(images.connect(), "training", say=said.append)


def test_the_certificates_of_a_build(monkeypatch, tmp_path):
    for name in images.CA_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert images.find_ca_bundle(None) is None
    first, second = tmp_path / "one.pem", tmp_path / "two.pem"
    second.touch()
    monkeypatch.setenv("PIP_CERT", str(first))
    monkeypatch.setenv("SSL_CERT_FILE", str(second))
    assert images.find_ca_bundle(None) == second
    first.touch()
    assert images.find_ca_bundle(None) == first
    assert images.find_ca_bundle(second) == second
    with pytest.raises(UsageError, match="expected a file of certificates in PEM form"):
        images.find_ca_bundle(tmp_path)


def test_a_base_image_that_is_missing_is_pulled(engine):
    engine.answers.pop(("GET", "/json"))
    engine.answers["POST", "/images/create"] = (500, {"message": "no such host"})
    said: list[str] = []
    with pytest.raises(JobFailed, match=r"^Base image mine:1 cannot be pulled: no such host\.$"):
        images.ensure_base_image(images.connect(), "mine:1", said.append)
    assert said == ["Pulling mine:1"]
    assert engine.of("/images/create")[0].query == {"tag": "1", "fromImage": "mine", "platform": images.PLATFORM}


# --- The registry ----------------------------------------------------------------------------------------------------
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.fixture
def target(engine) -> Registry:
    token = base64.b64encode(b"AWS:pass:word").decode()
    data = [{"authorizationToken": token, "proxyEndpoint": f"https://{ECR}"}]
    clients = SimpleNamespace(ecr=SimpleNamespace(get_authorization_token=lambda: {"authorizationData": data}))
    engine.answers["POST", "/tag"] = (201, None)
    pushed = {"Descriptor": {"digest": "sha256:1"}, "Platforms": []}
    engine.answers["GET", f"/distribution/{ECR}/mountain-car-training:v1/json"] = (200, pushed)
    made = Registry(images.connect(), clients)
    assert Registry(images.connect(), clients, "localhost:5000/mirror").address == "localhost:5000/mirror"
    for address in ("https://x", "x/", "UPPER/Case", "-x", "x:123456"):
        with pytest.raises(UsageError, match=f"^--registry is '{address}', expected HOST"):
            Registry(images.connect(), clients, address)
    return made


def test_an_image_is_pushed_under_its_tag(engine, target):
    repository = f"{ECR}/mountain-car-training"
    events = [
        {"id": "a", "status": "Pushing", "progressDetail": {"current": 1, "total": 4}},
        {"id": "a", "status": "Pushed", "progressDetail": {}},
        {"status": "done", "aux": {"Tag": "v1", "Digest": "sha256:1", "Size": 3}},
        {"status": "after"},
    ]
    engine.answers["POST", "/push"] = (200, events)
    assert target.push("mountain-car-training:abc", "training", "v1") == "sha256:1"
    (tagged,) = (each for each in engine.asked if each.path.endswith("/tag"))
    assert (tagged.query["repo"], tagged.query["tag"]) == (repository, "v1")
    (pushed,) = (each for each in engine.asked if each.path.endswith("/push"))
    assert pushed.path == f"/images/{repository}/push"
    assert pushed.query["tag"] == "v1"
    login = json.loads(base64.urlsafe_b64decode(pushed.headers["X-Registry-Auth"]))
    assert (login["username"], login["password"]) == ("AWS", "pass:word")
    engine.answers["POST", "/push"] = (200, [{"error": "denied: too large.\n"}])
    with pytest.raises(JobFailed, match=r"training:v1 cannot be pushed: denied: too large\.$"):
        target.push("mountain-car-training:abc", "training", "v1")
    engine.answers["POST", "/push"] = (500, {"message": "it is\nbusy."})
    with pytest.raises(JobFailed, match=r"training:v1 cannot be pushed: it is busy\.$"):
        target.push("mountain-car-training:abc", "training", "v1")


def test_a_terminal_shows_how_much_of_an_image_is_pushed(engine, target, monkeypatch):
    """Of all layers together; one that the registry has already has no size, and one may tell more than its size."""
    shown: list[tuple[int, int]] = []

    class Recorded(registry.tqdm):
        def update(self, n: float = 1) -> None:
            super().update(n)
            shown.append((self.n, self.total))

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(registry, "tqdm", Recorded)
    monkeypatch.setattr(sys, "stderr", Terminal())
    events = [
        {"status": "The push refers to"},
        {"id": "a", "status": "Pushing", "progressDetail": {"total": 4}},  # of containerd's image store
        {"id": "a", "status": "Pushing", "progressDetail": {"current": 1, "total": 4}},
        {"id": "b", "status": "Pushing", "progressDetail": {"current": 30, "total": 20}},
        {"id": "c", "status": "Layer already exists", "progressDetail": {}},
        {"id": "a", "status": "Pushing", "progressDetail": {"current": 3, "total": 4}},
        {"id": "a", "status": "Pushed", "progressDetail": {}},
        {"id": "d", "status": "Pushed"},
    ]
    engine.answers["POST", "/push"] = (200, events)
    target.push("mountain-car-training:abc", "training", "v1")
    assert shown == [(0, 0), (0, 4), (1, 4), (21, 24), (21, 24), (23, 24), (24, 24), (24, 24)]


def test_the_digest_of_a_tag_in_the_registry(engine, target):
    end = f"/distribution/{ECR}/mountain-car-serving:v1/json"
    engine.answers["GET", end] = (200, {"Descriptor": {"digest": "sha256:2"}, "Platforms": []})
    assert target.digest("serving", "v1") == "sha256:2"
    engine.answers["GET", end] = (404, {"message": "not found"})
    assert target.digest("serving", "v1") is None
    engine.answers["GET", end] = (403, {"message": "no basic auth credentials"})
    with pytest.raises(JobFailed, match=rf"^{ECR} cannot be asked about {ECR}/mountain-car-serving:v1: no basic auth"):
        target.digest("serving", "v1")


def test_layers_that_cannot_be_pulled_are_built(engine, target, capsys):
    engine.answers["POST", "/images/create"] = (200, [{"status": "Pulling"}])
    name = f"{ECR}/mountain-car-{project.KINDS[1]}:cache"
    assert target.pull("serving", "cache") == name
    assert engine.of("/images/create")[0].query["tag"] == "cache"
    engine.answers["POST", "/images/create"] = (404, {"message": "not found."})
    assert target.pull("serving", "cache") is None
    assert capsys.readouterr().out == f"No {name} to take layers from: not found\n"
