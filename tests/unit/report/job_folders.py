"""Folders of jobs as a report reads them, with what each test changes in one, and the text of their page."""

import html
import json
import re

import numpy as np
from jobs import CSV
from PIL import Image
from sagemaker_rl.report import page
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.trial import FILE as TRIAL_FILE
from sagemaker_rl.report.trial import PolicyMap, Trial

MAX_BYTES = 3_000_000
CAR = "patient_envs:PatientContinuousMountainCar"
HEADER = "Episode #,Wall-Clock Time,Training Reward,Evaluation Reward,Loss/Mean,Value Loss/Mean,Value Targets/Stdev"
SETTINGS = [
    {"name": "discount", "value": 0.9, "preset": 1.0, "changed": True},
    {"name": "gae_lambda", "value": 0.997, "preset": 0.997, "changed": False},
]


def make_trial(dimensions: int = 2, episodes: int = 100, mean_return: float = 99.2, below: float = 0.6) -> Trial:
    """Return a trial whose worst return, of the third episode, is so far below the mean; none is the same twice."""
    random = np.random.default_rng(0)
    starts = np.zeros((episodes, dimensions), np.float32)
    starts[:, 0] = random.uniform(-0.6, -0.4, episodes)
    paths = [np.column_stack([np.arange(50), *random.uniform(-0.05, 0.05, (dimensions + 1, 50))]).astype(np.float32)]
    axes = (np.linspace(-1.2, 0.6, 9), np.linspace(-0.07, 0.07, 9))
    values = np.linspace(-1, 1, 81).reshape(9, 9)
    heat = PolicyMap(axes, values, np.arange(81.0).reshape(9, 9)) if dimensions == 2 else None
    no_map = "" if heat else f"an observation has the shape [{dimensions}], and a map has two dimensions"
    ranks = np.roll(np.arange(episodes), 2)
    unequal = ranks**2 - np.mean(ranks**2) if episodes else ranks
    returns = mean_return + (below / -unequal.min() * unequal if episodes else unequal)
    return Trial(starts, returns, 900 + ranks, paths, heat, no_map)


def write_job(folder):
    """Write what a job that went well leaves."""
    intermediate, data = folder / "output/intermediate", folder / "output/data"
    (intermediate / "gifs").mkdir(parents=True)
    data.mkdir()
    evaluations = {10: 10, 20: 40, 30: -5.5, 40: 30.25}
    rows = [f"{n},{n / 10},{n},{evaluations.get(n, '')},{5 / n},{2.0},{4.0}" for n in range(1, 41)]
    (intermediate / CSV).write_text("\n".join([HEADER, *rows]) + "\n")
    job = {"kind": "training", "preset": "a-preset", "environment": CAR, "algorithm": "ClippedPPO", "seed": 3}
    (intermediate / "job.json").write_text(json.dumps({**job, "settings": SETTINGS, "image": "the-image"}))
    metadata = {"environment_steps": 1000, "train_seconds": 4.0, "episodes": 40, "versions": {"mxnet": "1.9.1"}}
    (intermediate / "metadata.json").write_text(json.dumps(metadata))
    picture = Image.new("RGB", (30, 20), "white")
    picture.save(
        intermediate / "gifs/2026-11-23-10-00-00_episode-40_score-99.5.gif", save_all=True, append_images=[picture]
    )
    (intermediate / "gifs/episode-40.csv").write_text(
        "step,observation[0],observation[1],action[0]\n0,-.5,0,.3\n1,-.4,.1,.2\n"
    )
    make_trial().save(data / TRIAL_FILE)


def write_evaluations(folder, *rewards):
    """Let the evaluations of a job have other returns."""
    rows = [f"{n},{n / 10},{n},{reward},1,2,4" for n, reward in enumerate(rewards, start=1)]
    (folder / "output/intermediate" / CSV).write_text("\n".join([HEADER, *rows]) + "\n")


def set_environment(folder, environment):
    job = folder / "output/intermediate/job.json"
    job.write_text(job.read_text().replace(CAR, environment))


def change_job(folder, **fields):
    """Let what a job wrote about itself hold more, or something else."""
    job = folder / "output/intermediate/job.json"
    job.write_text(json.dumps({**json.loads(job.read_text()), **fields}))


def render_text(*folders) -> str:
    """Return what a reader of the page about these jobs reads, in one line."""
    return text_of(page.render([Run.read(folder) for folder in folders]))


def text_of(content: str) -> str:
    """Return what a reader of a page reads, in one line."""
    assert len(content.encode()) <= MAX_BYTES
    body = content[content.rindex("<body>") :]
    body = re.sub(r"<(script|style).*?</\1>", "", body, flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", body)))
