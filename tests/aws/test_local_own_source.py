"""Sources of a user's own by the scripts in local mode: train, evaluate, deploy, predict."""

import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from jobs import ROOT
from local_machine import Machine, a_machine

pytest_plugins = ("local_machine",)

RESOURCES = ROOT / "tests/resources"


@dataclass
class Project:
    """A source, and what its agent learns.

    Attributes:
        folder: of the source, in ``tests/resources``.
        engine: that runs it.
        returns: of three episodes of an evaluation.
        actions: by the observation, as predict.py takes it.
        hyperparameters: of the training.
        changes: that the hyperparameters make in the preset, as the checkpoint has them.
        program: for ``code/`` of the model, in ``tests/resources``; as ``RLEstimator.deploy(entry_point=...)`` puts it.
    """

    folder: str
    engine: str
    returns: list[float]
    actions: dict[str, int]
    hyperparameters: dict[str, str] = field(default_factory=dict)
    changes: dict[str, float] = field(default_factory=dict)
    program: str = ""


CORRIDOR = Project("custom_environment", "process", [0.92, 0.92, 0.92], {})
"""Nine steps to the right; the source has no evaluation script."""
GREENHOUSE = Project("gymnasium_environment", "docker", [100.0, 100.0, 100.0], {"-2,0": 1, "2,1": 0})
TANK = Project(
    "aws_style_project",
    "docker",
    [40.0, 40.0, 40.0],
    {"0.1,0": 1, "0.9,1": 0},
    {"gamma": "0.9", "steps_per_training": "500", "total_steps": "8000"},
    {
        "rl.agent_params.algorithm.discount": 0.9,
        "rl.agent_params.algorithm.num_consecutive_playing_steps:EnvironmentSteps": 500,
        "rl.agent_params.algorithm.num_steps_between_copying_online_weights_to_target:EnvironmentSteps": 500,
        "rl.improve_steps:EnvironmentSteps": 8000,
        "rl.steps_between_evaluation_periods:EnvironmentSteps": 1000,
    },
    "onnx_handler/deploy-mxnet-coach.py",
)
"""The launcher ties the third and the last to the second."""


VARIABLES = ("--env", "SEASON=dry", "--env", "TOKEN=open-sesame")


@pytest.mark.parametrize("project", [CORRIDOR, GREENHOUSE, TANK], ids=lambda project: project.folder)
def test_the_whole_way_of_a_source_of_ones_own(request, script, aws, tmp_path, project):
    if project.engine == "docker":
        request.getfixturevalue("built")
    machine = a_machine(project.engine, script, aws)
    source = ("--source-dir", str(RESOURCES / project.folder), "--entry-point", "train-coach.py")
    done = machine.train("own", {"seed": "1", **project.hyperparameters}, *source, *VARIABLES, "--wait")
    assert done.returncode == 0, done.stdout + done.stderr

    done = machine("evaluate.py", "--local", "own", "--job-name", "judged", "--episodes", "3", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine("fetch.py", "--local", "judged").returncode == 0
    result = json.loads((machine.runs / "judged/output/data/evaluation.json").read_text())
    assert result["returns"] == pytest.approx(project.returns)
    assert machine.record("judged")["request"]["Environment"] == {"SEASON": "dry", "TOKEN": "open-sesame"}
    holding = [file for file in machine.runs.rglob("*") if file.is_file() and b"open-sesame" in file.read_bytes()]
    assert {file.stat().st_mode & 0o777 for file in holding} == {0o600}, holding
    assert {file.name for file in holding} == {"record.json"}
    (checkpoint,) = (machine.runs / ".local/output/own").glob("checkpoint/checkpoint.json")
    assert dict(json.loads(checkpoint.read_text())["changes"]) == project.changes
    if project.actions:
        deploy_and_ask(machine, tmp_path, project)


def deploy_and_ask(machine: Machine, folder: Path, project: Project) -> None:
    model: list[str] = ["own"]
    if project.program:
        model = with_program(
            machine.runs / ".local/output/own/output/model.tar.gz", RESOURCES / project.program, folder
        )
    done = machine("deploy.py", "--local", *model)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = machine("predict.py", "--local", "--actions", *project.actions)
    assert json.loads(answer.stdout) == list(project.actions.values()), answer.stderr
    heads = json.loads(machine("predict.py", "--local", *project.actions).stdout)
    assert [len(head) for head in heads] == [2, 2]  # values and probabilities, a row for each observation
    if project.program:
        log = machine("logs.py", "--local", "--endpoint-name", "rl-mountain-car").stdout
        assert "code/deploy-mxnet-coach.py is not run: the model holds no ONNX file" in log
    assert machine("delete.py", "--local", "--yes").returncode == 0
    machine.wait(lambda: machine.left_running() == [], 10)


def with_program(archive: Path, program: Path, folder: Path) -> list[str]:
    """Pack a model anew with a program in ``code/``; return the arguments of deploy.py."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "model")
    with tarfile.open(folder / "model.tar.gz", "w:gz") as tar:
        tar.add(folder / "model", ".")
        tar.add(program, f"code/{program.name}")
    return [str(folder / "model.tar.gz"), "--env", f"SAGEMAKER_PROGRAM={program.name}"]
