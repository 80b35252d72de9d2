"""An endpoint's environment variables: each has its own field, and each number its bounds."""

from pathlib import Path

import pytest
from sagemaker_rl import cores
from sagemaker_rl.errors import InputError
from sagemaker_rl.serving import settings
from sagemaker_rl.serving.settings import Settings

GIVEN = {
    "SAGEMAKER_BASE_DIR": "/base",
    "SAGEMAKER_BATCH": "true",
    "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
    "SAGEMAKER_BIND_TO_HOST": "127.0.0.3",
    "SAGEMAKER_BIND_TO_PORT": "8081",
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
    "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "5",
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
        max_payload_in_mb=7,
        max_concurrent_transforms=5,
        batch_strategy="SINGLE_RECORD",
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
        max_payload_in_mb=6,
        max_concurrent_transforms=0,
        batch_strategy="MULTI_RECORD",
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


def test_no_limit_of_payload_is_the_largest_there_is():
    read = Settings.from_environment({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "0"})
    largest = settings.BOUNDS["SAGEMAKER_MAX_PAYLOAD_IN_MB"].most
    assert (read.max_payload_in_mb, read.max_body_bytes) == (0, largest * 2**20)


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"SAGEMAKER_BATCH": "true"}, 600),
        ({"SAGEMAKER_BATCH": "True"}, 600),
        ({"SAGEMAKER_BATCH": "false"}, 60),
        ({"SAGEMAKER_BATCH": "true", "SAGEMAKER_MODEL_SERVER_TIMEOUT": "61"}, 61),
        ({"SAGEMAKER_BATCH": "true", "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "62"}, 62),
    ],
)
def test_batch_transform_waits_longer_for_an_answer(environment, seconds):
    assert Settings.from_environment(environment).seconds_to_answer == seconds


@pytest.mark.parametrize(
    ("environment", "strategy"),
    [
        ({"SAGEMAKER_BATCH": "true"}, "MULTI_RECORD"),
        ({"SAGEMAKER_BATCH": "True"}, "MultiRecord"),
        ({"SAGEMAKER_BATCH": "True", "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD"}, "SingleRecord"),
    ],
)
def test_the_sdks_local_mode_is_answered_in_its_own_words(environment, strategy):
    """It sets SAGEMAKER_BATCH to "True", and refuses MULTI_RECORD as a strategy."""
    assert Settings.from_environment(environment).batch_strategy == strategy


def test_a_worker_may_have_as_many_requests_as_batch_transform_sends():
    for transforms, queue, expected in (("2000", "1000", 2000), ("3", "2", 3), ("2", "3", 3), ("0", "1", 1)):
        environment = {"SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": transforms, "SAGEMAKER_RL_MAX_QUEUE": queue}
        assert Settings.from_environment(environment).max_queue == expected


@pytest.mark.parametrize(("text", "several"), [("true", True), ("True", True), ("false", False), ("1", False)])
def test_several_models_have_a_folder_of_their_own(text, several):
    read = Settings.from_environment({"SAGEMAKER_MULTI_MODEL": text})
    assert (read.multi_model, read.model_dir.name) == (several, "models" if several else "model")


@pytest.mark.parametrize("name", settings.BOUNDS)
def test_a_number_is_taken_within_its_bounds_alone(name):
    least, most = settings.BOUNDS[name]
    for number in {least, least + 1, most - 1, most}:
        Settings.from_environment({name: str(number)})
    for text in (str(least - 1), str(most + 1), "-1", "1.0", "one", "", " 1", "\u0661", "9" * 5000):
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
        ("SAGEMAKER_BATCH", "expected true or false."),
        ("SAGEMAKER_BATCH_STRATEGY", "expected MULTI_RECORD or SINGLE_RECORD."),
    ],
)
def test_a_choice_is_one_of_those_that_there_are(name, sentence):
    with pytest.raises(InputError) as refused:
        Settings.from_environment({name: "thoughts"})
    assert str(refused.value) == f"{name} is 'thoughts', {sentence}"
