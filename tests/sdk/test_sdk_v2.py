"""docs/sdk.md, version 2: each snippet as a user pastes it, by the real SDK on the real images."""

import numpy as np
import pytest

LIMITS = "What version 2 does not do"
CODE = """
def refusal(call):
    try:
        call()
    except Exception as error:
        return str(error)


given = {"image_uri": TRAINING_IMAGE, "role": ROLE, "instance_count": 1, "instance_type": "local"}
checkpoints = refusal(Estimator(**given, checkpoint_s3_uri="s3://bucket/checkpoints").fit)
S3Uploader.upload_string_as_file_body("a certificate", "s3://sdk-v2/certificates/company.pem")
mistaken = Estimator(**given, hyperparameters={"RLCOACH_PRESET": PRESET, "discount": 1.5})
failed = refusal(lambda: mistaken.WITH_CERTIFICATES)
returned = str(rl_estimator.deploy(1, "local", image_uri=SERVING_IMAGE, endpoint_name="cars"))
rl_predictor = Predictor("cars", rl_estimator.sagemaker_session, JSONSerializer(), JSONDeserializer())
heads = rl_predictor.predict(observations)
rl_predictor.delete_endpoint()
"""


@pytest.fixture(scope="module")
def ran(walk, with_certificates):
    call = with_certificates["SDK 2"].replace("BUCKET", "sdk-v2")
    return walk("v2", "Version 2", (LIMITS, CODE.replace("WITH_CERTIFICATES", call)))


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


def test_what_the_sdk_does_not_do(ran):
    values, log = ran[LIMITS], ran.logs[LIMITS]
    assert values["checkpoints"] == "Setting checkpoint_s3_uri is not supported in local mode."
    assert "Hyperparameter discount is 1.5, expected a number between 0 and 1." in log
    assert "discount" not in values["failed"]
    assert (ran.folder / "job/data/checkpoint/checkpoint.json").is_file()  # in all of /opt/ml/output
    assert values["returned"] == "None"
    assert np.shape(values["heads"]) == np.shape(ran["Deploy and predict"]["as_json"])
    assert "code/train-coach.py is not run" in log
