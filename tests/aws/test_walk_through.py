"""The documents' commands for AWS, as they stand there; and list.py, logs.py and stop.py."""

import csv
import json
import re
import shlex
from pathlib import Path

import pytest
from documents import Command, Page, copy_repository, run_commands, users_environment
from jobs import CSV, PPO
from local_aws import ACCOUNT, REGION, assert_valid, log_lines, put_images, requests_of
from local_sagemaker import ended_jobs
from PIL import Image

WALK = Page("docs/aws.md").commands()
LOCAL_WALK = Page("docs/local-mode.md").commands()
OF_SECTIONS = {"--async", "--group", "--package", "approved-cars"}
"""Parts of commands that are not of the walk, but of a section of their own."""
AT_ANY_TIME = ("list.py", "logs.py", "stop.py", "tune.py", "build_in_codebuild.py")


def scripts_of(commands: list[Command]) -> list[list[str]]:
    """Return the names and arguments of the scripts among a page's commands."""
    prefix = "python scripts/"
    return [shlex.split(command.text.removeprefix(prefix)) for command in commands if command.text.startswith(prefix)]


COMMANDS = [
    arguments
    for arguments in scripts_of(WALK)
    if arguments[0] not in AT_ANY_TIME and not (OF_SECTIONS | {"--dry-run"}) & {*arguments}
]
LOCAL_COMMANDS = [arguments for arguments in scripts_of(LOCAL_WALK) if arguments[0] not in AT_ANY_TIME]
IMAGES = {kind: f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mountain-car-{kind}:1" for kind in ("training", "serving")}


@pytest.fixture
def trained(script, aws, tmp_path):
    """What the first commands of the walk leave: images, a role and a job."""
    put_images(aws)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/images.json").write_text(json.dumps(IMAGES))
    assert script("create_role.py").returncode == 0
    done = script("train.py")
    job = done.stdout.partition("Created training job ")[2].split()[0]
    (tmp_path / "observations.csv").write_text("0.5,-0.5\n")
    return job


@pytest.mark.slow
@pytest.mark.parametrize("name", ["README.md", "docs/aws.md"])
def test_the_commands_of_a_page_run(name, aws, ppo_job, tmp_path):
    """Against the local AWS server, whose jobs end at once with what a real one left."""
    copy = copy_repository(tmp_path / "mountain-car")
    put_images(aws)
    (copy / "runs").mkdir()
    (copy / "runs/images.json").write_text(json.dumps(IMAGES))
    of_aws = {key: value for key, value in aws.environment.items() if key.startswith("AWS_")}
    with ended_jobs(aws, ppo_job.ml):
        printed = run_commands(Page(name), copy, {**users_environment(), **of_aws})
    assert "Created training job" in printed
    assert "Deleted endpoint" in printed
    assert list((copy / "runs").glob("rl-mountain-car-*/report.html"))
    if name == "README.md":
        assert_the_demo_trained_a_car_that_climbs(copy / "runs", printed)


def assert_the_demo_trained_a_car_that_climbs(runs: Path, printed: str) -> None:
    """Look at what ``make demo`` leaves, with one seed: ``make bench`` trains five."""
    run = runs / "latest"
    assert run.is_symlink()
    summary = json.loads((run / "summary.json").read_text())
    assert summary["preset"] == PPO
    assert summary["engine"] == "process"
    periods, rest = divmod(summary["environment_steps"], 131_072)
    assert rest == 0
    assert 2 <= periods <= 10  # training ends with the evaluation after the best one
    assert summary["train_seconds"] > 0
    assert summary["episodes"] >= 20
    assert summary["mean_return"] >= 99
    assert summary["std_return"] < 5
    assert summary["endpoint_episode_return"] >= 98
    left, right = summary["predictions"]
    assert left["observation"] == [0.5, -0.5]
    assert left["action"][0] < 0 < right["action"][0]
    assert left["heads"][1][0][0] < 0 < right["heads"][1][0][0]
    with (run / "output/intermediate" / CSV).open(newline="") as file:
        assert len(list(csv.DictReader(file))) > 5
    with Image.open(run / "reward.png") as plot, Image.open(run / "episode.gif") as gif:
        assert plot.size[0] > 500
        assert gif.n_frames > 10
    assert (run / "model.tar.gz").stat().st_size > 1000
    assert not list(runs.rglob(".ml"))
    assert re.search(r"the car reached the flag after \d+ steps", printed)


def test_the_walk_is_the_whole_one():
    names = [name for name, *_ in COMMANDS]
    verbs = [
        "push_images",
        "create_role",
        "train",
        "fetch",
        "evaluate",
        "deploy",
        "predict",
        "predict",
        "transform",
        "delete",
        "clean_up",
    ]
    assert names == [f"{verb}.py" for verb in verbs]


# push_images.py and evaluate.py have tests of their own: the one needs a Docker engine, the other a real checkpoint
@pytest.mark.parametrize(
    "command",
    [each for each in COMMANDS if each[0] not in ("push_images.py", "evaluate.py")],
    ids=lambda command: command[0],
)
def test_its_commands_are_understood(script, aws, trained, tmp_path, command):
    name, *arguments = (
        part.replace("$JOB", trained).replace("observations.csv", str(tmp_path / "observations.csv"))
        for part in command
    )
    done = script(name, *arguments, "--dry-run")
    assert done.returncode == 0, done.stderr
    for operation, request in requests_of(done).items():
        if operation in (
            "CreateTrainingJob",
            "CreateModel",
            "CreateEndpointConfig",
            "CreateEndpoint",
            "CreateTransformJob",
        ):
            assert_valid(operation, request)


def test_the_local_walk_is_the_same():
    assert all("--local" in arguments for arguments in LOCAL_COMMANDS)
    names = [name for name, *_ in COMMANDS if name not in ("push_images.py", "create_role.py", "clean_up.py")]
    assert [name for name, *_ in LOCAL_COMMANDS] == names


# the others need a job: tests/aws/test_local_mode.py goes the whole way
@pytest.mark.parametrize(
    "command", [each for each in LOCAL_COMMANDS if "$JOB" not in each], ids=lambda command: command[0]
)
def test_its_local_commands_are_understood(script, command):
    unset = dict.fromkeys(("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"), "(unset)")
    done = script(*command, "--dry-run", **unset)
    assert done.returncode == 0, done.stderr


def test_list_logs_and_stop(script, trained):
    from moto.sagemaker.models import sagemaker_backends

    listed = script("list.py").stdout
    assert re.search(rf"^training job +{trained} +Completed +2", listed, re.MULTILINE)
    done = script("stop.py", trained)
    assert (done.returncode, done.stderr) == (2, f"Error: Training job {trained} is Completed, expected InProgress.\n")
    sagemaker_backends[ACCOUNT][REGION].training_jobs[trained].training_job_status = "InProgress"
    assert script("stop.py", "--dry-run", trained).returncode == 0
    done = script("logs.py", trained)
    assert (done.returncode, f"There is no log of {trained}" in done.stderr) == (2, True)
    nothing = script("list.py", "--name-contains", "none-of-these")
    sentence = "There is no job or endpoint with none-of-these in its name in region eu-west-1.\n"
    assert (nothing.returncode, nothing.stdout) == (0, sentence)
    done = script("stop.py", "nobody")
    sentence = "Error: There is no training, transform or tuning job 'nobody' in region eu-west-1.\n"
    assert (done.returncode, done.stderr) == (2, sentence)
