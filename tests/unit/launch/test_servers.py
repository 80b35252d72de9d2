"""The servers of this machine's endpoints: containers of a fake engine, and processes of this machine."""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace

import pytest
from launch.aws.storage import Storage
from launch.cli.errors import JobFailed
from launch.local import docker_engine, labels, records, servers
from launch.local.clients import LocalClients
from launch.local.docker_engine import DockerEngine
from launch.local.engines import ContainerSettings
from launch.local.ml_tree import pack
from launch.local.process_engine import ProcessEngine
from launch.local.records import ENDPOINTS, Deployment
from stand_ins import PLATFORM, server_of

CONTAINER = {
    "Id": "c0ffee",
    "Config": {"Tty": True, "Labels": {}},
    "HostConfig": {"LogConfig": {"Type": "none"}},
    "Name": "/cars-3-a1b2c3",
}


@pytest.fixture
def engine(fake_engine, monkeypatch, tmp_path):
    """An engine with all images, and one container; ``state`` is the container's."""
    monkeypatch.setenv("RL_RUNS", str(tmp_path / "runs"))
    answers, requests = fake_engine
    made = SimpleNamespace(answers=answers, asked=requests.asked)

    def state(status: str) -> None:
        ports = {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "32768"}]}
        described = {**CONTAINER, "State": {"Status": status}, "NetworkSettings": {"Ports": ports}}
        answers["GET", "/containers/c0ffee/json"] = answers["GET", "/containers/cars-3/json"] = (200, described)

    answers["GET", "/images/my-image:1/json"] = answers["GET", "/images/i/json"] = (200, {"Id": "i", **PLATFORM})
    answers["GET", "/images/json"] = (200, [{"Id": "i"}])
    answers["POST", "/containers/create"] = (201, {"Id": "c0ffee"})
    for action in ("start", "stop"):
        answers["POST", f"/containers/c0ffee/{action}"] = (204, None)
    answers["DELETE", "/containers/c0ffee"] = (204, None)
    answers["GET", "/containers/c0ffee/logs"] = (200, b"one\ntw\xff\n")
    made.state, made.done = state, lambda: [(each.method, each.path, each.query) for each in made.asked]
    state("running")
    return made


def deployment(**fields) -> Deployment:
    made = servers.new("one", 3)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def model(tmp_path) -> dict:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/policy.json").write_text("{}")
    pack([tmp_path / "model"], tmp_path / "model.tar.gz")
    address = f"file://{tmp_path}/model.tar.gz"
    return {"Image": "my-image:1", "ModelDataUrl": address, "Environment": {"A": "1", "SAGEMAKER_RL_PAGE": "0"}}


# --- Containers ------------------------------------------------------------------------------------------------------
def test_a_deployment_is_started_in_a_container(engine, monkeypatch, model):
    monkeypatch.setenv("RL_LOCAL_ENGINE", "docker")
    folder = records.folder_of(ENDPOINTS, "cars") / "3"
    folder.mkdir(parents=True)
    (folder / "left").touch()  # by an update that could not be started
    started = deployment()
    servers.start("cars", started, model, Storage(LocalClients("eu-west-1")))
    assert (started.url, started.container, started.process) == ("http://127.0.0.1:32768", "cars-3-a1b2c3", None)
    (created,) = (each for each in engine.asked if each.path == "/containers/create")
    body = json.loads(created.body)
    assert created.query["name"].startswith("cars-3-")
    assert body["HostConfig"]["Binds"] == [f"{folder}/ml/model:/opt/ml/model:ro"]
    assert body["Labels"] == labels.of_endpoint("cars")
    assert sorted(body["Env"]) == ["A=1", "SAGEMAKER_RL_PAGE=0"]
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) == [
        "ml",
        "ml/model",
        "ml/model/policy.json",
    ]


@pytest.mark.parametrize(("status", "runs"), [("running", True), ("exited", False), ("created", False)])
def test_a_container_runs_by_its_status(engine, status, runs):
    engine.state(status)
    assert servers.is_running(deployment(container="cars-3")) == runs
    assert servers.log_lines(deployment(container="cars-3")) == ["one", "tw\ufffd"]


def test_a_container_that_is_gone(engine):
    gone = deployment(container="gone")
    assert not servers.is_running(gone)
    assert servers.log_lines(gone) == []
    servers.end(gone)
    servers.end(deployment())
    assert not servers.is_running(deployment())
    assert servers.log_lines(deployment()) == []
    assert not [each for each in engine.asked if each.method in ("POST", "DELETE")]


def test_a_container_is_stopped_and_removed(engine):
    servers.end(deployment(container="cars-3"))
    assert engine.done()[-2:] == [
        ("POST", "/containers/c0ffee/stop", {"t": "30"}),
        ("DELETE", "/containers/c0ffee", {"v": "False", "link": "False", "force": "True"}),
    ]


@pytest.mark.parametrize("kept", ["cars-3-a1b2c3", "another", None])
def test_containers_of_an_endpoint_are_ended_but_the_one_that_is_kept(engine, kept):
    engine.answers["GET", "/containers/json"] = (200, [{"Id": "c0ffee"}])
    engine.answers["GET", "/containers/cars-3-a1b2c3/json"] = engine.answers["GET", "/containers/c0ffee/json"]
    servers.end_others("cars", deployment(container=kept) if kept else None)
    (listed,) = (each for each in engine.asked if each.path == "/containers/json")
    assert json.loads(listed.query["filters"]) == labels.filter_of_endpoint("cars")
    assert listed.query["all"] == "1"
    is_removed = any(each.method == "DELETE" for each in engine.asked)
    assert is_removed == (kept != "cars-3-a1b2c3")


@pytest.mark.parametrize("operation", ["create", "c0ffee/start"])
def test_a_container_that_cannot_be_started_is_removed(engine, tmp_path, operation):
    engine.answers["POST", f"/containers/{operation}"] = (500, {"message": "mounts denied"})
    with pytest.raises(JobFailed, match=r"^Image my-image:1 cannot be run: mounts denied\.$"):
        DockerEngine("my-image:1", "my-image:1").train(tmp_path, "brief", ContainerSettings())
    removed = [each.query["force"] for each in engine.asked if each.method == "DELETE"]
    assert removed == ([] if operation == "create" else ["True"])


def test_a_server_that_cannot_be_looked_at_is_stopped(engine, tmp_path, monkeypatch):
    def fail(container) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(docker_engine.Container, "reload", fail)
    with pytest.raises(KeyboardInterrupt):
        DockerEngine("my-image:1", "my-image:1").serve(tmp_path, "brief")
    assert engine.asked[-1].method == "DELETE"


@pytest.mark.parametrize("user", [0, 1234])
def test_what_a_container_has_written_becomes_its_callers(engine, tmp_path, monkeypatch, user):
    workload = DockerEngine("my-image:1", "my-image:1").train(tmp_path, "brief", ContainerSettings())
    monkeypatch.setattr(os, "getuid", lambda: user)
    monkeypatch.setattr(os, "getgid", lambda: 56)
    engine.answers["POST", "/containers/c0ffee/wait"] = (200, {"StatusCode": 0})
    engine.asked.clear()
    workload.stop()
    created = [json.loads(each.body) for each in engine.asked if each.path == "/containers/create"]
    assert len(created) == bool(user)
    if user:
        assert (created[0]["Entrypoint"], created[0]["Cmd"]) == (["chown"], ["-R", "1234:56", "/opt/ml"])
        assert created[0]["HostConfig"]["Binds"] == [f"{tmp_path}:/opt/ml:rw"]
        assert created[0]["HostConfig"]["NetworkMode"] == "none"
    assert engine.asked[-1].method == "DELETE"


# --- Processes -------------------------------------------------------------------------------------------------------
def test_a_deployment_is_started_as_a_process(engine, monkeypatch, model):
    monkeypatch.setenv("RL_LOCAL_ENGINE", "process")
    program = "import os, time; print(os.environ['SAGEMAKER_BASE_DIR'], flush=True); time.sleep(60)"

    def server_command(environment):
        return ["-c", program], {**environment, "OWN": "1"}, "http://127.0.0.1:9"

    monkeypatch.setattr(ProcessEngine, "server_command", staticmethod(server_command))
    started = deployment()
    folder = records.folder_of(ENDPOINTS, "cars") / "3"
    servers.start("cars", started, model, Storage(LocalClients("eu-west-1")))
    assert started.process is not None
    try:
        assert (started.url, started.container) == ("http://127.0.0.1:9", None)
        assert servers.is_running(started)
        deadline = time.monotonic() + 30
        while not servers.log_lines(started):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert servers.log_lines(started) == [f"{folder}/ml"]
        assert started.log == f"{folder}/log"
        assert sorted(path.name for path in folder.iterdir()) == ["log", "ml"]
    finally:
        servers.end(started)
        os.waitpid(started.process.pid, 0)
    assert not servers.is_running(started)


def test_a_server_listens_where_it_is_told_to():
    command, variables, url = ProcessEngine.server_command({"A": "1"})
    assert command[-1] == "serve"
    assert variables == {
        "A": "1",
        "SAGEMAKER_BIND_TO_PORT": url.rpartition(":")[2],
        "SAGEMAKER_BIND_TO_HOST": "127.0.0.1",
    }
    assert url != ProcessEngine.server_command({})[2]


# --- Health and age --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("status", "healthy"), [(200, True), (201, False), (503, False)])
def test_a_server_is_healthy_by_its_answer(dead_proxy, status, healthy):
    class Pings(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/ping" else 404)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with server_of(Pings) as url:
        assert servers.is_healthy(deployment(url=url)) == healthy
    assert not servers.is_healthy(deployment(url=url))  # the port is closed now


def test_the_age_of_a_deployment():
    begun = datetime.now(UTC) - timedelta(minutes=5)
    assert 300 <= servers.age(deployment(started=begun.isoformat())) < 360
