"""docs/sdk.md, version 2: each snippet as a user pastes it, by the real SDK on the real images."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def ran(walk):
    return walk("v2", "Version 2")


def test_estimators_train(ran):
    assert ran["Train"] is not None
    assert ran.logs["Train"].count("Model> Saved in=/opt/ml/model") >= 2
    assert ran.logs["Train"].count("Report> Saved in=") == 2  # and not by the launcher too
    assert "train-coach.py" in ran.logs["Train"]


def test_a_checkpoint_is_evaluated(ran):
    assert ran["Evaluate"]["checkpoint_uri"].endswith("/output/checkpoint")
    assert "Evaluation> Evaluation reward=" in ran.logs["Evaluate"]


def test_the_endpoint_answers_alike_in_json_csv_and_npy(ran):
    answers = ran["Deploy and predict"]
    assert answers["as_json"] == answers["as_csv"]
    assert np.allclose(np.squeeze(answers["as_json"]).T, answers["as_npy"], atol=1e-5)


def test_functions_of_ones_own(ran):
    means = [row[1] for row in ran["Deploy and predict"]["as_npy"]]
    assert ran["Deploy and predict"]["directions"] == ["right" if mean > 0 else "left" for mean in means]


def test_a_transform_job(ran):
    lines = [[float(number) for number in line.split(",")] for line in ran["Batch transform"]["lines"]]
    assert np.allclose(lines, ran["Deploy and predict"]["as_npy"], atol=1e-4)


def test_two_hosts_train_one_policy(ran):
    assert ran["Several hosts"] is not None
    assert ", Ranks=2" in ran.logs["Several hosts"]
    assert "Model> Saved in=/opt/ml/model" in ran.logs["Several hosts"]
