"""A user's mistakes, through the entry points: one clear sentence, exit status 1, nothing half-written."""

import os
import shutil
import subprocess
import sys

import pytest
from jobs import (
    DQN,
    PPO,
    SHORT_PPO,
    Job,
    free_port,
    process_environment,
    run_prepared,
    run_training,
    start_server,
    write_inputs,
    write_own_environment,
)

EVALUATE = {"RLCOACH_PRESET": PPO, "evaluate_steps": "1", "sagemaker_program": "evaluate-coach.py"}


def assert_refused(job: Job, sentence: str) -> None:
    assert job.status == 1, job.log
    assert sentence in job.failure
    assert "\n" not in job.failure.strip()
    assert "Traceback" not in job.log
    assert f"Error: {job.failure}" in job.log
    left = [path.name for folder in ("model", "output/data") for path in (job.ml / folder).rglob("*")]
    assert set(left) <= {"report.html"}, "something is left"
    assert not list(job.ml.rglob(".saving"))


@pytest.mark.parametrize(
    ("hyperparameters", "sentence"),
    [
        (
            {"RLCOACH_PRESET": "preset-mountain-car-dpn"},
            "is 'preset-mountain-car-dpn', which is no preset here, did you mean 'preset-mountain-car-dqn'?",
        ),
        ({"RLCOACH_PRESET": "../train-coach"}, "RLCOACH_PRESET is '../train-coach', which is no preset"),
        ({"learning_rate": "0.1"}, "learning_rate is unknown, did you mean 'training_learning_rate'?"),
        ({"discount": "high"}, "discount is 'high', expected a number between 0 and 1."),
        ({"discount": "1.5"}, "discount is 1.5, expected a number between 0 and 1."),
        ({"training_learning_rate": "-0.1"}, "training_learning_rate is -0.1, expected a number more than 0."),
        ({"training_batch_size": "0"}, "training_batch_size is 0, expected a whole number 1 or more."),
        (
            {"training_batch_size": "999999"},
            "training_batch_size is 999999, expected at most the 131072 environment steps",
        ),
        (
            {"parallel_environments": "64", "training_freq_env_steps": "40", "training_batch_size": "8"},
            "parallel_environments is 64, expected at most the 40 environment steps between two trainings.",
        ),
        (
            {"improve_steps": "900", "evaluation_freq_env_steps": "500"},
            "improve_steps is 900, expected at least the 131072 environment steps between two trainings",
        ),
        ({"keep_best": "yes"}, "keep_best is 'yes', expected 0 or 1."),
        ({"improve_steps": "many"}, "improve_steps is 'many', expected a whole number 1 or more."),
        ({"save_model": "perhaps"}, "save_model is 'perhaps', expected 0 or 1."),
        ({"seed": "-1"}, "seed is -1, expected a whole number between 0 and"),
        ({"evaluate_steps": "5"}, "evaluate_steps is unknown"),
        (
            {"rl.agent_params.algorithm.discont": "0.9"},
            "rl.agent_params.algorithm has no 'discont', did you mean 'discount'?",
        ),
        ({"rl.improve_steps:Steps": "9"}, "has the unit 'Steps', expected one of EnvironmentSteps"),
        (
            {"RLCOACH_PRESET": DQN, "training_epochs": "3"},
            "training_epochs is not in this preset: rl.agent_params.algorithm has no 'optimization_epochs'",
        ),
        (
            {"sagemaker_program": "retrain-coach.py"},
            "sagemaker_program is 'retrain-coach.py', did you mean 'train-coach.py'?",
        ),
        ({"rl.env_params.level": "no_such_module:Car"}, "there is no module 'no_such_module'"),
        ({"improve_steps": "1" + "0" * 400}, "improve_steps is 1000"),
        ({"rl.level_managers": "3"}, "rl has no 'level_managers'"),
        ({"rl.agent_params.path": "x"}, "rl.agent_params has no 'path'"),
        ({"rl.evaluation_steps:TrainingSteps": "5"}, "has the unit 'TrainingSteps', expected one of EnvironmentSteps"),
        ({"rl.agent_params.network_wrappers.main.optimizer_type": "adm"}, "is 'adm', expected one of Adam, RMSProp."),
        ({**EVALUATE, "evaluate_steps": "0"}, "evaluate_steps is 0, expected a whole number 1 or more."),
        (EVALUATE, "Input channel 'checkpoint' is missing"),
        ({**EVALUATE, "save_model": "1"}, "save_model is unknown"),
        ({"num_workers": "4"}, "num_workers is 4, expected 1: Coach on MXNet trains in one process."),
        ({"RLCOACH_PRESET": "7"}, "RLCOACH_PRESET is 7, expected the name of a preset."),
        ({"sagemaker_rl_package": "mine"}, "sagemaker_rl_package is 'mine', expected image or source."),
    ],
)
def test_hyperparameters(tmp_path, hyperparameters, sentence):
    assert_refused(run_prepared(tmp_path, hyperparameters), sentence)


def test_hyperparameters_that_are_no_json(tmp_path):
    write_inputs(tmp_path, {})
    (tmp_path / "input/config/hyperparameters.json").write_text('{"discount": 0.9')
    done = run_command(tmp_path, "train")
    assert done.returncode == 1
    assert "hyperparameters.json cannot be read" in (tmp_path / "output/failure").read_text()
    assert "Traceback" not in done.stderr


def run_command(ml, command: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "sagemaker_rl.training_container", command]
    return subprocess.run(arguments, env=process_environment(ml), capture_output=True, text=True)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("resourceconfig.json", None, "resourceconfig.json is missing"),
        ("resourceconfig.json", "[", "resourceconfig.json cannot be read"),
        ("inputdataconfig.json", "[]", "inputdataconfig.json holds list, expected a JSON object"),
    ],
)
def test_configuration_that_is_not_sagemakers(tmp_path, name, content, sentence):
    write_inputs(tmp_path, {})
    file = tmp_path / "input/config" / name
    file.unlink() if content is None else file.write_text(content)
    done = run_command(tmp_path, "train")
    assert done.returncode == 1
    assert sentence in (tmp_path / "output/failure").read_text()
    assert "Traceback" not in done.stderr


def test_a_reason_from_an_earlier_job_is_not_kept(tmp_path):
    (tmp_path / "output").mkdir()
    (tmp_path / "output/failure").write_text("of long ago")
    assert_refused(run_prepared(tmp_path, {"discount": "1.5"}), "discount is 1.5")


@pytest.mark.parametrize("submitted", ["s3://no-such-bucket-at-all/source.tar.gz", "/nowhere/source.tar.gz"])
def test_a_source_that_cannot_be_unpacked(tmp_path, submitted):
    job = run_training(tmp_path, {"sagemaker_submit_directory": submitted, "sagemaker_program": "train.py"})
    assert_refused(job, f"sagemaker_submit_directory is {submitted!r}, which cannot be unpacked")


def test_training_that_diverges_keeps_the_last_good_checkpoint(tmp_path):
    job = run_prepared(tmp_path, {**SHORT_PPO, "training_learning_rate": "1e17"})
    assert job.status == 1, job.log
    assert "Training has diverged" in job.failure
    assert not list(tmp_path.rglob(".saving"))
    assert not list((tmp_path / "model").iterdir())


def test_an_unknown_command(tmp_path):
    done = run_command(tmp_path, "tarin")
    assert done.returncode == 2
    assert done.stderr == "Error: The command is 'tarin', expected 'train'.\n"


@pytest.fixture
def checkpoint_channel(tmp_path, ppo_job):
    """A copy of a good checkpoint in the ``checkpoint`` channel."""
    return shutil.copytree(ppo_job.ml / "output/data/checkpoint", tmp_path / "input/data/checkpoint")


def test_the_other_presets_checkpoint(tmp_path, checkpoint_channel):
    job = run_prepared(tmp_path, {**EVALUATE, "RLCOACH_PRESET": DQN})
    assert_refused(job, f"is of {PPO}, expected one of {DQN}")


def test_a_checkpoint_that_would_run_code(tmp_path, checkpoint_channel):
    (checkpoint_channel / "checkpoint.json").unlink()  # stock Coach writes none: no checksums
    (file,) = checkpoint_channel.glob("*.srs")
    file.write_bytes(b"cos\nsystem\n(S'echo owned'\ntR.")
    job = run_prepared(tmp_path, EVALUATE)
    assert_refused(job, "os.system does not belong into a checkpoint")
    assert "owned" not in job.log.replace(job.failure, "")


@pytest.mark.parametrize("folder", ["model", "output"])
def test_an_output_folder_that_cannot_be_written(tmp_path, folder):
    (tmp_path / folder).write_text("a file where a folder should be")
    job = run_prepared(tmp_path, {})
    assert job.status == 1, job.log
    assert f"{tmp_path / folder}" in job.log
    assert "cannot be written" in job.log
    assert "Traceback" not in job.log


def server_refusal(ml, port: int | None = None) -> str:
    process = start_server(ml, port or free_port())
    log, _ = process.communicate(timeout=30)
    assert process.returncode == 1, log
    assert "Traceback" not in log
    return log


def test_a_server_without_model(tmp_path):
    (tmp_path / "model").mkdir()
    assert "There is no policy.json" in server_refusal(tmp_path)


def test_a_server_with_a_corrupt_model(tmp_path, ppo_job):
    model = shutil.copytree(ppo_job.ml / "model", tmp_path / "model")
    params = model / "policy-0000.params"
    os.truncate(params, params.stat().st_size // 2)
    assert "policy-0000.params is not the file" in server_refusal(tmp_path)


def test_a_server_told_a_port_that_is_none(tmp_path, ppo_job):
    shutil.copytree(ppo_job.ml / "model", tmp_path / "model")
    assert "SAGEMAKER_BIND_TO_PORT is '99999'" in server_refusal(tmp_path, port=99999)


@pytest.mark.parametrize("accelerate", ["0", "1"])
def test_an_environment_that_gives_nan(tmp_path, accelerate):
    code = write_own_environment(tmp_path, reward='float("nan") if self.steps == 700 else action - 0.5')
    job = run_prepared(
        tmp_path,
        {"RLCOACH_PRESET": "preset-own", "accelerate": accelerate, "evaluation_freq_env_steps": "500"}
        | ({"parallel_environments": "1"} if accelerate == "1" else {}),
    )
    assert job.status == 1
    assert job.failure.strip() == "Environment own:Own gave the reward nan in its step 700, expected a number."
    assert "Traceback" not in job.log
    checkpoint = tmp_path / "output/data/checkpoint"
    assert (checkpoint / ".coach_checkpoint").is_file(), "the last good checkpoint is whole"
    done = run_prepared(
        tmp_path / "again",
        {"RLCOACH_PRESET": "preset-own", "sagemaker_program": "evaluate-coach.py", "evaluate_steps": "10"},
        before=lambda ml: (
            shutil.copytree(checkpoint, ml / "input/data/checkpoint"),
            shutil.copytree(code, ml / "code"),
        ),
    )
    assert done.status == 0, done.log
