"""An endpoint's environment variables: each has its own field, and each number its bounds."""

from pathlib import Path

import pytest
from sagemaker_rl import cores
from sagemaker_rl.errors import InputError
from sagemaker_rl.serving import settings
from sagemaker_rl.serving.settings import Settings

GIVEN = {
    "SAGEMAKER_BASE_DIR": "/base",
    "SAGEMAKER_BIND_TO_HOST": "127.0.0.3",
    "SAGEMAKER_BIND_TO_PORT": "8081",
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
    "SAGEMAKER_MAX_PAYLOAD_IN_MB": "7",
    "SAGEMAKER_MODEL_SERVER_TIMEOUT": "61",
    "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "62",
    "SAGEMAKER_MODEL_SERVER_WORKERS": "3",
    "SAGEMAKER_PROGRAM": "mine.py",
    "SAGEMAKER_RL_ACCESS_LOG_LINES_PER_SECOND": "101",
    "SAGEMAKER_RL_COMPILE": "0",
    "SAGEMAKER_RL_MAX_MODELS": "1001",
    "SAGEMAKER_RL_MAX_QUEUE": "1002",
    "SAGEMAKER_RL_MODEL_THREADS": "5",
    "SAGEMAKER_RL_OUTPUT": "actions",
    "SAGEMAKER_RL_PAGE": "1",
    "SAGEMAKER_RL_RECEIVE_TIMEOUT_SECONDS": "31",
}
"""Another value than the default for each variable, all of them unequal."""


def test_every_variable_has_its_field():
    assert Settings.from_environment(GIVEN) == Settings(
        model_dir=Path("/base/model"),
        host="127.0.0.3",
        port=8081,
        workers=3,
        max_body_bytes=7 * 2**20,
        seconds_to_answer=62,
        seconds_to_receive=31,
        max_queue=1002,
        access_log_lines=101,
        default_accept="text/csv",
        output="actions",
        program="mine.py",
        compile=False,
        multi_model=False,
        max_models=1001,
        model_threads=5,
        page=True,
    )


def test_without_variables_the_defaults_hold():
    assert Settings.from_environment({}) == Settings(
        model_dir=Path("/opt/ml/model"),
        host="0.0.0.0",
        port=8080,
        workers=min(cores.count(), 64),
        max_body_bytes=6 * 2**20,
        seconds_to_answer=60,
        seconds_to_receive=30,
        max_queue=1000,
        access_log_lines=100,
        default_accept="application/json",
        output="heads",
        program="inference.py",
        compile=True,
        multi_model=False,
        max_models=1000,
        model_threads=1,
        page=False,
    )


def test_the_toolkits_timeout_is_the_default_of_sagemakers():
    assert Settings.from_environment({"SAGEMAKER_MODEL_SERVER_TIMEOUT": "61"}).seconds_to_answer == 61


@pytest.mark.parametrize(("text", "several"), [("true", True), ("True", True), ("false", False), ("1", False)])
def test_several_models_have_a_folder_of_their_own(text, several):
    read = Settings.from_environment({"SAGEMAKER_MULTI_MODEL": text})
    assert (read.multi_model, read.model_dir.name) == (several, "models" if several else "model")


@pytest.mark.parametrize("name", settings.BOUNDS)
def test_a_number_is_taken_within_its_bounds_alone(name):
    least, most = settings.BOUNDS[name]
    for number in {least, least + 1, most - 1, most}:
        Settings.from_environment({name: str(number)})
    for text in (str(least - 1), str(most + 1), "-1", "1.0", "one", "", " 1", "9" * 5000):
        with pytest.raises(InputError) as refused:
            Settings.from_environment({name: text})
        assert str(refused.value) == f"{name} is {text!r}, expected a whole number from {least} to {most}."


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT",
            "expected one of application/json, application/jsonlines, text/csv, application/x-npy.",
        ),
        ("SAGEMAKER_RL_OUTPUT", "expected heads or actions."),
    ],
)
def test_a_choice_is_one_of_those_that_there_are(name, sentence):
    with pytest.raises(InputError) as refused:
        Settings.from_environment({name: "thoughts"})
    assert str(refused.value) == f"{name} is 'thoughts', {sentence}"
