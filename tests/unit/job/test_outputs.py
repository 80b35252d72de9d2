"""What a job prints in Coach's form, and the JSON that it publishes."""

import json

import numpy as np
from sagemaker_rl.job import introduction, outputs
from sagemaker_rl.job.ml_paths import MLPaths


def test_a_metric_line(capsys):
    outputs.metric_line(
        "Evaluation", Evaluation_reward=98.7654321, Steps=12345678, Value_loss=None, Is_it=False, b=1e-9
    )
    assert capsys.readouterr().out == "Evaluation> Evaluation reward=98.7654, Steps=12345678, Is it=False, b=1e-09\n"


def test_published_json_has_null_for_what_is_not_finite(tmp_path):
    file = tmp_path / "metadata.json"
    outputs.publish_json(file, {"a": float("nan"), "b": [1, (float("inf"), 2.5)], "c": {"d": -float("inf"), "e": "x"}})
    assert json.loads(file.read_text()) == {"a": None, "b": [1, [None, 2.5]], "c": {"d": None, "e": "x"}}
    assert file.read_text().endswith("}\n")
    assert list(tmp_path.iterdir()) == [file]


def test_versions_and_revision(monkeypatch):
    versions = outputs.versions()
    assert versions["numpy"] == np.__version__
    assert {"python", "mxnet", "rl-coach-slim", "gym", "gymnasium", "sagemaker-training"} <= versions.keys()
    monkeypatch.setenv("GIT_REVISION", "abc123")
    assert outputs.git_revision() == "abc123"
    monkeypatch.delenv("GIT_REVISION")
    assert outputs.git_revision() == "unknown"


def test_a_job_introduces_itself_and_adds_to_it(tmp_path, monkeypatch):
    paths = MLPaths(tmp_path)
    introduction.add(paths, path="too early")
    assert not paths.intermediate.exists()
    paths.create_outputs()
    introduction.add(paths, path="too early")
    file = paths.intermediate / outputs.JOB_FILE
    assert not file.exists()
    monkeypatch.setenv("SAGEMAKER_RL_IMAGE", "the-image")
    introduction.introduce(paths, kind="training", seed=3)
    introduction.add(paths, path="fast", seed=4)
    content = json.loads(file.read_text())
    assert (content["kind"], content["seed"], content["path"], content["image"]) == ("training", 4, "fast", "the-image")
    assert content["versions"] == outputs.versions()
    file.write_text("{")
    introduction.add(paths, path="x")
    assert file.read_text() == "{"
