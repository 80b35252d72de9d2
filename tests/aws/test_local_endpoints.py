"""Endpoints and transform jobs of this machine: failing, updated, killed on the way, with a damaged record."""

import json
import re
import shutil
import signal
import subprocess
import sys

import pytest
from jobs import ROOT
from local_machine import Machine

pytest_plugins = ("local_machine",)


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


def test_an_endpoint_serves_several_models(machine, ppo_job, tmp_path):
    archives = {}
    for name in ("car", "sign"):
        folder = shutil.copytree(ppo_job.ml / "model", tmp_path / name)
        if name == "sign":
            (folder / "code").mkdir()
            (folder / "code/inference.py").write_text("def output_fn(prediction, accept):\n    return '\"sign\"'\n")
        archives[name] = shutil.make_archive(str(tmp_path / name), "gztar", folder)
    room_for_one = ("--env", "SAGEMAKER_RL_MAX_MODELS=1")  # the other is unloaded
    for (name, archive), flags in zip(archives.items(), (room_for_one, ()), strict=True):
        done = machine("deploy.py", "--local", "--multi-model", archive, "--target-model", name, *flags)
        assert done.returncode == 0, done.stderr
    listed = machine("list.py", "--local", "--endpoint-name", "rl-mountain-car").stdout
    assert re.findall(r"^(\S+) +[\d,]+ bytes$", listed, re.MULTILINE) == ["car.tar.gz", "sign.tar.gz"]
    predict = ("predict.py", "--local", "0.5,-0.5")
    for name in ("car", "sign", "car"):
        done = machine(*predict, "--target-model", name)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == "sign" if name == "sign" else len(json.loads(done.stdout)) == 3
    for command, sentence in (
        (predict, "TargetModel is '', expected a model of rl-mountain-car"),
        ((*predict, "--target-model", "other"), "TargetModel is 'other.tar.gz', expected a model"),
        (("predict.py", "--local", "1,2,3", "--target-model", "car"), "The endpoint answered 400"),
    ):
        done = machine(*command)
        assert done.returncode == 2, done.stdout
        assert sentence in done.stderr
    assert machine("delete.py", "--local", "--target-model", "car", "--yes").returncode == 0
    assert machine(*predict, "--target-model", "car").returncode == 2
    assert machine(*predict, "--target-model", "sign").returncode == 0
    assert machine("delete.py", "--local", "--yes").returncode == 0
    machine.wait(lambda: machine.left_running() == [], 10)


KILLED = """
import os, signal, sys
sys.argv = ["deploy.py", "--local", sys.argv[1]]
from launch.local import records
import deploy
write = records.write
def killed(kind, name, record):
    if kind == records.ENDPOINTS and record.next and record.next.url:
        os.kill(os.getpid(), signal.SIGKILL)
    write(kind, name, record)
records.write = killed
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
