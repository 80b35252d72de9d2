"""A preset whose observations are pictures trains on what the image holds, exports, and serves what its agent does."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from jobs import CONTAINER_SRC, ROOT, Job, run_training
from sagemaker_rl.report.trial import Trial

ENVIRONMENT = ROOT / "tests/resources/picture_environment"
STEPS = 20
STACK = 4
SHAPE = (60, 40, 3)
ACTIONS_ONLY = {"X-Amzn-SageMaker-Custom-Attributes": "output=actions"}


@pytest.fixture(scope="module", params=["preset-tiles", "preset-tiles-ppo"])
def job(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """DQN and clipped PPO: rescaled, grey, four stacked, for clipped PPO also normalized; a convolutional network."""
    folder = tmp_path_factory.mktemp(request.param)
    hyperparameters = {"RLCOACH_PRESET": request.param, "seed": "1", "save_model": "1"}
    return run_training(folder, hyperparameters, lambda ml: shutil.copytree(ENVIRONMENT, ml / "code"))


@pytest.fixture(scope="module")
def client(job: Job, start: Callable[..., Any]) -> Iterator[httpx.Client]:
    """Return a client of an endpoint that serves the job's model."""
    with start(job.ml / "model") as server:
        yield server.client()


def test_the_job_learns_to_see(job):
    assert job.status == 0, job.log
    (reward,) = re.findall(r"^Evaluation> Evaluation reward=(\S+),", job.log, re.MULTILINE)
    assert float(reward) == STEPS  # by chance 10
    trial = Trial.load(job.ml / "output/data/trial.npz")
    assert trial.starts.shape == (100, *SHAPE)
    assert trial.returns.mean() > 0.95 * STEPS  # played from the artifact, which is given the stacks


def test_the_artifact_says_what_it_makes_of_pictures(job):
    description = json.loads((job.ml / "model/policy.json").read_text(encoding="utf-8"))
    assert description["schema_version"] == 2
    assert description["observation_space"] == {"type": "box", "shape": [STACK, *SHAPE], "low": 0.0, "high": 255.0}
    assert description["observation_dtype"] == "uint8"
    assert description["observation_filters"] == [
        {"type": "rescale_to_size", "shape": [36, 36, 3]},
        {"type": "rgb_to_y"},
        {"type": "to_uint8", "low": 0, "high": 255},
        {"type": "stack", "size": STACK, "axis": -1, "flat": False},
    ]


def agents_actions(job: Job, pictures: np.ndarray, folder: Path) -> list[int]:
    """Return what Coach's own agent, restored from the job's checkpoint, does in an episode of these pictures."""
    files = [folder / "observations.npy", folder / "actions.npy"]
    np.save(files[0], pictures)
    preset = json.loads((job.ml / "input/config/hyperparameters.json").read_text(encoding="utf-8"))["RLCOACH_PRESET"]
    checkpoint = job.ml / "output/data/checkpoint"
    subprocess.run(
        [sys.executable, str(ROOT / "tests/process/agent_actions.py"), preset, checkpoint, *files, "one-episode"],
        env={**os.environ, "PYTHONPATH": f"{CONTAINER_SRC}:{job.ml / 'code'}"},
        cwd=job.ml / "code",
        check=True,
        capture_output=True,
    )
    return [int(action) for (action,) in np.load(files[1])]


def episode() -> np.ndarray:
    """Return pictures on which an agent is undecided: both tiles lit, more or less."""
    random = np.random.default_rng(5)
    pictures = random.integers(0, 40, size=(30, *SHAPE))
    pictures[:, 10:50, :, 1] += random.integers(0, 200, size=(30, 1, 2)).repeat(20, axis=2)
    return pictures.astype(np.uint8)


def test_the_endpoint_does_what_the_agent_does_in_an_episode(job, client, tmp_path):
    pictures = episode()
    wanted = agents_actions(job, pictures, tmp_path)
    assert set(wanted) == {0, 1}
    padded = np.concatenate([pictures[:1]] * (STACK - 1) + [pictures])  # the first one fills the stack, as in training
    stacks = np.stack([padded[index : index + STACK] for index in range(len(pictures))])
    one_at_a_time = [
        client.post("/invocations", json=stack.tolist(), headers=ACTIONS_ONLY).raise_for_status().json()
        for stack in stacks
    ]
    assert one_at_a_time == [[action] for action in wanted]
    body = io.BytesIO()
    np.save(body, stacks)
    headers = {"Content-Type": "application/x-npy", "Accept": "application/x-npy", **ACTIONS_ONLY}
    answer = client.post("/invocations", content=body.getvalue(), headers=headers).raise_for_status()
    assert np.load(io.BytesIO(answer.content)).ravel().tolist() == wanted
    rows = "\n".join(",".join(map(str, stack.ravel())) for stack in stacks[:4])
    headers = {"Content-Type": "text/csv", "Accept": "text/csv", **ACTIONS_ONLY}
    answer = client.post("/invocations", content=rows, headers=headers).raise_for_status()
    assert answer.text == "\n".join(map(str, wanted[:4]))


@pytest.mark.parametrize(
    ("observation", "detail"),
    [
        (
            np.zeros(SHAPE),
            "The body has the shape [60, 40, 3], expected [4, 60, 40, 3] for a stack of the last 4 observations, the "
            "oldest first, or [batch, 4, 60, 40, 3] for a batch.",
        ),
        (
            np.full((STACK, *SHAPE), 0.5),
            "The body holds numbers that are no pixels of uint8, expected whole numbers from 0 to 255.",
        ),
    ],
    ids=["without history", "floats between 0 and 1"],
)
def test_what_is_no_stack_of_pictures_is_refused(client, observation, detail):
    answer = client.post("/invocations", json=observation.tolist())
    assert (answer.status_code, answer.json()["detail"]) == (400, detail)
