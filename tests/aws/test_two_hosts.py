"""Training jobs of two hosts: two containers of local mode, which find each other by the image's own ssh and mpirun."""

import hashlib
import re
import shutil
import time

from jobs import ROOT, run_training
from launch.local import images
from local_machine import unpacked
from sagemaker_rl.training import generations

pytest_plugins = ("local_machine",)

OWN = ROOT / "tests/resources/custom_environment"
SOURCE = ("--source-dir", str(OWN), "--entry-point", "train-coach.py")
SHORT = {"seed": "3", "improve_steps": "4096"}


def parameters_of(folder) -> str:
    return hashlib.sha256((folder / "policy-0000.params").read_bytes()).hexdigest()


def test_two_hosts_train_an_environment_of_ones_own_as_one_does(docker_machine, tmp_path):
    done = docker_machine.train("pair", SHORT, *SOURCE, "--instance-count", "2", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\[algo-1\] Path> Path=accelerated, Environments=\d+, Ranks=2$", done.stdout, re.MULTILINE)
    assert len(re.findall(r"^\[algo-\d\] Schedule> ", done.stdout, re.MULTILINE)) == 1
    assert done.stdout.count("Hosts> Keys of=the job's ARN and a random value") == 2
    assert "reward-evaluation" in done.stdout
    assert docker_machine("fetch.py", "--local", "pair").returncode == 0
    model = unpacked(docker_machine.runs / "pair/model.tar.gz", tmp_path / "model")
    own = {**SHORT, "RLCOACH_PRESET": "preset-corridor"}
    alone = run_training(
        tmp_path / "alone", own, lambda ml: (ml / "code").parent.mkdir() or (ml / "code").symlink_to(OWN)
    )
    assert parameters_of(model) == parameters_of(alone.ml / "model")
    docker_machine.wait(lambda: docker_machine.left_running() == [], 10)


def test_a_host_that_dies_ends_the_job_with_one_sentence_and_a_whole_checkpoint(docker_machine, tmp_path):
    uri = ("--checkpoint-uri", str(tmp_path / "checkpoints"))
    started = docker_machine.train(
        "pair", {"seed": "3", "improve_steps": "100000000"}, *SOURCE, "--instance-count", "2", *uri
    )
    assert started.returncode == 0, started.stderr
    docker_machine.wait(lambda: "Checkpoint> Saved in=/opt/ml/checkpoints" in docker_machine.log_of("pair"), 120)
    (other,) = images.connect().containers.list(filters={"name": "pair-algo-2"})
    other.kill()
    killed = time.monotonic()
    docker_machine.wait(lambda: docker_machine.record("pair")["status"] == "Failed", 60)
    assert time.monotonic() - killed < 30
    reason = "AlgorithmError: algo-2: killed by signal 9, perhaps out of memory, exit code: 137"
    assert docker_machine.record("pair")["failure"] == reason
    assert generations.newest(tmp_path / "checkpoints")
    docker_machine.wait(lambda: docker_machine.left_running() == [], 10)
