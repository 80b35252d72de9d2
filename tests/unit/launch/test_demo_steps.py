"""The steps of the demo, on an engine whose jobs leave the files of a run, and an endpoint that drives uphill."""

import contextlib
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from launch.cli.errors import JobFailed, UsageError
from launch.local import attached
from launch.local.ml_tree import pack
from launch.sagemaker import episode, results
from launch.sagemaker.demo import Demo, parse_hyperparameter
from stand_ins import server_of

EVALUATION = {"mean_return": 99.256, "std_return": 0.5, "episodes": 21}


class Uphill(BaseHTTPRequestHandler):
    continuous = True

    def do_POST(self):
        _, velocity = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        push = [1.0 if velocity >= 0 else -1.0] if self.continuous else 2 * int(velocity >= 0)
        wants_actions = self.headers.get("X-Amzn-SageMaker-Custom-Attributes") == "output=actions"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps([push] if wants_actions else {"heads of": velocity}).encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def demo(monkeypatch, tmp_path):
    """A run of the demo; ``asked`` has the requests of its jobs and the names of its endpoint."""
    asked: list[Any] = []
    is_box = {"type": "box"}

    def run_training_job(engine, request: dict[str, Any], folder: Path, on_line) -> None:
        asked.append((request, folder))
        for name in ("intermediate/gifs", "data/checkpoint"):
            (folder / "output" / name).mkdir(parents=True)
        intermediate = folder / "output/intermediate"
        (intermediate / "metadata.json").write_text('{"environment_steps": 12345, "train_seconds": 6.789}')
        (intermediate / results.CSV_FILE).write_text("Episode #,Training Reward,Evaluation Reward\n1,-5.5,\n2,,95\n")
        for number in (2, 10):
            (intermediate / f"gifs/x_episode-{number}_y.gif").write_text(f"GIF of {number}")
        (folder / "output/data/report.html").write_text("<p>")
        (folder / "model").mkdir()
        (folder / "model/policy.json").write_text(json.dumps({"action_space": is_box}))
        pack([folder / "model"], folder / "model.tar.gz")
        on_line("Best> Evaluation reward=99.3, Steps=1")

    @contextlib.contextmanager
    def training_job_beside(engine, request: dict[str, Any], folder: Path):
        asked.append((request, folder))
        yield
        (folder / "output/data").mkdir(parents=True)
        (folder / "output/data/evaluation.json").write_text(json.dumps(EVALUATION))

    @contextlib.contextmanager
    def serve_endpoint(engine, archive: Path, name: str):
        asked.append((name, archive))
        with server_of(Uphill) as url:
            yield url

    def plot_rewards(rewards: results.Rewards, title: str, path: Path) -> None:
        path.write_text(f"{title} {rewards.training} {rewards.evaluation}")

    monkeypatch.setattr(results, "plot_rewards", plot_rewards)  # matplotlib takes seconds to import
    monkeypatch.setattr(attached, "run_training_job", run_training_job)
    monkeypatch.setattr(attached, "training_job_beside", training_job_beside)
    monkeypatch.setattr(attached, "serve_endpoint", serve_endpoint)
    monkeypatch.setattr(Uphill, "continuous", True)
    made = Demo(SimpleNamespace(name="process"), "demo-1", "preset-x", tmp_path / "runs/demo-1")
    return SimpleNamespace(run=made.run, asked=asked, folder=made.folder, is_box=is_box)


@pytest.mark.parametrize("continuous", [True, False])
def test_a_run_from_its_training_to_the_flag(demo, monkeypatch, capsys, continuous):
    monkeypatch.setattr(Uphill, "continuous", continuous)
    demo.is_box["type"] = "box" if continuous else "discrete"
    summary = demo.run({"seed": "3"})
    (training, folder), (evaluation, evaluated), (name, archive) = demo.asked
    assert training == {"TrainingJobName": "demo-1", "HyperParameters": {"seed": "3"}, "InputDataConfig": []}
    assert (folder, evaluated) == (demo.folder, demo.folder / "evaluation")
    assert evaluation["TrainingJobName"] == "demo-1-evaluation"
    assert evaluation["HyperParameters"] == {
        "RLCOACH_PRESET": "preset-x",
        "evaluate_episodes": "20",
        "evaluate_steps": "1",
        "sagemaker_program": "evaluate-coach.py",
    }
    (channel,) = evaluation["InputDataConfig"]
    assert channel["ChannelName"] == "checkpoint"
    address = channel["DataSource"]["S3DataSource"]["S3Uri"]
    assert address == f"file://{demo.folder.resolve()}/output/data/checkpoint"
    assert (name, archive) == ("demo-1-endpoint", demo.folder / "model.tar.gz")
    driven = episode.drive_with(
        lambda observation: [1.0 if observation[1] >= 0 else -1.0] if continuous else 2 * int(observation[1] >= 0),
        continuous,
        seed=1,
    )
    up, down = ([1.0], [-1.0]) if continuous else (2, 0)
    assert summary == {
        "preset": "preset-x",
        "environment_steps": 12345,
        "train_seconds": 6.8,
        **EVALUATION,
        "predictions": [
            {"observation": [0.5, -0.5], "heads": {"heads of": -0.5}, "action": down},
            {"observation": [-0.5, 0.5], "heads": {"heads of": 0.5}, "action": up},
        ],
        "endpoint_episode_return": driven.episode_return,
        "engine": "process",
    }
    assert (demo.folder / "episode.gif").read_text() == "GIF of 10"
    assert (demo.folder / "report.html").read_text() == "<p>"
    assert (demo.folder / "reward.png").read_text() == "preset-x [(1, -5.5)] [(2, 95.0)]"
    assert (demo.folder.parent / "latest").resolve() == demo.folder
    out = capsys.readouterr().out
    assert [line[:5] for line in out.splitlines() if line.startswith("[")] == [f"[{step}/5]" for step in range(1, 6)]
    assert "  evaluated: mean return 99.26, standard deviation 0.50, 21 episodes\n" in out
    assert f"after {driven.steps} steps, return {driven.episode_return:.2f}\n" in out
    assert "  Best> Evaluation reward=99.3, Steps=1\n" in out


def test_a_car_that_does_not_climb(demo, monkeypatch):
    monkeypatch.setattr(episode, "PATIENCE", 4)
    with pytest.raises(JobFailed, match=r"^The car did not reach the flag within 4 steps\.$"):
        demo.run({})


def test_a_hyperparameter_of_the_demo():
    assert parse_hyperparameter("a=b=c") == ("a", "b=c")
    assert parse_hyperparameter("a=") == ("a", "")
    for text, sentence in (
        ("a", "-p is 'a', expected NAME=VALUE."),
        ("=a", "-p is '=a', expected NAME=VALUE."),
        ("seed=1", "-p seed: use --seed."),
        ("save_model=1", "-p save_model: the demo always saves the model."),
    ):
        with pytest.raises(UsageError) as caught:
            parse_hyperparameter(text)
        assert str(caught.value) == sentence
