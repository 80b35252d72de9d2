"""``docker run IMAGE train`` as SageMaker does it: the contract, script mode, signals, failures."""

import json
import shutil
import time

import pytest
from containers import script_mode, start_train, wait_for_line
from docker.types import Mount
from jobs import DQN, PPO, ROOT, SHORT_DQN, SHORT_PPO, STOCK_DQN
from sagemaker_rl.policy.artifact import Policy

CUSTOM = ROOT / "tests" / "resources" / "custom_environment"


@pytest.mark.parametrize("hyperparameters", [SHORT_PPO, SHORT_DQN], ids=["ppo", "dqn"])
def test_a_job_without_network_leaves_all_its_outputs(train, tmp_path, hyperparameters):
    job = train(tmp_path, hyperparameters)
    assert job.status == 0, job.log
    assert job.metadata()["preset"] == hyperparameters["RLCOACH_PRESET"]
    assert Policy.load(tmp_path / "model").description["git_revision"] != "unknown"
    assert (tmp_path / "output/data/checkpoint/.coach_checkpoint").is_file()
    assert list((tmp_path / "output/intermediate/gifs").glob("*.gif"))
    assert list((tmp_path / "output/intermediate").glob("*.csv"))
    assert not (tmp_path / "output/failure").exists()


def test_a_mistake_ends_in_the_failure_file(train, tmp_path):
    job = train(tmp_path, {"RLCOACH_PRESET": PPO, "discount": "1.5"})
    assert job.status == 1
    assert job.failure == "Hyperparameter discount is 1.5, expected a number between 0 and 1."
    assert "Traceback" not in job.log


def test_a_read_only_opt_ml_is_said_in_one_sentence(train, tmp_path):
    job = train(tmp_path, {}, volumes={str(tmp_path): {"bind": "/opt/ml", "mode": "ro"}})
    assert job.status == 1
    assert "Error: Output folder /opt/ml/model cannot be written: Read-only file system." in job.log
    assert "Traceback" not in job.log


def test_an_unknown_command_is_refused(run):
    container = run("training", "tarin")
    assert container.wait()["StatusCode"] == 2
    assert container.logs().decode() == "Error: The command is 'tarin', expected 'train'.\n"


def test_sigterm_leaves_a_whole_checkpoint(run, train, tmp_path):
    from jobs import write_inputs

    write_inputs(tmp_path, {**SHORT_PPO, "improve_steps": "10000000"}, host="algo-1")
    container = start_train(run, tmp_path)
    wait_for_line(container, "Training>")
    asked = time.monotonic()
    container.stop(timeout=30)
    assert time.monotonic() - asked < 10
    container.reload()
    assert container.attrs["State"]["ExitCode"] == 0, container.logs().decode()
    Policy.load(tmp_path / "model")
    evaluated = tmp_path / "evaluated"
    channel = evaluated / "input/data/checkpoint"
    channel.parent.mkdir(parents=True)
    (tmp_path / "output/data/checkpoint").rename(channel)
    job = train(evaluated, {"RLCOACH_PRESET": PPO, "evaluate_steps": "1", "sagemaker_program": "evaluate-coach.py"})
    assert job.status == 0, job.log
    assert json.loads((evaluated / "output/data/evaluation.json").read_text())["episodes"] == 1


def test_a_container_that_is_killed_leaves_its_best_model_and_goes_on(run, tmp_path):
    from jobs import write_inputs

    killed, stopped = tmp_path / "killed", tmp_path / "stopped"
    for folder in (killed, stopped):
        write_inputs(folder, {**SHORT_PPO, "seed": "1", "improve_steps": "10000000"}, host="algo-1")
    (killed / "checkpoints").mkdir()
    container = start_train(run, killed)
    wait_for_line(container, "Checkpoint> Saved in=/opt/ml/checkpoints/")
    container.kill()
    Policy.load(killed / "model")
    shutil.copytree(killed / "checkpoints", stopped / "checkpoints")
    container = start_train(run, stopped)
    wait_for_line(container, "Training>")
    for _ in range(2):
        container.kill("SIGTERM")
    assert container.wait(timeout=30)["StatusCode"] == 0
    assert "\nCheckpoint> Going on from=/opt/ml/checkpoints/0000" in container.logs().decode()
    Policy.load(stopped / "model")


@pytest.mark.parametrize("seconds", [0.1, 0.3])
def test_sigterm_in_the_first_moments_is_not_lost(run, tmp_path, seconds):
    from jobs import write_inputs

    write_inputs(tmp_path, {**SHORT_PPO, "improve_steps": "10000000"}, host="algo-1")
    container = start_train(run, tmp_path)
    time.sleep(seconds)
    container.kill("SIGTERM")
    assert container.wait(timeout=10)["StatusCode"] == 0
    assert "Path>" not in container.logs().decode()


def test_an_environment_of_ones_own_through_script_mode(train, tmp_path):
    job = train(tmp_path, script_mode(tmp_path, CUSTOM, "train-coach.py", seed="1"))
    assert job.status == 0, job.log
    policy = Policy.load(tmp_path / "model")
    assert policy.description["environment"] == "corridor:Corridor"
    assert policy.description["preset"] == "preset-corridor"
    assert job.metadata()["evaluation_reward"] > 0.8
    import numpy as np

    assert policy.actions(np.array([[0.1], [0.5]], dtype=np.float32)).tolist() == [1, 1]


def test_a_users_own_script_may_use_the_package(train, tmp_path):
    job = train(tmp_path, script_mode(tmp_path, CUSTOM, "hello.py"))
    assert job.status == 0, job.log
    assert "sagemaker_rl is importable" in job.log


def test_a_program_that_is_not_in_the_source(train, tmp_path):
    job = train(tmp_path, script_mode(tmp_path, CUSTOM, "trian.py"))
    assert job.status == 1
    assert "trian.py" in job.failure
    assert "Traceback" not in job.failure


def test_a_users_script_that_fails(train, tmp_path):
    job = train(tmp_path, script_mode(tmp_path, CUSTOM, "broken.py"))
    assert job.status == 1
    assert job.failure == "broken.py ended with exit status 3; see the log."


def test_a_full_disk(train, tmp_path):
    small = Mount("/opt/ml/model", None, type="tmpfs", tmpfs_size=4096)
    job = train(tmp_path, SHORT_PPO, mounts=[small])
    assert job.status == 1
    assert job.failure == "Model folder /opt/ml/model cannot be written: No space left on device."


def test_a_requirement_that_would_break_the_image(train, tmp_path):
    hyperparameters = script_mode(tmp_path, CUSTOM, "hello.py", requirements="numpy==2.1.0\n")
    job = train(tmp_path, hyperparameters, environment={"PIP_NO_INDEX": "1"})
    assert job.status == 1
    assert job.failure == (
        "requirements.txt cannot be installed: it asks for numpy==2.1.0, but the image depends on numpy==1.23.5."
    )


def test_a_mistake_in_script_mode_keeps_its_sentence(train, tmp_path):
    job = train(tmp_path, script_mode(tmp_path, CUSTOM, "train-coach.py", discount="1.5"))
    assert job.status == 1
    assert job.failure == "Hyperparameter discount is 1.5, expected a number between 0 and 1."


def test_sigterm_reaches_a_users_script(run, tmp_path):
    from jobs import write_inputs

    write_inputs(tmp_path, script_mode(tmp_path, CUSTOM, "train-coach.py", improve_steps="10000000"), host="algo-1")
    container = start_train(run, tmp_path)
    wait_for_line(container, "Training>")
    asked = time.monotonic()
    container.stop(timeout=30)
    assert time.monotonic() - asked < 10
    container.reload()
    assert container.attrs["State"]["ExitCode"] == 0, container.logs().decode()
    Policy.load(tmp_path / "model")


def test_a_source_that_is_not_there(train, tmp_path):
    submitted = "/opt/ml/input/data/code/nothing.tar.gz"
    job = train(tmp_path, {"sagemaker_submit_directory": submitted, "sagemaker_program": "train.py"})
    assert job.status == 1
    assert submitted in job.failure
    assert "Traceback" not in job.failure


def test_dqn_is_known_by_name(train, tmp_path):
    assert train(tmp_path, STOCK_DQN).metadata()["preset"] == DQN
