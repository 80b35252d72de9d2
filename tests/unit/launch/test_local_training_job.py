"""A training job of local mode in its runner, from its inputs to its archives."""

import contextlib
import json
import signal
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from launch.cli.errors import JobFailed
from launch.local import records, training_job
from launch.local.records import TRAINING_JOBS, JobRecord
from launch.local.training_job import TrainingJob
from local_containers import Running, write

pytest_plugins = ("local_containers",)


def packed(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar if each.isfile()}


def test_a_job_from_its_inputs_to_its_outputs(run, tmp_path):
    for name, text in {"data/a/x.csv": "1", "data/a/deep/y.csv": "2", "data/ab/z.csv": "no", "one.json": "3"}.items():
        write(tmp_path / "in" / name, text)
    seen: dict[str, Any] = {}

    def container(ml: Path, running: Running) -> int:
        seen["files"] = sorted(str(path.relative_to(ml)) for path in ml.rglob("*") if path.is_file())
        seen["hyperparameters"] = json.loads((ml / "input/config/hyperparameters.json").read_text())
        seen["resources"] = json.loads((ml / "input/config/resourceconfig.json").read_text())
        seen["channels"] = json.loads((ml / "input/config/inputdataconfig.json").read_text())
        for line in ("reward=1.5", "reward=-2.5 reward=7", "loss=nan?", "episode=x"):
            running.say(line)
        write(ml / "model/policy.json", "{}")
        write(ml / "output/data/report/index.html", "<p>")
        write(ml / "output/intermediate/gifs/1.gif", "GIF")
        write(ml / "output/failure", "not a failure")
        return 0

    def channel(name: str, place: str, **more: str) -> dict[str, Any]:
        return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3Uri": f"file://{tmp_path}/in/{place}"}}, **more}

    record = run(
        container,
        HyperParameters={"seed": "4", "sagemaker_submit_directory": "/opt/ml/input/data/train/x"},
        InputDataConfig=[channel("train", "data/a", ContentType="text/csv"), channel("other", "one.json")],
        Environment={"MINE": "1"},
        algorithm={
            "MetricDefinitions": [
                {"Name": "reward", "Regex": r"reward=([-\d.]+)"},
                {"Name": "episode", "Regex": r"episode=(\w+)"},
                {"Name": "none", "Regex": r"nothing=(\d+)"},
            ]
        },
    )
    folder = tmp_path / "runs/.local/training-jobs/brief"
    assert seen["files"][-3:] == [
        "input/data/other/one.json",
        "input/data/train/deep/y.csv",
        "input/data/train/x.csv",
    ]
    tree = folder / "algo-1"
    assert seen["hyperparameters"] == {"seed": "4", "sagemaker_submit_directory": f"{tree}/input/data/train/x"}
    assert seen["resources"]["current_host"] == "localhost"
    assert seen["resources"]["hosts"] == ["localhost"]
    assert seen["resources"]["network_interface_name"] == "lo"
    assert seen["channels"]["train"]["ContentType"] == "text/csv"
    assert "ContentType" not in seen["channels"]["other"]
    (running,) = run.engine.started.values()
    assert run.engine.image == "my-image:1"
    assert run.engine.started.keys() == {"brief"}
    assert running.settings.environment == {"TRAINING_JOB_NAME": "brief", "TRAINING_JOB_ARN": "arn:brief", "MINE": "1"}
    home = tmp_path / "home/brief/output"
    assert packed(home / "model.tar.gz") == {"policy.json": b"{}"}
    assert packed(home / "output.tar.gz") == {"report/index.html": b"<p>"}
    assert (home / "intermediate/gifs/1.gif").read_text() == "GIF"
    assert (record.status, record.failure) == ("Completed", None)
    assert record.model == f"file://{home}/model.tar.gz"
    assert [(each["MetricName"], each["Value"]) for each in record.metrics] == [("reward", -2.5)]
    assert [change.status for change in record.transitions] == ["Downloading", "Training", "Uploading", "Completed"]
    assert record.transitions[1].message == "Training in the container"
    assert record.seconds in range(60)
    assert (folder / "logs/algo-1.log").read_text().splitlines()[1] == "reward=-2.5 reward=7"
    assert sorted(path.name for path in folder.iterdir()) == ["logs", "record.json"]


def test_a_job_goes_on_from_its_checkpoint_and_leaves_the_next_one(run, tmp_path):
    place = tmp_path / "checkpoints"
    seen = []

    def container(ml: Path, running: Running) -> int:
        checkpoint = ml / "checkpoints/deep/step"
        seen.append(checkpoint.read_text() if checkpoint.exists() else None)
        write(checkpoint, f"{len(seen)}")
        return 0

    for name in ("one", "two"):
        record = run(container, name, CheckpointConfig={"S3Uri": f"file://{place}"})
        assert (record.status, record.model) == ("Completed", None)
    assert seen == [None, "1"]
    assert (place / "deep/step").read_text() == "2"
    assert not (tmp_path / "home").exists()  # it left neither a model nor data


def test_checkpoints_and_intermediate_files_are_copied_while_a_job_runs(run, tmp_path, monkeypatch):
    monkeypatch.setattr(training_job, "SECONDS_BETWEEN_CHECKPOINT_COPIES", 0.0)
    copies = tmp_path / "checkpoints/step", tmp_path / "home/brief/output/intermediate/a.csv"

    def appear(*contents: str) -> None:
        deadline = time.monotonic() + 30
        while [each.read_text() if each.exists() else "" for each in copies] != list(contents):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def container(ml: Path, running: Running) -> int:
        for step in ("1", "22"):
            write(ml / "checkpoints/step", step)
            write(ml / "output/intermediate/a.csv", f"row {step}")
            appear(step, f"row {step}")
        copies[1].write_text("as it was")  # what has not changed is not copied again
        write(ml / "output/intermediate/b.csv", "b")
        return 0

    assert run(container, CheckpointConfig={"S3Uri": f"file://{tmp_path}/checkpoints"}).status == "Completed"
    assert copies[1].read_text() == "as it was"
    assert copies[1].with_name("b.csv").read_text() == "b"


@pytest.mark.parametrize(
    ("status", "file", "reason"),
    [
        (1, "Hyperparameter seed is 'x'.\n", "Hyperparameter seed is 'x'., exit code: 1"),
        (3, None, "the container left no failure file, exit code: 3"),
        (-9, None, "killed by signal 9, perhaps out of memory, exit code: -9"),
        (137, None, "killed by signal 9, perhaps out of memory, exit code: 137"),
        (1, "x" * 2000, "x" * (1024 - len("AlgorithmError: "))),
    ],
)
def test_a_job_that_fails_leaves_its_outputs_and_says_why(run, tmp_path, status, file, reason):
    def container(ml: Path, running: Running) -> int:
        if file:
            write(ml / "output/failure", file)
        write(ml / "output/data/report.html", "<p>")
        return status

    record = run(container)
    assert (record.status, record.failure) == ("Failed", f"AlgorithmError: {reason}")
    assert record.transitions[-1].status == "Failed"
    assert packed(tmp_path / "home/brief/output/output.tar.gz") == {"report.html": b"<p>"}


def save_when_stopped(ml: Path, running: Running) -> int:
    assert running.stopped.wait(30)
    write(ml / "model/policy.json", "{}")
    return 0


@pytest.mark.parametrize("asked", [True, False])
def test_a_job_that_is_stopped_saves_its_work_first(run, monkeypatch, asked):
    """By SIGTERM, or as its time is over."""
    limit = {} if asked else {"StoppingCondition": {"MaxRuntimeInSeconds": 0}}
    record = run(save_when_stopped, during=lambda job: job.stop_requested.set() if asked else None, **limit)
    assert record.status == "Stopped"
    assert record.transitions[-1].status == ("Stopped" if asked else "MaxRuntimeExceeded")
    assert ("Stopping" in [change.status for change in record.transitions]) == asked
    assert record.model is not None
    (running,) = run.engine.started.values()
    assert running.seconds == 120
    assert record.failure is None


def test_sigterm_asks_a_job_to_stop(run):
    timer = threading.Timer(0.1, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM))
    record = run(save_when_stopped, during=lambda job: timer.start())
    assert record.transitions[-1].status == "Stopped"


def test_several_hosts_have_a_tree_each_and_one_that_fails_ends_the_others(run, tmp_path, monkeypatch):
    addresses = {"algo-1": "10.0.0.2", "algo-2": "10.0.0.3"}
    asked = []

    @contextlib.contextmanager
    def network(job: str, hosts: list[str], isolated: bool, labels: dict[str, str]):
        asked.append((job, hosts, isolated))
        yield "net-1", addresses

    monkeypatch.setattr(training_job, "host_network", network)
    run.engine_name = "docker"

    def config(ml: Path) -> dict[str, Any]:
        return json.loads((ml / "input/config/resourceconfig.json").read_text())

    def first(ml: Path, running: Running) -> int:
        write(ml / "model/first.json", json.dumps(config(ml)))
        assert running.stopped.wait(30)
        return 0

    def second(ml: Path, running: Running) -> int:
        write(ml / "model/second.json", json.dumps(config(ml)))
        write(ml / "output/failure", "It is bad.")
        return 2

    record = run({"algo-1": first, "algo-2": second}, count=2, EnableNetworkIsolation=True)
    assert record.failure == "AlgorithmError: It is bad., exit code: 2"
    assert asked == [("brief", ["algo-1", "algo-2"], True)]
    assert run.engine.started.keys() == {"brief-algo-1", "brief-algo-2"}
    for name, running in run.engine.started.items():
        settings = running.settings
        assert (settings.host, settings.network) == (name.removeprefix("brief-"), "net-1")
        assert settings.addresses == addresses
        assert running.stopped.is_set()
        assert settings.environment.keys() == {"TRAINING_JOB_NAME", "TRAINING_JOB_ARN"}
    models = packed(tmp_path / "home/brief/output/model.tar.gz")
    hosts = {name: json.loads(content) for name, content in models.items()}
    assert hosts["first.json"]["current_host"] == "algo-1"
    assert hosts["second.json"]["current_host"] == "algo-2"
    assert hosts["second.json"]["hosts"] == ["algo-1", "algo-2"]
    assert hosts["first.json"]["network_interface_name"] == "eth0"  # that of the network that the two have


def test_an_input_that_is_gone_fails_the_job_before_anything_is_started(run, tmp_path):
    source = {"S3DataSource": {"S3Uri": f"file://{tmp_path}/gone"}}
    record = run(lambda ml, running: 0, InputDataConfig=[{"ChannelName": "train", "DataSource": source}])
    assert (record.status, record.failure) == ("Failed", f"There is nothing at file://{tmp_path}/gone.")
    assert run.engine.started == {}


def test_a_fault_of_the_runners_own_is_no_algorithm_error(run, monkeypatch):
    monkeypatch.setattr(TrainingJob, "_start", lambda self, network: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(lambda ml, running: 0)
    assert run.job.record.failure == "InternalServerError: ZeroDivisionError: division by zero"
    assert run.job.record.status == "Failed"


def test_an_engine_that_fails_is_the_jobs_reason(run, monkeypatch):
    def fail(self, network):
        raise JobFailed("Image my-image:1 cannot be run: mounts denied.")

    monkeypatch.setattr(TrainingJob, "_start", fail)
    assert run(lambda ml, running: 0).failure == "Image my-image:1 cannot be run: mounts denied."
