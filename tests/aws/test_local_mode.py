"""The scripts with --instance-type local: the whole way, mistakes, and what local mode does not honour."""

import json
from pathlib import Path

import numpy as np
import pytest
from event_files import events
from jobs import CSV, SHORT_PPO
from launch.sagemaker.results import read_rewards
from local_aws import requests_of
from local_machine import Machine, unpacked
from PIL import Image
from sagemaker_rl.policy.artifact import Policy

pytest_plugins = ("local_machine",)

SAMPLES = [[0.5, -0.5], [-0.5, 0.5]]


def test_the_whole_way(this_machine, tmp_path):
    """Train, wait, fetch, plot, evaluate, deploy, predict, drive, transform, delete; nothing is left running.

    Without an engine it is a walk of the documents: tests/docs/test_commands.py.
    """
    train_and_fetch(this_machine)
    evaluate(this_machine)
    folder = this_machine.runs / "mine"
    done = this_machine("deploy.py", "--instance-type", "local", "mine")
    assert done.returncode == 0, done.stdout + done.stderr
    first = this_machine("predict.py", "--local", *map(json.dumps, SAMPLES))
    policy = Policy.load(unpacked(folder / "model.tar.gz", tmp_path / "model"))
    observations = np.array(SAMPLES, dtype=np.float32)
    assert np.allclose(json.loads(first.stdout), policy.heads(observations), atol=1e-5)
    drive(this_machine, tmp_path / "new/driven.gif")
    bad = this_machine("predict.py", "--local", "[1, 2, 3]")
    assert bad.returncode == 2
    assert "Error: The endpoint answered 400: The body has the shape [3], expected [2]" in bad.stderr
    transform(this_machine, tmp_path, policy.actions(observations))

    # an update: the endpoint answers all the while
    client = EndpointOf(this_machine)
    assert client.answers()
    done = this_machine("deploy.py", "--instance-type", "local", str(folder / "model.tar.gz"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Updating endpoint rl-mountain-car" in done.stdout
    assert client.answers()
    assert this_machine("predict.py", "--local", *map(json.dumps, SAMPLES)).stdout == first.stdout

    list_and_show_logs(this_machine)
    done = this_machine("delete.py", "--local", "--yes")
    assert done.returncode == 0, done.stderr
    assert "There is nothing left" in this_machine("delete.py", "--local").stdout
    this_machine.wait(lambda: this_machine.left_running() == [], 10)
    assert not list((this_machine.runs / ".local/models").iterdir())


def train_and_fetch(machine: Machine) -> None:
    done = machine.train("mine", {**SHORT_PPO, "improve_steps": "48000"}, "--wait", "--tensorboard")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "Training: Training in the container" in lines
    assert any(line.startswith("Evaluation> Evaluation reward=") for line in lines)
    assert any(line.split()[:1] == ["reward-evaluation"] for line in lines)
    assert "Local mode leaves out" not in done.stderr  # nothing was given that it does not honour

    done = machine("fetch.py", "--local", "mine")
    assert done.returncode == 0, done.stderr
    folder = machine.runs / "mine"
    assert (folder / "output/intermediate" / CSV).is_file()
    assert (folder / "output/data/checkpoint/.coach_checkpoint").is_file()
    written = events(folder / "tensorboard")  # by the container, as rows of the CSV
    assert [step for step, _ in written] == sorted(step for step, _ in written)
    rewards = [scalars["Evaluation Reward"] for _, scalars in written if "Evaluation Reward" in scalars]
    assert rewards == pytest.approx([reward for _, reward in read_rewards(folder / "output/intermediate").evaluation])
    with Image.open(folder / "reward.png") as plot, Image.open(folder / "episode.gif") as gif:
        assert plot.size[0] > 500
        assert gif.n_frames > 1


def evaluate(machine: Machine) -> None:
    done = machine(
        "evaluate.py", "--instance-type", "local", "--job-name", "judged", "mine", "--episodes", "2", "--wait"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine("fetch.py", "--local", "judged").returncode == 0
    assert json.loads((machine.runs / "judged/output/data/evaluation.json").read_text())["episodes"] == 2


def drive(machine: Machine, gif: Path) -> None:
    done = machine("predict.py", "--local", "--episode", "--gif", str(gif))
    assert done.stdout.startswith("Return "), done.stderr
    assert done.returncode in (0, 1)  # so short a training need not have learnt to climb
    with Image.open(gif) as film:
        assert 10 < film.n_frames <= 201


def transform(machine: Machine, folder: Path, actions: np.ndarray) -> None:
    for suffix, content in ((".csv", "0.5,-0.5\n-0.5,0.5\n"), (".jsonl", "[0.5,-0.5]\n[-0.5,0.5]\n")):
        file = folder / f"observations{suffix}"
        file.write_text(content)
        done = machine("transform.py", "--instance-type", "local", "mine", str(file))
        assert done.returncode == 0, done.stdout + done.stderr
        answered = [line.strip("[]") for line in Path(f"{file}.out").read_text().splitlines()]
        assert np.allclose([[float(number)] for number in answered], actions, atol=1e-5)
    rows = folder / "rows.csv"
    rows.write_bytes(b"a,0.5,-0.5\r\n\r\nb,-0.5,0.5")
    one_each = ("--strategy", "SingleRecord", "--max-concurrent", "2")
    filters = ("--input-filter", "$[1:]", "--join", "--output-filter", "$[0,-1]")
    done = machine("transform.py", "--instance-type", "local", "mine", str(rows), *filters, *one_each)
    assert done.returncode == 0, done.stdout + done.stderr
    identifiers, answered = zip(
        *(line.split(",") for line in Path(f"{rows}.out").read_text().splitlines()), strict=True
    )
    assert identifiers == ("a", "b")
    assert np.allclose([[float(number)] for number in answered], actions, atol=1e-5)
    rows.write_text("0.5,-0.5\n0.5,0.5,0.5\n")
    done = machine("transform.py", "--instance-type", "local", "mine", str(rows), "--strategy", "SingleRecord")
    assert done.returncode == 1
    assert "Failed: ClientError: rows.csv, request 2: the container answered 400: " in done.stderr


def list_and_show_logs(machine: Machine) -> None:
    assert "Evaluation> Evaluation reward=" in machine("logs.py", "--local", "mine").stdout
    assert '"message":"request"' in machine("logs.py", "--local", "--endpoint-name", "rl-mountain-car").stdout
    listed = machine("list.py", "--local", "--name-contains", "").stdout
    *jobs, failed, _, first_transform, second_transform, endpoint = [
        line.split()[-4:-2] for line in listed.splitlines()
    ]
    assert failed[1] == "Failed"
    assert (*jobs, endpoint) == (["judged", "Completed"], ["mine", "Completed"], ["rl-mountain-car", "InService"])
    assert first_transform > second_transform
    assert first_transform[1] == second_transform[1] == "Completed"
    assert '"message":"request"' in machine("logs.py", "--local", first_transform[0]).stdout
    nothing = machine("list.py", "--local", "--name-contains", "x").stdout
    assert nothing == "There is no job or endpoint with x in its name on this machine.\n"


class EndpointOf:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def answers(self) -> bool:
        return self.machine("predict.py", "--local", "[0, 0]").returncode == 0


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


def test_a_wrong_number_of_interruptions_is_told_before_a_job_begins(this_machine):
    done = this_machine("train.py", "--local", "--spot", "--job-name", "x", RL_LOCAL_SPOT_INTERRUPTIONS="often")
    assert done.returncode == 2
    expected = "Error: RL_LOCAL_SPOT_INTERRUPTIONS is 'often', expected a whole number, 0 or more.\n"
    assert done.stderr.endswith(expected)
    assert not (this_machine.runs / ".local/training-jobs/x").exists()


def test_nothing_is_dropped_silently(this_machine):
    network = ("--subnets", "s", "--security-groups", "g")
    flags = ("--spot", "--max-wait", "7200", "--volume-gb", "20", "--kms-key", "k")
    done = this_machine.train("quick", {"discount": "2"}, "--wait", *flags, *network)
    left_out = done.stderr.splitlines()[0].partition(": ")[2].split(", ")
    assert set(left_out) == {
        "OutputDataConfig.KmsKeyId",
        "ResourceConfig.VolumeSizeInGB",
        "StoppingCondition.MaxWaitTimeInSeconds",
        "VpcConfig.SecurityGroupIds",
        "VpcConfig.Subnets",
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
    request["SessionChainingConfig"] = {"EnableSessionTagChaining": True}
    with pytest.raises(ClientError, match="EnableSessionTagChaining is True, which local mode does not know"):
        sagemaker.create_training_job(**request)
    del request["SessionChainingConfig"], request["RoleArn"]
    with pytest.raises(ParamValidationError, match="RoleArn"):
        sagemaker.create_training_job(**request)
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_of_local_mode(this_machine):
    request = requests_of(this_machine("train.py", "--instance-type", "local", "--dry-run"))["CreateTrainingJob"]
    assert request["ResourceConfig"]["InstanceType"] == "local"
    assert not (this_machine.runs / ".local/training-jobs").exists()
