"""The numbers and lengths that flags take, tried at, just inside and just outside both ends."""

import argparse
import contextlib
import io
import json
import math
import runpy
from functools import cache

import botocore.session
import pytest
from jobs import ROOT
from launch.cli import bounds, values
from launch.cli.errors import UsageError
from launch.sagemaker import async_inference, endpoint_requests, endpoints, training_requests

POSITIONALS = {
    "evaluate": ["a-job"],
    "transform": ["a-job", __file__],
    "deploy": ["a-job"],
    "train": [],
    "tune": [],
    "predict": [],
    "logs": [],
}
"""What else each script with a number needs on its command line."""
SHAPES = {
    "--data-capture": "SamplingPercentage",
    "--max-concurrency": "ServerlessMaxConcurrency",
    "--max-concurrent": "MaxConcurrentInvocationsPerInstance",
    "--max-jobs": "MaxNumberOfTrainingJobs",
    "--max-parallel-jobs": "MaxParallelTrainingJobs",
    "--max-pending": "MaxPendingTimeInSeconds",
    "--max-runtime": "MaxRuntimeInSeconds",
    "--max-wait": "MaxWaitTimeInSeconds",
    "--min-resource": "HyperbandStrategyMinResource",
    "--retries": "MaximumRetryAttempts",
    "--volume-gb": "VolumeSizeInGB",
}
"""What botocore's model of SageMaker calls a flag's value."""


@cache
def main_of(script):
    return runpy.run_path(str(ROOT / f"scripts/{script}.py"))["main"]


@cache
def help_of(script):
    with contextlib.redirect_stdout(io.StringIO()) as text, pytest.raises(SystemExit):
        main_of(script)(["--help"])
    return text.getvalue()


def complaint(script, *command_line):
    """Return what a script says of a command line that has one mistake more: a flag that does not exist."""
    with pytest.raises(UsageError) as refused:
        main_of(script)([*POSITIONALS[script], *command_line, "--no-such-flag"])
    return str(refused.value)


def inside_and_outside(allowed):
    """Return texts of numbers at and just inside the ends, and of those just outside."""
    if not allowed.whole:
        tiny = repr(math.nextafter(allowed.least, 1))
        return [tiny, "0.5", "1e308"], [str(allowed.least), "-0.5", "nan", "inf", "1e400"]
    inside, outside = [allowed.least, allowed.least + 1], [allowed.least - 1]
    if allowed.most < bounds.UNLIMITED:
        inside += [int(allowed.most) - 1, int(allowed.most)]
        outside += [int(allowed.most) + 1]
    return [*map(str, inside)], [*map(str, outside), "1.5", "one", "", "9" * 5000]


def numbers_of(script):
    return [flag for flag in bounds.BOUNDS if f"  {flag} " in help_of(script)]


@pytest.mark.parametrize("script", POSITIONALS)
def test_a_number_is_taken_within_its_bounds_alone(script):
    for flag in numbers_of(script):
        inside, outside = inside_and_outside(bounds.BOUNDS[flag])
        for text in inside:
            assert complaint(script, f"{flag}={text}") == "Unrecognized arguments: --no-such-flag; see --help.", text
        for text in outside:
            assert complaint(script, f"{flag}={text}") == f"{flag}: {text!r} is no {bounds.BOUNDS[flag]}; see --help."


def test_every_flag_of_the_table_is_a_scripts():
    assert {flag for script in POSITIONALS for flag in numbers_of(script)} == bounds.BOUNDS.keys()


@pytest.mark.parametrize(
    ("allowed", "sentence"),
    [
        (bounds.Bounds(1), "whole number of at least 1"),
        (bounds.Bounds(0, 7), "whole number from 0 to 7"),
        (bounds.Bounds(2, whole=False), "number of more than 2"),
    ],
)
def test_bounds_say_what_they_are(allowed, sentence):
    assert str(allowed) == sentence


def test_a_number_is_whole_where_it_has_to_be():
    assert [type(bounds.Bounds(1)("2")), type(bounds.Bounds(1, whole=False)("2"))] == [int, float]


@pytest.mark.parametrize(("flag", "shape"), SHAPES.items())
def test_bounds_are_sagemakers(flag, shape):
    model = botocore.session.get_session().get_service_model("sagemaker")
    limits = model.shape_for(shape).metadata
    assert bounds.BOUNDS[flag].least == max(limits["min"], 1)  # no data capture is no flag
    assert bounds.BOUNDS[flag].most == limits.get("max", bounds.UNLIMITED)


def test_the_memory_of_a_serverless_endpoint_is_sagemakers():
    sizes = runpy.run_path(str(ROOT / "scripts/deploy.py"))["SERVERLESS_MEMORY"]
    model = botocore.session.get_session().get_service_model("sagemaker")
    limits = model.shape_for("ServerlessMemorySizeInMB").metadata
    assert list(sizes) == list(range(limits["min"], limits["max"] + 1, 1024))


# --- Two values together ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["0:1", "1:1", "2:2", "1:2", "2:10"])  # 2:10 are numbers, not texts
def test_an_endpoint_scales_between_two_numbers(text):
    assert values.instance_range(text) == tuple(map(int, text.split(":")))
    assert complaint("deploy", "--autoscale", text).startswith("Unrecognized arguments: --no-such-flag")


@pytest.mark.parametrize("text", ["0:0", "2:1", "10:9", "1", "1:", ":1", "1:2:3", "-1:1", "a:b", " 1:2", "1:2x"])
def test_other_ranges_of_instances_are_refused(text):
    assert complaint("deploy", f"--autoscale={text}") == f"--autoscale is {text!r}, expected MIN:MAX as in 1:4."


@pytest.mark.parametrize(
    ("spot", "max_wait", "expected"),
    [(True, 600, 600), (True, 601, 601), (True, None, 600), (False, None, None)],
)
def test_a_spot_job_waits_as_long_as_it_runs_at_least(spot, max_wait, expected):
    arguments = argparse.Namespace(max_wait=max_wait, max_runtime=600)
    assert training_requests.spot_seconds(arguments, spot) == expected


@pytest.mark.parametrize(("spot", "max_wait"), [(True, 599), (True, 1), (False, 600), (False, 601)])
def test_a_job_does_not_wait_less_than_it_runs_nor_without_spot(spot, max_wait):
    sentence = f"--max-wait is {max_wait}, expected with --spot, and no less than --max-runtime 600."
    with pytest.raises(UsageError) as refused:
        training_requests.spot_seconds(argparse.Namespace(max_wait=max_wait, max_runtime=600), spot)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("flag", endpoint_requests.NOT_SERVERLESS)
def test_what_serverless_endpoints_do_not_have(flag):
    flags = {"serverless": False, "subnets": [], "security_groups": []}
    others = dict.fromkeys((*async_inference.FLAGS, "asynchronous", "max_payload", "target_invocations"))
    arguments = argparse.Namespace(**dict.fromkeys(endpoint_requests.NOT_SERVERLESS) | others | flags)
    both = ("subnets", "security_groups") if flag in ("subnets", "security_groups") else (flag,)
    for name in both:
        setattr(arguments, name, ["given"])
    endpoint_requests.check_flags(arguments)
    arguments.serverless = True
    with pytest.raises(UsageError, match=f"^--serverless does not go with --{both[0].replace('_', '-')}.$"):
        endpoint_requests.check_flags(arguments)
    for name in both:
        setattr(arguments, name, [])
    endpoint_requests.check_flags(arguments)


# --- Lengths ---------------------------------------------------------------------------------------------------------
def hyperparameters(count=1, name=1, value=1):
    """Return the texts of so many hyperparameters, the last with a name and a value of these lengths."""
    return [*(f"{number}=" for number in range(count - 1)), f"{'n' * name}={'v' * value}"]


def from_file(tmp_path, texts):
    file = tmp_path / "hyperparameters.json"
    file.write_text(json.dumps(dict(text.split("=") for text in texts)), encoding="utf-8")
    return file


LENGTHS = [
    ("job or endpoint", lambda size: values.name("n" * size), 1, 63),
    ("endpoint to deploy", lambda size: endpoints.check_name("n" * size), 1, 36),
    ("role", lambda size: values.role("r" * size), 1, 64),
    ("key of a tag", lambda size: values.tag(f"{'k' * size}=v"), 1, 128),
    ("value of a tag", lambda size: values.tag(f"k={'v' * size}"), 0, 256),
    ("name of a hyperparameter", lambda size: values.hyperparameters(hyperparameters(name=size)), 1, 256),
    ("value of a hyperparameter", lambda size: values.hyperparameters(hyperparameters(value=size)), 0, 2500),
    ("hyperparameters", lambda size: values.hyperparameters(hyperparameters(count=size)), None, 100),
]


@pytest.mark.parametrize(("what", "check", "least", "most"), LENGTHS, ids=[row[0] for row in LENGTHS])
def test_lengths(what, check, least, most):
    for size in {least or 1, (least or 1) + 1, most - 1, most}:
        assert check(size)
    for size in {most + 1, *([least - 1] if least else [])}:
        with pytest.raises((argparse.ArgumentTypeError, UsageError)):
            check(size)


def test_what_is_too_long_is_said_in_one_sentence(tmp_path):
    sentences = {
        "There are 101 hyperparameters, expected at most 100.": hyperparameters(count=101),
        f"Hyperparameter {'n' * 50} is too long: SageMaker takes names of 256, values of 2,500.": hyperparameters(
            name=257
        ),
    }
    for sentence, texts in sentences.items():
        for given in ((texts, None), ((), from_file(tmp_path, texts))):
            with pytest.raises(UsageError) as refused:
                values.hyperparameters(*given)
            assert str(refused.value) == sentence
