"""Training jobs of this machine: failing, stopping, several at once, several hosts."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest
from jobs import CSV, ROOT, SHORT_PPO
from local_machine import FOREVER, NO_AWS, a_machine, flags, unpacked

pytest_plugins = ("local_machine",)


def test_a_failed_job_says_why(machine):
    done = machine.train("bad", {"discount": "1.5"}, "--wait", "--role", "by-name")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "Local mode leaves out of CreateTrainingJob: RoleArn"  # which was given
    assert done.stderr.splitlines()[-1] == (
        "Failed: AlgorithmError: Hyperparameter discount is 1.5, expected a number between 0 and 1., exit code: 1"
    )
    assert "discount is 1.5" in done.stdout  # its log
    machine.wait(lambda: machine.left_running() == [], 10)
    done = machine("fetch.py", "--local", "bad")
    assert done.returncode == 1
    assert "discount is 1.5" in done.stderr


def test_a_job_is_stopped_after_its_max_runtime(this_machine):
    done = this_machine.train("long", FOREVER, "--wait", "--max-runtime", "10")
    assert done.returncode == 3, done.stderr
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
    steps = {"improve_steps": "100000"} if status == "Completed" else {}
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
    taken_up = this_machine("logs.py", "--local", "--follow", "--tail", "3", "asked")
    assert taken_up.returncode == (0 if status == "Completed" else 3), taken_up.stderr
    assert f"\n{status}: " in taken_up.stdout
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
        assert re.search("Removed container killed-[0-9a-f]{6}, which a killed process had left", done.stderr)
        assert "Removed" not in machine("fetch.py", "--local", "killed").stderr
    machine.wait(lambda: machine.left_running() == [], 10)


def test_a_training_that_the_system_kills_says_so(script, aws):
    machine = a_machine("process", script, aws)
    assert machine.train("large", FOREVER).returncode == 0
    machine.wait(lambda: (machine.runs / ".local/training-jobs/large/logs").exists())
    machine.wait(lambda: "Training>" in machine.log_of("large"))
    runner = int((machine.runs / ".local/training-jobs/large/runner").read_text().partition(":")[0])
    (training,) = psutil.Process(runner).children()
    training.kill()
    done = machine("fetch.py", "--local", "large")
    assert done.returncode == 1
    assert "AlgorithmError: killed by signal 9, perhaps out of memory, exit code: -9" in done.stderr


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
