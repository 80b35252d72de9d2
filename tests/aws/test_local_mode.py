"""The scripts with --instance-type local: in the real images where a Docker engine answers, and as processes."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from jobs import CSV, ROOT, SHORT_PPO
from launch.cli import errors
from launch.local import images
from local_aws import Aws, Script, requests_of
from PIL import Image
from sagemaker_rl.policy.artifact import Policy

NO_AWS = dict.fromkeys(("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"), "(unset)")
SAMPLES = [[0.5, -0.5], [-0.5, 0.5]]
FOREVER = {**SHORT_PPO, "improve_steps": "100000000"}


@dataclass
class Machine:
    """A way to run local mode, with results of its own."""

    engine: str
    runs: Path
    environment: dict[str, str]
    _script: Script

    def __call__(self, name: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self._script(name, *arguments, RL_LOCAL_ENGINE=self.engine, **{**NO_AWS, **options})

    def train(self, job: str, hyperparameters: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        return self("train.py", "--instance-type", "local", "--job-name", job, *flags(hyperparameters), *arguments)

    def record(self, job: str) -> dict[str, Any]:
        return dict(json.loads((self.runs / ".local/training-jobs" / job / "record.json").read_text()))

    def wait(self, condition: Callable[[], Any], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def log_of(self, job: str) -> str:
        logs = sorted((self.runs / ".local/training-jobs" / job / "logs").glob("*.log"))
        return "".join(file.read_text() for file in logs)

    def left_running(self) -> list[str]:
        """Return processes and containers of these runs."""
        found = []
        for process in psutil.process_iter():
            try:
                environment, command = process.environ(), process.cmdline()
            except psutil.Error:
                continue
            of_these = str(self.runs) in environment.get("RL_RUNS", "")
            if of_these and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(command))
        if self.engine == "docker":
            label = {"label": f"rl-mountain-car.runs={self.runs}"}
            found += [each.name for each in images.connect().containers.list(all=True, filters=label)]
            found += [each.name for each in images.connect().networks.list(filters=label)]
        return found


def flags(hyperparameters: dict[str, str]) -> list[str]:
    return [text for name, value in hyperparameters.items() for text in ("-p", f"{name}={value}")]


def a_machine(engine: str, script: Script, aws: Aws) -> Machine:
    environment = {key: value for key, value in aws.environment.items() if key not in NO_AWS}
    runs = Path(aws.environment["RL_RUNS"]).resolve()
    return Machine(engine, runs, {**environment, "RL_LOCAL_ENGINE": engine}, script)


@pytest.fixture(params=["process", "docker"])
def machine(request, script, aws) -> Machine:
    if request.param == "docker":
        request.getfixturevalue("built")
    return a_machine(request.param, script, aws)


@pytest.fixture
def this_machine(request, script, aws) -> Machine:
    """As a user has it: Docker where an engine answers."""
    try:
        images.connect()
    except errors.UsageError:
        return a_machine("process", script, aws)
    request.getfixturevalue("built")
    return a_machine("docker", script, aws)


@pytest.fixture
def docker_machine(script, aws, built) -> Machine:
    return a_machine("docker", script, aws)


def test_the_whole_way(machine, tmp_path):
    """Train, wait, fetch, plot, evaluate, deploy, predict, drive, transform, delete; nothing is left running."""
    done = machine.train("mine", {**SHORT_PPO, "improve_steps": "48000"}, "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "Training: Training in the container" in lines
    assert any(line.startswith("Evaluation> Evaluation reward=") for line in lines)
    assert any(line.split()[:1] == ["reward-evaluation"] for line in lines)
    assert "RoleArn, ResourceConfig.VolumeSizeInGB" in done.stderr

    done = machine("fetch.py", "--local", "mine")
    assert done.returncode == 0, done.stderr
    folder = machine.runs / "mine"
    assert (folder / "output/intermediate" / CSV).is_file()
    assert (folder / "output/data/checkpoint/.coach_checkpoint").is_file()
    with Image.open(folder / "reward.png") as plot, Image.open(folder / "episode.gif") as gif:
        assert plot.size[0] > 500
        assert gif.n_frames > 1

    done = machine(
        "evaluate.py", "--instance-type", "local", "--job-name", "judged", "mine", "--episodes", "2", "--wait"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine("fetch.py", "--local", "judged").returncode == 0
    assert json.loads((machine.runs / "judged/output/data/evaluation.json").read_text())["episodes"] == 2

    done = machine("deploy.py", "--instance-type", "local", "mine")
    assert done.returncode == 0, done.stdout + done.stderr
    first = machine("predict.py", "--local", *map(json.dumps, SAMPLES))
    with_policy = Policy.load(unpacked(folder / "model.tar.gz", tmp_path / "model"))
    assert np.allclose(json.loads(first.stdout), with_policy.heads(np.array(SAMPLES, dtype=np.float32)), atol=1e-5)
    actions = with_policy.actions(np.array(SAMPLES, dtype=np.float32))

    gif = tmp_path / "new/driven.gif"
    done = machine("predict.py", "--local", "--episode", "--gif", str(gif))
    assert done.stdout.startswith("Return "), done.stderr
    assert done.returncode in (0, 1)  # so short a training need not have learnt to climb
    with Image.open(gif) as film:
        assert 10 < film.n_frames <= 201

    bad = machine("predict.py", "--local", "[1, 2, 3]")
    assert bad.returncode == 2
    assert "Error: The endpoint answered 400: The body has the shape [3], expected [2]" in bad.stderr

    for suffix, content in ((".csv", "0.5,-0.5\n-0.5,0.5\n"), (".jsonl", "[0.5,-0.5]\n[-0.5,0.5]\n")):
        file = tmp_path / f"observations{suffix}"
        file.write_text(content)
        done = machine("transform.py", "--instance-type", "local", "mine", str(file))
        assert done.returncode == 0, done.stdout + done.stderr
        answered = [line.strip("[]") for line in Path(f"{file}.out").read_text().splitlines()]
        assert np.allclose([[float(each)] for each in answered], actions, atol=1e-5)

    # an update: the endpoint answers all the while
    client = EndpointOf(machine)
    assert client.answers()
    done = machine("deploy.py", "--instance-type", "local", str(folder / "model.tar.gz"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Updating endpoint rl-mountain-car" in done.stdout
    assert client.answers()
    assert machine("predict.py", "--local", *map(json.dumps, SAMPLES)).stdout == first.stdout

    assert "Evaluation> Evaluation reward=" in machine("logs.py", "--local", "mine").stdout
    assert '"message":"request"' in machine("logs.py", "--local", "--endpoint-name", "rl-mountain-car").stdout
    listed = machine("list.py", "--local", "--name-contains", "").stdout
    *jobs, first_transform, second_transform, endpoint = [line.split()[-4:-2] for line in listed.splitlines()]
    assert (*jobs, endpoint) == (["judged", "Completed"], ["mine", "Completed"], ["rl-mountain-car", "InService"])
    assert first_transform > second_transform
    assert first_transform[1] == second_transform[1] == "Completed"
    assert '"message":"request"' in machine("logs.py", "--local", first_transform[0]).stdout
    nothing = machine("list.py", "--local", "--name-contains", "x").stdout
    assert nothing == "There is no job or endpoint with x in its name on this machine.\n"

    done = machine("delete.py", "--local", "--yes")
    assert done.returncode == 0, done.stderr
    assert "There is nothing left" in machine("delete.py", "--local").stdout
    machine.wait(lambda: machine.left_running() == [], 10)
    assert not list((machine.runs / ".local/models").iterdir())


class EndpointOf:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def answers(self) -> bool:
        return self.machine("predict.py", "--local", "[0, 0]").returncode == 0


def unpacked(archive: Path, folder: Path) -> Path:
    shutil.unpack_archive(archive, folder)
    return folder


def test_a_failed_job_says_why(machine):
    done = machine.train("bad", {"discount": "1.5"}, "--wait")
    assert done.returncode == 1
    first, *log = done.stderr.splitlines()[1:]  # after what is left out
    assert first == (
        "Failed: AlgorithmError: Hyperparameter discount is 1.5, expected a number between 0 and 1., exit code: 1"
    )
    assert any("discount is 1.5" in line for line in log)
    machine.wait(lambda: machine.left_running() == [], 10)
    done = machine("fetch.py", "--local", "bad")
    assert done.returncode == 1
    assert "discount is 1.5" in done.stderr


def test_a_job_is_stopped_after_its_max_runtime(this_machine):
    done = this_machine.train("long", FOREVER, "--wait", "--max-runtime", "10")
    assert done.returncode == 0, done.stderr
    assert "MaxRuntimeExceeded" in done.stdout
    assert "Checkpoint> " in done.stdout  # it had time to save its work
    record = this_machine.record("long")
    assert record["status"] == "Stopped"
    assert record["model"].endswith("long/output/model.tar.gz")
    this_machine.wait(lambda: this_machine.left_running() == [], 10)


def test_two_jobs_at_once_and_source_of_ones_own(this_machine):
    source = ("--source-dir", str(ROOT / "tests/resources/custom_environment"), "--entry-point", "train-coach.py")
    assert this_machine.train("one", {"seed": "1"}, *source).returncode == 0
    assert this_machine.train("two", SHORT_PPO).returncode == 0
    again = this_machine.train("two", SHORT_PPO)
    assert again.returncode == 2
    assert "two exists already" in again.stderr
    for job in ("one", "two"):
        assert this_machine("fetch.py", "--local", job).returncode == 0  # waits
    policy = unpacked(this_machine.runs / "one/model.tar.gz", this_machine.runs / "unpacked")
    assert json.loads((policy / "policy.json").read_text())["preset"] == "preset-corridor"
    this_machine.wait(lambda: this_machine.left_running() == [], 10)


@pytest.mark.parametrize(("answer", "status"), [("\n", "Completed"), ("y\n", "Stopped")])
def test_ctrl_c_asks_whether_to_stop_the_job(this_machine, answer, status):
    steps = {"improve_steps": "200000"} if status == "Completed" else {}
    controller, terminal = pty.openpty()
    command = [sys.executable, str(ROOT / "scripts/train.py"), "--instance-type", "local", "--job-name", "asked"]
    process = subprocess.Popen(
        [*command, "--wait", *flags({**FOREVER, **steps})],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=this_machine.environment,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    this_machine.wait(lambda: (this_machine.runs / ".local/training-jobs/asked/logs").exists())
    this_machine.wait(lambda: "Training>" in this_machine.log_of("asked"))
    process.send_signal(signal.SIGINT)
    os.write(controller, answer.encode())
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stop training job asked too? [y/N]" in out
    assert ("asked goes on" if status == "Completed" else "asked is being stopped") in out
    this_machine.wait(lambda: this_machine.record("asked")["status"] not in ("InProgress", "Stopping"))
    assert this_machine.record("asked")["status"] == status
    this_machine.wait(lambda: this_machine.left_running() == [], 10)


def test_a_job_can_be_stopped_at_once(this_machine):
    assert this_machine.train("brief", FOREVER).returncode == 0
    done = this_machine("stop.py", "--local", "brief")
    assert done.returncode == 0, done.stderr
    this_machine.wait(lambda: this_machine.record("brief")["status"] == "Stopped")
    this_machine.wait(lambda: this_machine.left_running() == [], 10)


def test_a_job_whose_process_was_killed_has_failed(machine):
    assert machine.train("killed", FOREVER).returncode == 0
    machine.wait(lambda: (machine.runs / ".local/training-jobs/killed/logs").exists())
    machine.wait(lambda: "Training>" in machine.log_of("killed"))
    runner = int((machine.runs / ".local/training-jobs/killed/runner").read_text().partition(":")[0])
    os.kill(runner, signal.SIGKILL)
    done = machine("fetch.py", "--local", "killed")
    assert done.returncode == 1
    assert "the process that ran this job was killed" in done.stderr
    if machine.engine == "docker":
        assert "Removed container killed, which a killed process had left" in done.stderr
        assert "Removed" not in machine("fetch.py", "--local", "killed").stderr
    machine.wait(lambda: machine.left_running() == [], 10)


def test_an_endpoint_that_fails_is_removed_and_its_reason_said(this_machine, ppo_job, tmp_path):
    broken = shutil.copytree(ppo_job.ml / "model", tmp_path / "broken")
    (broken / "policy-symbol.json").write_text("{}")
    archive = shutil.make_archive(str(tmp_path / "broken"), "gztar", broken)
    done = this_machine("deploy.py", "--instance-type", "local", archive)
    assert done.returncode == 1
    assert "Failed: The container ended before it was healthy." in done.stderr
    assert "Error: The policy artifact is damaged: policy-symbol.json is not the file" in done.stderr
    assert "There is nothing left" in this_machine("delete.py", "--local").stdout
    this_machine.wait(lambda: this_machine.left_running() == [], 10)


def test_a_failed_update_leaves_what_served(this_machine, good, ppo_job, tmp_path):
    broken = shutil.copytree(ppo_job.ml / "model", tmp_path / "broken")
    (broken / "policy.json").unlink()
    archive = shutil.make_archive(str(tmp_path / "broken"), "gztar", broken)
    assert this_machine("deploy.py", "--instance-type", "local", good).returncode == 0
    before = this_machine("predict.py", "--local", "[0, 0]").stdout
    done = this_machine("deploy.py", "--instance-type", "local", archive)
    assert done.returncode == 1
    assert "There is no policy.json" in done.stderr
    assert this_machine("predict.py", "--local", "[0, 0]").stdout == before
    log = this_machine("logs.py", "--local", "--endpoint-name", "rl-mountain-car").stdout
    assert re.search(r'^\[version-1\] .*"message":"request"', log, re.MULTILINE)
    assert re.search(r"^\[version-2\] .*There is no policy.json", log, re.MULTILINE)
    assert this_machine("deploy.py", "--instance-type", "local", good).returncode == 0
    assert "[version" not in this_machine("logs.py", "--local", "--endpoint-name", "rl-mountain-car").stdout
    assert this_machine("delete.py", "--local", "--yes").returncode == 0
    this_machine.wait(lambda: this_machine.left_running() == [], 10)


KILLED = """
import os, signal, sys
sys.argv = ["deploy.py", "--local", sys.argv[1]]
from launch.local import records as local_records
import deploy
write = local_records.write
def killed(kind, name, record):
    if kind == local_records.ENDPOINTS and "url" in record.get("next", {}):
        os.kill(os.getpid(), signal.SIGKILL)
    write(kind, name, record)
local_records.write = killed
deploy.main()
"""
"""deploy.py, killed when the container runs and nobody has written down which it is."""


@pytest.fixture
def good(ppo_job, tmp_path) -> str:
    return shutil.make_archive(str(tmp_path / "good"), "gztar", ppo_job.ml / "model")


def kill_a_deployment(machine: Machine, archive: str) -> None:
    environment = {**machine.environment, "PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run([sys.executable, "-c", KILLED, archive], env=environment, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert machine.left_running()


def test_a_killed_creation_has_failed_and_can_be_deleted(machine, good):
    kill_a_deployment(machine, good)
    assert re.search(r"^endpoint +rl-mountain-car +Failed ", machine("list.py", "--local").stdout, re.MULTILINE)
    for name, *arguments in (("predict.py", "0,0"), ("deploy.py", good)):
        done = machine(name, "--local", *arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("Error: Endpoint rl-mountain-car is Failed, expected InService")
    assert machine("delete.py", "--local", "--yes").returncode == 0
    machine.wait(lambda: machine.left_running() == [], 10)
    assert "There is nothing left" in machine("delete.py", "--local").stdout
    assert machine("deploy.py", "--local", good).returncode == 0
    assert machine("delete.py", "--local", "--yes").returncode == 0


def test_a_killed_update_leaves_what_served(machine, good):
    assert machine("deploy.py", "--local", good).returncode == 0
    standing = machine.left_running()
    kill_a_deployment(machine, good)
    assert machine("predict.py", "--local", "0,0").returncode == 0
    machine.wait(lambda: machine.left_running() == standing, 10)
    assert machine("deploy.py", "--local", good).returncode == 0
    assert machine("delete.py", "--local", "--yes").returncode == 0
    machine.wait(lambda: machine.left_running() == [], 10)
    assert not list((machine.runs / ".local/models").iterdir())


def test_a_damaged_record_hides_no_other(this_machine, good):
    assert this_machine.train("ended", {"discount": "2"}, "--wait").returncode == 1
    assert this_machine.train("other", {"discount": "2"}, "--wait").returncode == 1
    assert this_machine("deploy.py", "--local", good).returncode == 0
    records = this_machine.runs / ".local"
    damaged = (records / "training-jobs/ended/record.json", records / "endpoints/rl-mountain-car/record.json")
    for content in ("{", "{}", "[1]"):
        for file in damaged:
            file.write_text(content)
        done = this_machine("list.py", "--local", "--name-contains", "")
        assert done.returncode == 0
        assert [line.split()[-4:-2] for line in done.stdout.splitlines()] == [
            ["other", "Failed"],
            ["rl-mountain-car", "Failed"],
        ]
        assert done.stderr.splitlines() == [
            f"What is remembered of {file.parent.name} is damaged: {file}." for file in damaged
        ]
        done = this_machine("fetch.py", "--local", "ended")
        assert (done.returncode, done.stderr) == (2, f"Error: What is remembered of ended is damaged: {damaged[0]}.\n")
    assert this_machine("delete.py", "--local", "--yes").returncode == 0
    this_machine.wait(lambda: this_machine.left_running() == [], 10)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_transform_that_is_ended_leaves_no_model(this_machine, good, tmp_path, how):
    file = tmp_path / "o.csv"
    file.write_text("0.5,-0.5\n" * 100_000)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts/transform.py"), "--local", good, str(file)],
        env=this_machine.environment,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    job = process.stdout.readline().split()[-1]
    process.send_signal(how)
    rest = process.communicate(timeout=60)[0]
    assert (f"Transform job {job} is being stopped." in rest) == (how == signal.SIGINT)
    ended = "Completed" if how == signal.SIGKILL else "Stopped"
    this_machine.wait(lambda: f"{job:<64}{ended}" in this_machine("list.py", "--local").stdout)
    this_machine.wait(lambda: this_machine.left_running() == [], 10)
    assert not list((this_machine.runs / ".local/models").iterdir())
    done = this_machine("stop.py", "--local", job)
    assert (done.returncode, done.stderr) == (2, f"Error: Transform job {job} is {ended}, expected InProgress.\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--image", "no-such-image:1"), "no-such-image"),
        (("--checkpoint-uri", "/x", "-p", "a"), "-p is 'a', expected NAME=VALUE."),
    ],
)
def test_mistakes(this_machine, arguments, sentence):
    done = this_machine("train.py", "--instance-type", "local", *arguments)
    if this_machine.engine == "docker" or "-p" in arguments:
        assert done.returncode == 2
        assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_dropped_silently(this_machine):
    done = this_machine.train(
        "quick", {"discount": "2"}, "--wait", "--spot", "--kms-key", "k", "--subnets", "s", "--security-groups", "g"
    )
    left_out = done.stderr.splitlines()[0].partition(": ")[2].split(", ")
    assert set(left_out) == {
        "RoleArn",
        "OutputDataConfig.KmsKeyId",
        "ResourceConfig.VolumeSizeInGB",
        "StoppingCondition.MaxWaitTimeInSeconds",
        "VpcConfig.SecurityGroupIds",
        "VpcConfig.Subnets",
        "EnableManagedSpotTraining",
    }


def test_a_parameter_that_local_mode_cannot_honour_is_refused(monkeypatch, tmp_path):
    from botocore.exceptions import ClientError, ParamValidationError
    from launch.local.clients import LocalClients

    monkeypatch.setenv("RL_RUNS", str(tmp_path))
    monkeypatch.setenv("RL_LOCAL_ENGINE", "process")
    sagemaker = LocalClients().sagemaker
    request = {
        "TrainingJobName": "x",
        "RoleArn": "arn:aws:iam::000000000000:role/local",
        "AlgorithmSpecification": {"TrainingImage": "mountain-car-training:latest", "TrainingInputMode": "Pipe"},
        "OutputDataConfig": {"S3OutputPath": f"file://{tmp_path}"},
        "ResourceConfig": {"InstanceType": "local", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    with pytest.raises(ClientError, match="TrainingInputMode is 'Pipe', expected 'File'"):
        sagemaker.create_training_job(**request)
    request["AlgorithmSpecification"]["TrainingInputMode"] = "File"
    request["ResourceConfig"]["KeepAlivePeriodInSeconds"] = 60
    with pytest.raises(ClientError, match="KeepAlivePeriodInSeconds is 60, which local mode does not know"):
        sagemaker.create_training_job(**request)
    del request["ResourceConfig"]["KeepAlivePeriodInSeconds"], request["RoleArn"]
    with pytest.raises(ParamValidationError, match="RoleArn"):
        sagemaker.create_training_job(**request)
    assert list(tmp_path.iterdir()) == []


def test_several_hosts_find_each_other(docker_machine, tmp_path):
    """Each host is told the names of all, and reaches them; what each leaves is in the archives."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "hosts.py").write_text(
        "import json, os, pathlib, socket\n"
        "config = json.loads(pathlib.Path('/opt/ml/input/config/resourceconfig.json').read_text())\n"
        "own = config['current_host']\n"
        "addresses = {host: socket.gethostbyname(host) for host in config['hosts']}\n"
        "assert len(set(addresses.values())) == 2, addresses\n"
        "pathlib.Path('/opt/ml/model').mkdir(exist_ok=True)\n"
        "pathlib.Path(f'/opt/ml/model/{own}.json').write_text(json.dumps(config))\n"
        "print('I am', own, 'of', sorted(addresses))\n"
    )
    options = ("--source-dir", str(source), "--entry-point", "hosts.py", "--instance-count", "2", "--wait")
    done = docker_machine.train("pair", {}, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    for host in ("algo-1", "algo-2"):
        assert f"[{host}] I am {host} of ['algo-1', 'algo-2']" in done.stdout
    assert docker_machine("fetch.py", "--local", "pair").returncode == 0
    folder = unpacked(docker_machine.runs / "pair/model.tar.gz", tmp_path / "model")
    for host in ("algo-1", "algo-2"):
        config = json.loads((folder / f"{host}.json").read_text())
        assert (config["current_host"], config["hosts"]) == (host, ["algo-1", "algo-2"])
    docker_machine.wait(lambda: docker_machine.left_running() == [], 10)


def test_a_host_that_fails_ends_the_others(docker_machine, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "hosts.py").write_text(
        "import os, sys, time\nif os.environ['SM_CURRENT_HOST'] == 'algo-2':\n    sys.exit(3)\ntime.sleep(300)\n"
    )
    begun = time.monotonic()
    options = ("--source-dir", str(source), "--entry-point", "hosts.py", "--instance-count", "2", "--wait")
    done = docker_machine.train("pair", {}, *options)
    assert done.returncode == 1
    assert "hosts.py ended with exit status 3" in done.stderr
    assert time.monotonic() - begun < 60
    docker_machine.wait(lambda: docker_machine.left_running() == [], 10)


def test_a_container_uploads_to_s3_while_it_runs(docker_machine, aws):
    """With a bucket, local mode's containers work with S3 as SageMaker's do; here the local AWS server's."""
    s3 = aws.client("s3")
    region = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket="cars", CreateBucketConfiguration=region)
    with_aws = {name: aws.environment[name] for name in NO_AWS}
    hyperparameters = {**FOREVER, "evaluation_freq_env_steps": "12000"}
    arguments = ("--instance-type", "local", "--bucket", "cars", "--prefix", "p", "--job-name", "up")
    done = docker_machine("train.py", *arguments, *flags(hyperparameters), **with_aws)
    assert done.returncode == 0, done.stderr

    def keys() -> list[str]:
        return [each["Key"] for each in s3.list_objects_v2(Bucket="cars").get("Contents", [])]

    docker_machine.wait(lambda: f"p/up/output/intermediate/{CSV}" in keys(), 90)
    docker_machine.wait(lambda: any(".gif" in key for key in keys()), 90)
    assert docker_machine.record("up")["status"] == "InProgress"
    partly = docker_machine("fetch.py", "--local", "--no-wait", "up", **with_aws)
    assert partly.returncode == 0, partly.stderr
    assert (docker_machine.runs / "up/reward.png").is_file()
    runner = int((docker_machine.runs / ".local/training-jobs/up/runner").read_text().partition(":")[0])
    os.kill(runner, signal.SIGTERM)
    docker_machine.wait(lambda: docker_machine.record("up")["status"] == "Stopped")
    assert {"p/up/output/model.tar.gz", "p/up/output/output.tar.gz"} <= set(keys())
    docker_machine.wait(lambda: docker_machine.left_running() == [], 10)


def test_a_dry_run_of_local_mode(this_machine):
    request = requests_of(this_machine("train.py", "--instance-type", "local", "--dry-run"))["CreateTrainingJob"]
    assert request["ResourceConfig"]["InstanceType"] == "local"
    assert not (this_machine.runs / ".local/training-jobs").exists()
