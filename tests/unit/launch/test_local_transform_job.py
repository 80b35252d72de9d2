"""A transform job of local mode in its runner, with a container that is an HTTP server of this process."""

import signal
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from launch.local import records, transform_job
from launch.local.ml_tree import pack
from launch.local.records import MODELS, TRANSFORM_JOBS, JobRecord, Resource
from launch.local.transform_job import ExecutionParameters, TransformJob
from stand_ins import server_of


class Container(BaseHTTPRequestHandler):
    """Answers each body with its length and its lines in reverse order, once it has not been healthy twice."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, dict[str, str], bytes]]
    pings: list[int]
    on_invoke: Any
    execution_parameters: bytes | None

    def do_GET(self):
        if self.path == "/execution-parameters":
            status, body = (404, b"") if self.execution_parameters is None else (200, self.execution_parameters)
        else:
            self.pings.append(1)
            status, body = (503 if len(self.pings) < 3 else 200), b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _read(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def do_POST(self):
        body = self._read()
        assert len(self.pings) == 3  # it was healthy
        self.asked.append((self.path, dict(self.headers), body))
        status = self.on_invoke(body)
        answer = b"no" if status != 200 else b"%d\n" % len(body) + b"\n".join(reversed(body.splitlines())) + b"\n"
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


class Workload:
    def __init__(self) -> None:
        self.stopped = threading.Event()

    def lines(self):
        yield "I serve"
        self.stopped.wait(30)
        yield "I end"

    def stop(self) -> None:
        self.stopped.set()


@pytest.fixture
def run(monkeypatch, tmp_path, dead_proxy):
    """Run a job on an input; return its record."""
    monkeypatch.setenv("RL_RUNS", str(tmp_path / "runs"))
    handler, mask = signal.getsignal(signal.SIGTERM), signal.pthread_sigmask(signal.SIG_BLOCK, set())
    (tmp_path / "model").mkdir()
    (tmp_path / "model/policy.json").write_text("{}")
    pack([tmp_path / "model"], tmp_path / "model.tar.gz")

    def run(
        uri: str,
        during=lambda job: None,
        on_invoke=lambda body: 200,
        model: str = "brief",
        execution_parameters: bytes | None = None,
        **changes: Any,
    ):
        request = {
            "TransformJobName": "brief",
            "ModelName": model,
            "TransformInput": {"DataSource": {"S3DataSource": {"S3Uri": uri}}, **changes.pop("input", {})},
            "TransformOutput": {"S3OutputPath": f"file://{tmp_path}/answers", **changes.pop("output", {})},
            **changes,
        }
        container = {
            "Image": "my-image:1",
            "ModelDataUrl": f"file://{tmp_path}/model.tar.gz",
            "Environment": {"A": "model", "B": "model"},
        }
        model_request = {"ModelName": model, "PrimaryContainer": container}
        records.create(MODELS, model, Resource(model_request, "arn", records.now()))
        record = JobRecord(request, "arn", records.now(), "process", model_request=model_request)
        records.create(TRANSFORM_JOBS, "brief", record)
        run.asked, run.workload, run.served = [], Workload(), {}
        job = run.job = TransformJob("brief", record)
        own = {
            "asked": run.asked,
            "pings": [],
            "on_invoke": staticmethod(on_invoke),
            "execution_parameters": execution_parameters,
        }
        with server_of(type("Own", (Container,), own)) as url:

            class Engine:
                def serve(self, ml, name, environment):
                    run.served = {"name": name, "environment": environment, "model": sorted((ml / "model").iterdir())}
                    return run.workload, url

            job.make_engine = lambda image: run.served.update(image=image) or Engine()
            during(job)
            job.run()
        assert run.workload.stopped.is_set()
        return records.read(TRANSFORM_JOBS, "brief")

    yield run
    signal.signal(signal.SIGTERM, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


LINES = {"SplitType": "Line", "ContentType": "text/csv"}


def bodies(run) -> list[bytes]:
    return [body for _, _, body in run.asked]


def test_a_job_asks_by_the_request_and_puts_the_answers_together(run, tmp_path):
    file = tmp_path / "o.csv"
    file.write_text("1,2\n3,4\n")
    output = {"Accept": "application/jsonlines", "AssembleWith": "Line"}
    environment = {"B": "job", "SAGEMAKER_RL_OUTPUT": "heads"}
    record = run(f"file://{file}", input=LINES, output=output, MaxPayloadInMB=3, Environment=environment)
    assert (record.status, record.failure) == ("Completed", None)
    ((path, headers, body),) = run.asked
    assert (path, body) == ("/invocations", b"1,2\n3,4\n")
    assert (headers["Content-Type"], headers["Accept"]) == ("text/csv", "application/jsonlines")
    assert (tmp_path / "answers/o.csv.out").read_bytes() == b"8\n3,4\n1,2\n"
    assert run.served["name"] == "brief"
    assert [each.name for each in run.served["model"]] == ["policy.json"]
    assert run.served["environment"] == {
        "A": "model",
        "B": "job",
        "SAGEMAKER_RL_OUTPUT": "heads",
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "3",
    }
    assert (run.job.folder / "logs/transform.log").read_text() == "I serve\nI end\n"
    assert not (run.job.folder / "ml").exists()
    assert not (run.job.folder / "model.tar.gz").exists()
    assert records.read(MODELS, "brief") is None  # made for this job alone


def test_a_model_of_another_name_stays(run, tmp_path):
    (tmp_path / "o.csv").write_text("1\n")
    assert run(f"file://{tmp_path}/o.csv", model="brief-2").status == "Completed"
    assert records.read(MODELS, "brief-2") is not None
    assert "SAGEMAKER_MAX_PAYLOAD_IN_MB" not in run.served["environment"]  # the request does not say any
    assert "Accept" not in run.asked[0][1] or run.asked[0][1]["Accept"] == "*/*"


def test_all_files_below_a_folder_are_transformed(run, tmp_path):
    for name, text in {"a.csv": "1\n2\n", "deep/er/b.csv": "3\n"}.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(text)
    assert run(f"file://{tmp_path}/in", input={**LINES, "SplitType": "None"}).status == "Completed"
    assert sorted(bodies(run)) == [b"1\n2\n", b"3\n"]
    assert (tmp_path / "answers/a.csv.out").read_bytes() == b"4\n2\n1\n"
    assert (tmp_path / "answers/deep/er/b.csv.out").read_bytes() == b"2\n3\n"


def test_a_request_has_at_most_so_many_megabytes(run, tmp_path):
    (tmp_path / "o.csv").write_bytes((b"x" * 1023 + b"\n") * 1025)
    assert run(f"file://{tmp_path}/o.csv", input=LINES, MaxPayloadInMB=1).status == "Completed"
    assert [len(body) for body in bodies(run)] == [1024 * 1024, 1024]
    assert "Transfer-Encoding" not in run.asked[0][1]


def test_without_a_limit_one_chunked_request_has_the_whole_file(run, tmp_path):
    content = (b"x" * 1023 + b"\n") * 7 * 1024
    (tmp_path / "o.csv").write_bytes(content)
    assert run(f"file://{tmp_path}/o.csv", input=LINES, MaxPayloadInMB=0).status == "Completed"
    ((_, headers, body),) = run.asked
    assert (headers["Transfer-Encoding"], body == content) == ("chunked", True)
    assert run.served["environment"]["SAGEMAKER_MAX_PAYLOAD_IN_MB"] == "0"


OFFERED = b'{"MaxConcurrentTransforms": 3, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 0}'


@pytest.mark.parametrize(
    ("offered", "asked", "expected"),
    [
        (None, {}, (1, 6 * 2**20, True)),
        (b"{}", {}, (1, 6 * 2**20, True)),
        (OFFERED, {}, (3, None, False)),
        (OFFERED, {"MaxConcurrentTransforms": 0}, (3, None, False)),
        (OFFERED, {"MaxConcurrentTransforms": 2, "MaxPayloadInMB": 1}, (2, 2**20, False)),
        (OFFERED, {"BatchStrategy": "MultiRecord"}, (3, None, True)),
        (None, {"BatchStrategy": "SingleRecord", "MaxPayloadInMB": 0}, (1, None, False)),
    ],
)
def test_the_request_wins_over_what_the_container_says(run, tmp_path, monkeypatch, offered, asked, expected):
    (tmp_path / "o.csv").write_text("1\n")
    found = []
    original = transform_job.execution_parameters
    monkeypatch.setattr(
        transform_job, "execution_parameters", lambda *given: found.append(original(*given)) or found[0]
    )
    assert run(f"file://{tmp_path}/o.csv", input=LINES, execution_parameters=offered, **asked).status == "Completed"
    assert found == [ExecutionParameters(*expected)]
    variables = {"SAGEMAKER_BATCH": "true"}
    if asked.get("MaxConcurrentTransforms"):
        variables["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] = "2"
    if "MaxPayloadInMB" in asked:
        variables["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = str(asked["MaxPayloadInMB"])
    if "BatchStrategy" in asked:
        spelt = {"MultiRecord": "MULTI_RECORD", "SingleRecord": "SINGLE_RECORD"}
        variables["SAGEMAKER_BATCH_STRATEGY"] = spelt[asked["BatchStrategy"]]
    environment = run.served["environment"]
    assert {name: value for name, value in environment.items() if name.startswith("SAGEMAKER_")} == variables


@pytest.mark.parametrize("offered", [b"", b"[1]", b'{"MaxPayloadInMB": "6"}', b'{"MaxConcurrentTransforms": -1}'])
def test_a_container_that_says_what_it_may_not(run, tmp_path, offered):
    (tmp_path / "o.csv").write_text("1\n")
    record = run(f"file://{tmp_path}/o.csv", execution_parameters=offered)
    assert (record.status, run.asked) == ("Failed", [])
    assert record.failure.startswith("AlgorithmError: GET /execution-parameters answered ")


def test_requests_are_under_way_at_once_and_answers_in_the_inputs_order(run, tmp_path):
    """None of the first three is answered before all of them have arrived, the first last."""
    (tmp_path / "o.csv").write_text("".join(f"{number}\n" for number in range(1, 8)))
    together, last = threading.Barrier(3), threading.Event()

    def on_invoke(body: bytes) -> int:
        if body in (b"1\n", b"2\n", b"3\n"):
            together.wait(30)
        if body == b"3\n":
            last.set()
        if body == b"1\n":
            assert last.wait(30)
        return 200

    record = run(
        f"file://{tmp_path}/o.csv",
        input=LINES,
        output={"AssembleWith": "Line"},
        on_invoke=on_invoke,
        BatchStrategy="SingleRecord",
        MaxConcurrentTransforms=3,
    )
    assert (record.status, record.failure) == ("Completed", None)
    assert (tmp_path / "answers/o.csv.out").read_text().splitlines()[1::2] == list("1234567")


def test_records_are_filtered_and_joined(run, tmp_path):
    (tmp_path / "o.csv").write_text("a,1\nb,2\n")
    record = run(
        f"file://{tmp_path}/o.csv",
        input=LINES,
        output={"Accept": "text/csv", "AssembleWith": "Line"},
        BatchStrategy="SingleRecord",
        DataProcessing={"InputFilter": "$[1]", "JoinSource": "Input", "OutputFilter": "$[0]"},
    )
    sentence = "ClientError: o.csv, request 1: the answer has 2 lines for 1 records, expected one for each"
    assert (record.status, record.failure) == ("Failed", sentence)  # its length and itself
    assert bodies(run)[0] == b"1\n"


def test_a_container_that_ends_fails_the_job(run, tmp_path):
    (tmp_path / "o.csv").write_text("1\n")
    record = run(f"file://{tmp_path}/o.csv", on_invoke=lambda body: 1 // 0)
    assert record.status == "Failed"
    assert record.failure.startswith("AlgorithmError: o.csv, request 1: the container does not answer: ")


@pytest.mark.parametrize("split", ["Line", "None"])
def test_an_empty_file_has_an_empty_answer(run, tmp_path, split):
    (tmp_path / "o.csv").touch()
    record = run(f"file://{tmp_path}/o.csv", input={**LINES, "SplitType": split}, output={"AssembleWith": "Line"})
    assert (record.status, run.asked) == ("Completed", [])
    assert (tmp_path / "answers/o.csv.out").read_bytes() == b""


def test_an_answer_that_is_an_error_fails_the_job(run, tmp_path):
    (tmp_path / "o.csv").write_text("1\n2\n")
    record = run(
        f"file://{tmp_path}/o.csv",
        input=LINES,
        BatchStrategy="SingleRecord",
        on_invoke=lambda body: 415 if body == b"2\n" else 200,
    )
    reason = "ClientError: o.csv, request 2: the container answered 415: no"
    assert (record.status, record.failure) == ("Failed", reason)
    assert not (tmp_path / "answers").exists()
    assert records.read(MODELS, "brief") is None


def test_a_job_is_stopped_between_requests(run, tmp_path):
    (tmp_path / "o.csv").write_text("1\n2\n3\n")

    def stop_at_two(body: bytes) -> int:
        if body == b"2\n":
            run.job.stop_requested.set()
        return 200

    record = run(f"file://{tmp_path}/o.csv", input=LINES, BatchStrategy="SingleRecord", on_invoke=stop_at_two)
    assert (record.status, bodies(run)) == ("Stopped", [b"1\n", b"2\n"])


def test_a_job_is_stopped_while_its_container_starts(run, tmp_path):
    (tmp_path / "o.csv").write_text("1\n")
    record = run(f"file://{tmp_path}/o.csv", during=lambda job: job.stop_requested.set())
    assert (record.status, run.asked) == ("Stopped", [])


def test_a_container_that_is_not_healthy_in_time(run, tmp_path, monkeypatch):
    monkeypatch.setattr(transform_job, "SECONDS_TO_START", 0)
    (tmp_path / "o.csv").write_text("1\n")
    record = run(f"file://{tmp_path}/o.csv")
    assert (record.status, record.failure) == ("Failed", "AlgorithmError: the container was not healthy")


def test_an_input_that_is_gone(run, tmp_path):
    record = run(f"file://{tmp_path}/gone.csv")
    assert (record.status, record.failure) == ("Failed", f"There is nothing at file://{tmp_path}/gone.csv.")
