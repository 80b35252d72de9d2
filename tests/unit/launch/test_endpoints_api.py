"""Endpoints of local mode through their states; what serves is an HTTP server of this process."""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler

import pytest
from botocore.exceptions import ClientError
from launch.aws.storage import Storage
from launch.local import endpoints_api, records, servers
from launch.local.clients import LocalClients, LocalSageMaker
from launch.local.logs_client import LocalLogs
from launch.local.process_id import ProcessId
from launch.local.records import ENDPOINTS, EndpointRecord
from stand_ins import server_of

THIS = ProcessId.of(os.getpid())
DEAD = ProcessId(THIS.pid, THIS.start_time + 1)
GROUP = "/aws/sagemaker/Endpoints/cars"


class Server(BaseHTTPRequestHandler):
    health = 200

    def do_GET(self):
        self.send_response(self.health)
        self.end_headers()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = 415 if body == b"bad" else 503 if body == b"busy" else 200
        self.send_response(status)
        self.send_header("Content-Type", "text/x")
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", "seen")
        self.end_headers()
        asked = [self.headers.get(name, "-") for name in ("Content-Type", "X-Amzn-SageMaker-Custom-Attributes")]
        self.wfile.write(f"{self.path} {' '.join(asked)} {body.decode()}".encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def sagemaker(monkeypatch, tmp_path):
    monkeypatch.setenv("RL_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("RL_LOCAL_ENGINE", "process")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    return LocalSageMaker(Storage(LocalClients()))


@pytest.fixture
def serving(sagemaker, monkeypatch, tmp_path):
    """Start a server for each deployment in the place of the image's; a model of the address ``bad`` has none."""
    ended, urls = [], {}

    def start(endpoint, deployment, container, storage):
        if container["ModelDataUrl"].endswith("bad"):
            raise OSError("cannot be started")
        deployment.url, deployment.process = urls["url"], urls.get("process", THIS)
        deployment.log = str(tmp_path / f"log-{deployment.version}")
        (tmp_path / f"log-{deployment.version}").write_text(f"version {deployment.version}\nof {deployment.config}\n")

    def end(deployment):
        ended.append(deployment.version)

    monkeypatch.setattr(servers, "start", start)
    monkeypatch.setattr(servers, "end", end)
    monkeypatch.setattr(servers, "end_others", lambda endpoint, kept: ended.append(("others", kept and kept.version)))
    (tmp_path / "model.tar.gz").touch()
    (tmp_path / "bad").touch()
    for name in ("one", "two", "bad"):
        url = f"file://{tmp_path}/{'bad' if name == 'bad' else 'model.tar.gz'}"
        sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn="arn:aws:iam::000000000000:role/r",
            PrimaryContainer={"Image": "i", "ModelDataUrl": url},
        )
        variant = {"VariantName": f"variant-{name}", "ModelName": name, "InstanceType": "local"}
        sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
        )
    with server_of(Server) as url:
        urls["url"] = url
        monkeypatch.setattr(Server, "health", 200)
        sagemaker.ended, sagemaker.urls = ended, urls
        yield sagemaker


def states(serving) -> tuple[str, str, str | None]:
    described = serving.describe_endpoint(EndpointName="cars")
    return described["EndpointStatus"], described["EndpointConfigName"], described.get("FailureReason")


def create(serving, config: str = "one") -> None:
    serving.create_endpoint(EndpointName="cars", EndpointConfigName=config)


def update(serving, config: str) -> None:
    serving.update_endpoint(EndpointName="cars", EndpointConfigName=config)


def test_an_endpoint_is_creating_until_it_is_healthy(serving, monkeypatch):
    monkeypatch.setattr(Server, "health", 503)
    create(serving)
    assert states(serving) == ("Creating", "one", None)
    with pytest.raises(ClientError, match="Endpoint cars of account local not found"):
        LocalClients().runtime.invoke_endpoint(EndpointName="cars", Body=b"1")
    monkeypatch.setattr(Server, "health", 200)
    assert states(serving) == ("InService", "one", None)
    (described,) = serving.list_endpoints(NameContains="car")["Endpoints"]
    assert described["EndpointArn"] == "arn:aws:sagemaker:local:000000000000:endpoint/cars"
    assert serving.list_endpoints(NameContains="carts")["Endpoints"] == []
    assert serving.ended == []


def test_an_update_takes_over_once_it_is_healthy(serving, monkeypatch):
    create(serving)
    assert states(serving) == ("InService", "one", None)
    monkeypatch.setattr(Server, "health", 503)
    update(serving, "two")
    assert states(serving) == ("Updating", "one", None)
    variants = serving.describe_endpoint(EndpointName="cars")["ProductionVariants"]
    assert variants == [{"VariantName": "variant-one", "CurrentInstanceCount": 1}]
    with pytest.raises(ClientError, match="cars is Updating"):
        update(serving, "two")
    assert serving.ended == []
    monkeypatch.setattr(Server, "health", 200)
    assert states(serving) == ("InService", "two", None)
    assert serving.ended == [1]
    update(serving, "one")
    assert states(serving) == ("InService", "one", None)
    assert serving.ended == [1, 2]
    assert records.read(ENDPOINTS, "cars").serving.version == 3


def test_an_update_that_fails_leaves_what_served_and_its_own_log(serving, monkeypatch):
    create(serving)
    assert states(serving)[0] == "InService"
    serving.urls["process"] = DEAD
    update(serving, "two")
    reason = "The container ended before it was healthy."
    assert states(serving) == ("InService", "one", reason)
    assert serving.ended == [("others", 1)]
    streams = LocalLogs().describe_log_streams(GROUP)["logStreams"]
    assert [each["logStreamName"] for each in streams] == ["AllTraffic/version-1", "AllTraffic/version-2"]
    read = LocalLogs().get_log_events(GROUP, "AllTraffic/version-2")
    assert [event["message"] for event in read["events"]] == ["version 2", "of two"]
    again = LocalLogs().get_log_events(GROUP, "AllTraffic/version-2", nextToken=read["nextForwardToken"])
    assert again == {"events": [], "nextForwardToken": read["nextForwardToken"]}
    serving.urls["process"] = THIS
    update(serving, "two")
    assert states(serving) == ("InService", "two", None)  # the next one is number 3, and its failure is forgotten
    streams = LocalLogs().describe_log_streams(GROUP)["logStreams"]
    assert [each["logStreamName"] for each in streams] == ["AllTraffic/version-3"]


def test_an_update_that_cannot_be_started_is_as_if_it_had_not_been_asked_for(serving):
    create(serving)
    assert states(serving)[0] == "InService"
    with pytest.raises(OSError, match="cannot be started"):
        update(serving, "bad")
    assert states(serving) == ("InService", "one", None)
    assert serving.ended == [("others", 1)]


def test_an_endpoint_that_cannot_be_started_is_not_there(serving):
    with pytest.raises(OSError, match="cannot be started"):
        create(serving, "bad")
    with pytest.raises(ClientError, match="there is no 'cars' on this machine"):
        states(serving)
    assert serving.ended[-1] == ("others", None)


@pytest.mark.parametrize(
    ("url", "starter", "process", "age", "expected"),
    [
        (None, THIS, None, 0, None),
        (None, DEAD, None, 0, "The process that started its container was killed."),
        ("http://127.0.0.1:9", THIS, DEAD, 0, "The container ended before it was healthy."),
        ("http://127.0.0.1:9", DEAD, THIS, 0, None),
        ("http://127.0.0.1:9", THIS, THIS, 60, None),
        ("http://127.0.0.1:9", THIS, THIS, 60.5, "The container was not healthy within 60 s."),
        (None, THIS, None, 61, None),
    ],
)
def test_when_a_creation_has_failed(serving, monkeypatch, url, starter, process, age, expected):
    deployment = servers.new("one", 1)
    deployment.url, deployment.starter, deployment.process = url, starter, process
    record = EndpointRecord({}, "arn", records.now(), "Creating", next=deployment)
    records.create(ENDPOINTS, "cars", record)
    monkeypatch.setattr(servers, "age", lambda deployment: age)
    monkeypatch.setattr(servers, "log_lines", lambda deployment: ["why"])
    settled = endpoints_api.settle(record, "cars")
    assert (settled.status, settled.failure) == ("Failed" if expected else "Creating", expected)
    assert (settled.next is None) == bool(expected)
    assert records.read(ENDPOINTS, "cars") == settled
    assert (settled.failed is not None) == bool(expected)


def test_an_endpoint_whose_process_has_ended_has_failed(serving):
    create(serving)
    assert states(serving)[0] == "InService"
    record = records.read(ENDPOINTS, "cars")
    record.serving.process = DEAD
    records.write(ENDPOINTS, "cars", record)
    assert states(serving) == ("Failed", "one", "The container has ended.")
    assert records.read(ENDPOINTS, "cars").status == "Failed"
    with pytest.raises(ClientError, match="cars is Failed"):
        update(serving, "two")


def test_deleting_an_endpoint_ends_what_serves_and_what_is_being_started(serving, monkeypatch):
    create(serving)
    assert states(serving)[0] == "InService"
    monkeypatch.setattr(Server, "health", 503)
    update(serving, "two")
    serving.delete_endpoint(EndpointName="cars")
    assert serving.ended == [1, 2, ("others", None)]
    with pytest.raises(ClientError, match="there is no 'cars'"):
        serving.delete_endpoint(EndpointName="cars")


def test_several_variants_are_refused(serving):
    variant = {"VariantName": "v", "ModelName": "one", "InstanceType": "local", "InitialInstanceCount": 1}
    with pytest.raises(ClientError, match="ProductionVariants are several, expected 1"):
        serving.create_endpoint_config(EndpointConfigName="x", ProductionVariants=[variant, variant])
    with pytest.raises(ClientError, match="there is no 'gone'"):
        serving.create_endpoint_config(EndpointConfigName="x", ProductionVariants=[{**variant, "ModelName": "gone"}])
    configs = serving.list_endpoint_configs(NameContains="o")["EndpointConfigs"]
    assert [each["EndpointConfigName"] for each in configs] == ["one", "two"]
    assert [each["ModelName"] for each in serving.list_models(NameContains="b")["Models"]] == ["bad"]


# --- Invoking --------------------------------------------------------------------------------------------------------
def test_an_invocation_and_its_errors(serving):
    create(serving)
    assert states(serving)[0] == "InService"
    runtime = LocalClients().runtime
    request = {"EndpointName": "cars", "ContentType": "a/b", "CustomAttributes": "output=actions"}
    answer = runtime.invoke_endpoint(Body="text", **request)
    assert answer["Body"].read() == b"/invocations a/b output=actions text"
    assert (answer["ContentType"], answer["CustomAttributes"]) == ("text/x", "seen")
    assert answer["InvokedProductionVariant"] == "variant-one"
    assert runtime.invoke_endpoint(EndpointName="cars", Body=b"b")["Body"].read() == b"/invocations - - b"
    for body, status, side in ((b"bad", 415, "client"), (b"busy", 503, "server")):
        with pytest.raises(ClientError, match=rf"Received {side} error \({status}\) from primary") as caught:
            runtime.invoke_endpoint(Body=body, **request)
        assert caught.value.response["Error"]["Code"] == "ModelError"
        assert caught.value.response["OriginalStatusCode"] == status
        assert caught.value.response["OriginalMessage"].endswith(body.decode())
    record = records.read(ENDPOINTS, "cars")
    record.serving.url = "http://127.0.0.1:9"
    records.write(ENDPOINTS, "cars", record)
    with pytest.raises(ClientError, match="The container does not answer") as caught:
        runtime.invoke_endpoint(Body=b"b", **request)
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"


# --- Processes -------------------------------------------------------------------------------------------------------
def test_all_servers_of_an_endpoint_are_ended_but_the_one_that_is_kept(sagemaker, tmp_path):
    """Those of another endpoint, whose name begins alike, go on."""
    processes = []
    for endpoint in ("cars", "cars", "cars-2"):
        environment = {**os.environ, "SAGEMAKER_BASE_DIR": f"{records.folder_of(ENDPOINTS, endpoint)}/1/ml"}
        command = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
        processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True, text=True)
        )
        assert processes[-1].stdout.readline() == "up\n"
    try:
        kept = servers.new("one", 1)
        kept.process = ProcessId.of(processes[1].pid)
        servers.end_others("cars", kept)
        assert processes[0].wait(10) == -15
        assert [each.poll() for each in processes[1:]] == [None, None]
        servers.end(kept)
        assert processes[1].wait(10) == -15
        assert processes[2].poll() is None
        assert not servers.is_running(kept)
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()
