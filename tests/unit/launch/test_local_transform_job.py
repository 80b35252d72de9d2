"""A transform job of local mode in its runner, with a container that is an HTTP server of this process."""

import signal
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from launch.local import records, transform_job
from launch.local.ml_tree import pack
from launch.local.records import MODELS, TRANSFORM_JOBS, JobRecord, Resource
from launch.local.transform_job import TransformJob
from stand_ins import server_of


class Container(BaseHTTPRequestHandler):
    """Answers each body with its length and its lines in reverse order, once it has not been healthy twice."""

    asked: list[tuple[str, dict[str, str], bytes]]
    pings: list[int]
    on_invoke: Any

    def do_GET(self):
        self.pings.append(1)
        self.send_response(503 if len(self.pings) < 3 else 200)
        self.end_headers()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
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

    def run(uri: str, during=lambda job: None, on_invoke=lambda body: 200, model: str = "brief", **changes: Any):
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
        own = {"asked": run.asked, "pings": [], "on_invoke": staticmethod(on_invoke)}
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
    assert run.served["environment"]["SAGEMAKER_MAX_PAYLOAD_IN_MB"] == "6"
    assert "Accept" not in run.asked[0][1] or run.asked[0][1]["Accept"] == "*/*"


def test_all_files_below_a_folder_are_transformed(run, tmp_path):
    for name, text in {"a.csv": "1\n2\n", "deep/er/b.csv": "3\n"}.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(text)
    assert run(f"file://{tmp_path}/in", input={**LINES, "SplitType": "None"}).status == "Completed"
    assert sorted(bodies(run)) == [b"1\n2\n", b"3\n"]
    assert (tmp_path / "answers/a.csv.out").read_bytes() == b"4\n2\n1\n"
    assert (tmp_path / "answers/deep/er/b.csv.out").read_bytes() == b"2\n3\n"


@pytest.mark.parametrize(
    ("changes", "limit", "expected"),
    [
        ({}, 4, [b"1\n2\n", b"333\n", b"4\n"]),
        ({}, 5, [b"1\n2\n", b"333\n", b"4\n"]),
        ({}, 6, [b"1\n2\n", b"333\n4\n"]),
        ({}, 8, [b"1\n2\n333\n", b"4\n"]),
        ({}, 1, [b"1\n", b"2\n", b"333\n", b"4\n"]),
        ({"BatchStrategy": "SingleRecord"}, 100, [b"1\n", b"2\n", b"333\n", b"4\n"]),
        ({"TransformInput": {"SplitType": "None"}}, 1, [b"1\n2\n333\n4\n"]),
        ({"TransformInput": {}}, 1, [b"1\n2\n333\n4\n"]),
    ],
)
def test_a_file_is_cut_into_requests_at_line_ends(changes, limit, expected):
    job = TransformJob.__new__(TransformJob)
    job.request = {"TransformInput": {"SplitType": "Line"}, **changes}
    assert list(job._request_bodies(b"1\n2\n333\n4\n", limit)) == expected


def test_a_request_has_at_most_so_many_megabytes(run, tmp_path):
    (tmp_path / "o.csv").write_bytes((b"x" * 1023 + b"\n") * 1025)
    assert run(f"file://{tmp_path}/o.csv", input=LINES, MaxPayloadInMB=1).status == "Completed"
    assert [len(body) for body in bodies(run)] == [1024 * 1024, 1024]


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
