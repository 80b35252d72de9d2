"""A project written for AWS's Coach image, as it is: its launcher, its evaluation script, its copied package."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jobs import CSV, ROOT, Job, give_checkpoint, process_environment, run_training, write_inputs

PROJECT = ROOT / "tests/resources/aws_style_project"
SHORT = {
    "seed": "3",
    "gamma": "0.9",
    "steps_per_training": "400",
    "total_steps": "800",
    "rl.agent_params.algorithm.optimization_epochs": "2",
}
OLDER_LAUNCHER = """
from common.sagemaker_rl.coach_launcher import SageMakerCoachLauncher
from rl_coach.agents.dqn_agent import DQNAgentParameters
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment


class MyLauncher(SageMakerCoachLauncher):
    def config_schedule(self, schedule_params):
        schedule_params.heatup_steps = EnvironmentSteps(40)
        schedule_params.improve_steps = EnvironmentSteps(4000)
        schedule_params.steps_between_evaluation_periods = EnvironmentSteps(120)
        schedule_params.evaluation_steps = EnvironmentEpisodes(1)

    def define_environment(self):
        return GymVectorEnvironment(level="tank_env:TankEnv")

    def define_agent(self):
        return DQNAgentParameters()


if __name__ == "__main__":
    MyLauncher.train_main()
"""

SELF_MADE_LAUNCHER = """
import os

from rl_coach.utils import short_dynamic_import
from sagemaker_rl.added_by_the_project import LEARNING_RATE
from sagemaker_rl.coach_launcher import SageMakerCoachPresetLauncher


class MyLauncher(SageMakerCoachPresetLauncher):
    DEFAULT_PRESET = "preset-tank"

    def preset_from_name(self, preset_name):
        path = os.path.join(self.path_of_main_launcher(), preset_name) + ".py:graph_manager"
        return short_dynamic_import(path, ignore_module_case=True)

    def get_graph_manager_from_args(self, args):
        graph_manager = self.preset_from_name(args.preset)
        for network in graph_manager.agent_params.network_wrappers.values():
            network.framework = args.framework
            network.learning_rate = LEARNING_RATE
        self.hyperparameters.apply_subset(graph_manager, "rl.")
        return graph_manager

    def start_single_threaded(self, task_parameters, graph_manager, args):
        graph_manager.create_graph(task_parameters)
        print("Learning rate in the graph:", graph_manager.agent_params.network_wrappers["main"].learning_rate)
        graph_manager.improve()
        graph_manager.close()


if __name__ == "__main__":
    MyLauncher().launch()
    print("After the launch.")
"""


def run_script(ml: Path, source: Path, program: str, hyperparameters: dict[str, str]) -> Job:
    """Run a program of ``source`` in script mode."""
    mode = {"sagemaker_submit_directory": str(source), "sagemaker_program": program}
    return run_training(ml, {**hyperparameters, **mode})


def run_program(ml: Path, program: str, hyperparameters: dict[str, str], **environment: str) -> Job:
    """Run a program that lies in ``ml/code``, with nothing but the package on PYTHONPATH."""
    write_inputs(ml, hyperparameters)
    done = subprocess.run(
        [sys.executable, program],
        cwd=ml / "code",
        env={**process_environment(ml), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    return Job(ml, done.returncode, done.stdout)


@pytest.fixture(scope="module")
def training(tmp_path_factory) -> Job:
    job = run_script(tmp_path_factory.mktemp("aws-style"), PROJECT, "train-coach.py", SHORT)
    assert job.status == 0, job.log
    return job


@pytest.fixture
def code(tmp_path) -> Path:
    """The project where a job's program finds itself."""
    return Path(shutil.copytree(PROJECT, tmp_path / "code"))


def test_the_launcher_trains_with_its_ties(training):
    assert len(re.findall(r"^Package> sagemaker_rl=", training.log, re.MULTILINE)) == 1
    assert str(training.ml / "code/sagemaker_rl") in training.log
    checkpoint = json.loads((training.ml / "output/data/checkpoint/checkpoint.json").read_text())
    assert checkpoint["preset"] == "preset-tank"
    assert dict(checkpoint["changes"]) == {
        "rl.agent_params.algorithm.discount": 0.9,
        "rl.agent_params.algorithm.num_consecutive_playing_steps:EnvironmentSteps": 400,
        "rl.agent_params.algorithm.num_steps_between_copying_online_weights_to_target:EnvironmentSteps": 400,
        "rl.agent_params.algorithm.optimization_epochs": 2,
        "rl.improve_steps:EnvironmentSteps": 800,
        "rl.steps_between_evaluation_periods:EnvironmentSteps": 800,
    }
    assert training.metadata()["environment_steps"] == 800
    assert "Launcher> Not called=_save_tf_model, Reason=" in training.log


def test_such_a_job_leaves_what_any_job_leaves(training):
    left = {str(path.relative_to(training.ml)) for path in training.ml.rglob("*") if path.is_file()}
    assert {"model/policy.json", "output/data/report.html", f"output/intermediate/{CSV}"} <= left
    assert any(name.endswith(".gif") for name in left)
    assert re.search(r"^Evaluation> Evaluation reward=", training.log, re.MULTILINE)


def test_its_evaluation_script_leaves_what_an_evaluation_leaves(training, tmp_path):
    give_checkpoint(tmp_path, training)
    job = run_script(tmp_path, PROJECT, "evaluate-coach.py", {"evaluate_steps": "100", "seed": "5"})
    assert job.status == 0, job.log
    result = json.loads((tmp_path / "output/data/evaluation.json").read_text())
    assert (result["preset"], result["episodes"], result["seed"]) == ("preset-tank", 3, 5)
    assert json.loads((tmp_path / "output/intermediate/evaluation.json").read_text()) == result
    assert list((tmp_path / "output/intermediate/gifs").glob("*.gif"))
    assert (tmp_path / "output/intermediate" / CSV).is_file()
    assert re.search(r"^Evaluation> Evaluation reward=\S+, Standard deviation=\S+, Episodes=3$", job.log, re.MULTILINE)
    documentation = (tmp_path / "output/intermediate/worker_0.simple_rl_graph_0.json").read_text()
    assert '"discount": 0.9' in documentation, "what the training changed holds for the evaluation"


def test_an_evaluation_script_without_its_checkpoint_is_told_so(code, tmp_path):
    job = run_program(tmp_path, "evaluate-coach.py", {})
    assert job.status == 1
    assert job.failure.startswith("Input channel 'checkpoint' is missing")


def test_an_argument_that_its_parser_refuses_is_one_sentence(code, tmp_path):
    job = run_program(tmp_path, "evaluate-coach.py", {"evaluate_steps": "many"})
    assert job.status == 1
    assert "argument --evaluate_steps: invalid int value: 'many'" in job.failure


@pytest.mark.parametrize(
    ("hyperparameters", "sentence"),
    [
        ({"gama": "0.9"}, "Hyperparameter gama is unknown, did you mean 'gamma'?"),
        ({"gamma": "1.5"}, "Hyperparameter gamma is 1.5, expected a number between 0 and 1."),
        ({"num_workers": "2"}, "num_workers is 2, expected 1: Coach on MXNet trains in one process."),
    ],
)
def test_its_hyperparameters_are_checked(code, tmp_path, hyperparameters, sentence):
    job = run_program(tmp_path, "train-coach.py", hyperparameters)
    assert (job.status, job.failure) == (1, sentence), job.log


@pytest.mark.parametrize("by", ["environment variable", "hyperparameter"])
def test_the_copied_package_is_kept_if_asked_for(code, tmp_path, by):
    given = {"sagemaker_rl_package": "source"} if by == "hyperparameter" else {}
    environment = {} if by == "hyperparameter" else {"SAGEMAKER_RL_PACKAGE": "source"}
    job = run_program(tmp_path, "train-coach.py", given, **environment)
    assert job.status == 1
    assert "RuntimeError: the copied package sagemaker_rl was imported" in job.log


def test_coach_can_be_imported_first_in_an_image_without_scipy(code, tmp_path):
    (tmp_path / "absent/scipy").mkdir(parents=True)
    (tmp_path / "absent/scipy/__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'scipy'\")")
    path = os.pathsep.join([process_environment(tmp_path)["PYTHONPATH"], str(tmp_path / "absent")])
    (code / "first.py").write_text("import rl_coach.core_types, rl_coach.environments.gym_environment, rl_coach.coach")
    job = run_program(tmp_path, "first.py", {}, PYTHONPATH=path)
    assert job.status == 0, job.log


def test_a_launcher_without_preset_and_a_package_one_folder_down(code, tmp_path):
    (code / "common").mkdir()
    (code / "sagemaker_rl").rename(code / "common/sagemaker_rl")
    (code / "older.py").write_text(OLDER_LAUNCHER)
    steps = {"schedule_params.improve_steps:EnvironmentSteps": "240", "agent_params.algorithm.discount": "0.9"}
    job = run_program(tmp_path, "older.py", {"seed": "1", **steps})
    assert job.status == 0, job.log
    assert len(re.findall(r"^Package> sagemaker_rl=", job.log, re.MULTILINE)) == 1
    assert job.metadata()["environment_steps"] == 240
    refused = run_program(tmp_path, "older.py", {"agent_params.algorithm.discount": "2"})
    assert refused.failure == "Hyperparameter agent_params.algorithm.discount is 2, expected a number between 0 and 1."
    refused = run_program(tmp_path, "older.py", {"agent.algorithm.discount": "0.9"})
    assert refused.failure.startswith("Hyperparameter agent.algorithm.discount is unknown")

    (code / "evaluate-coach.py").unlink()  # the image's takes its place, and finds the launcher in the source
    give_checkpoint(tmp_path / "evaluation", job)
    given = {"RLCOACH_PRESET": "MyLauncher", "evaluate_steps": "1", "evaluate_episodes": "2"}
    evaluation = run_script(tmp_path / "evaluation", code, "evaluate-coach.py", given)
    assert evaluation.status == 0, evaluation.log
    assert "Program> Program=evaluate-coach.py, Reason=the source has none, hence the image's" in evaluation.log
    result = json.loads((tmp_path / "evaluation/output/data/evaluation.json").read_text())
    assert (result["preset"], result["episodes"]) == ("MyLauncher", 2)


def test_a_launcher_that_does_everything_itself_and_a_module_of_its_copied_package(code, tmp_path):
    (code / "sagemaker_rl/added_by_the_project.py").write_text("LEARNING_RATE = 0.0007")
    (code / "own.py").write_text(SELF_MADE_LAUNCHER)
    steps = {"rl.improve_steps:EnvironmentSteps": "1000", "rl.agent_params.algorithm.discount": "0.9"}
    job = run_program(tmp_path, "own.py", {"seed": "1", **steps})
    assert job.status == 0, job.log
    assert "Learning rate in the graph: 0.0007" in job.log
    assert job.log.rstrip().endswith("After the launch.")
    assert (tmp_path / "model/policy.json").is_file()
    checkpoint = json.loads((tmp_path / "output/data/checkpoint/checkpoint.json").read_text())
    assert dict(checkpoint["changes"])["rl.agent_params.algorithm.discount"] == 0.9
