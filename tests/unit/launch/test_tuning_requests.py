"""The request of a tuning job: what is not given, and mistakes that are known before AWS is asked."""

import runpy
from typing import Any

import pytest
from jobs import ROOT
from launch.cli import parameter_ranges
from launch.cli.errors import UsageError
from launch.sagemaker import tuning_requests

DISCOUNT = ("--range", "discount=0.99:0.9999:reverse-log")


@pytest.fixture(scope="module")
def parser() -> Any:
    return runpy.run_path(str(ROOT / "scripts/tune.py"))["_parser"]()


def request(parser: Any, *arguments: str, clients: Any = None) -> dict[str, Any]:
    """Return the request; without clients only what needs no AWS is looked at."""
    given = parser.parse_args(["--image", "x", "--role", "arn:aws:iam::123456789012:role/r", *arguments])
    return tuning_requests.request(given, clients, tuning_requests.job_name(given))


class Clients:
    default_home = "s3://bucket"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (DISCOUNT, {"Strategy": "Bayesian", "ResourceLimits": (10, 2), "TrainingJobEarlyStoppingType": "Off"}),
        ((*DISCOUNT, "--local"), {"Strategy": "Random"}),
        ((*DISCOUNT, "--max-jobs", "1"), {"ResourceLimits": (1, 1)}),
        (("--choices", "a=1,2", "--choices", "b=x,y,z", "--strategy", "Grid"), {"ResourceLimits": (6, 2)}),
        (
            (*DISCOUNT, "--strategy", "Hyperband", "--min-resource", "2", "--max-resource", "9"),
            {"StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 2, "MaxResource": 9}}},
        ),
        ((*DISCOUNT, "--strategy", "Hyperband", "-p", "epochs=5"), {"Strategy": "Hyperband"}),
        (
            DISCOUNT,
            {"HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "reward-evaluation"}},
        ),
        (
            (*DISCOUNT, "--objective", "steps-training", "--objective-type", "Minimize"),
            {"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "steps-training"}},
        ),
    ],
)
def test_what_is_not_given_has_a_default(parser, arguments, expected):
    config = request(parser, *arguments, clients=Clients())["HyperParameterTuningJobConfig"]
    config["ResourceLimits"] = tuple(config["ResourceLimits"].values())
    assert config | expected == config


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--range", "x=1:2:cubic"), "--range: 'x=1:2:cubic' is no NAME=MIN:MAX or NAME=MIN:MAX:SCALING"),
        (("--choices", "x=1,,2"), "--choices: 'x=1,,2' is no NAME=VALUE,VALUE,..."),
        (("--range", "x=2:1"), "The range of x is 2:1, expected a minimum below the maximum."),
        (("--range", "x=1:1"), "The range of x is 1:1, expected a minimum below the maximum."),
        (("--range", "x=1:inf"), "The range of x is 1:inf, expected a minimum below the maximum."),
        (("--range", "x=nan:1"), "The range of x is nan:1, expected a minimum below the maximum."),
        (("--integer-range", "x=1:2.5"), "The range of x is 1:2.5, expected two whole numbers."),
        (("--range", "x=0:1:log"), "The range of x is 0:1 with scaling Logarithmic, expected numbers of more than 0."),
        (("--range", "x=0:1:reverse-log"), "scaling ReverseLogarithmic, expected numbers from 0 to less than 1."),
        (("--range", "x=-1:0:reverse-log"), "scaling ReverseLogarithmic, expected numbers from 0 to less than 1."),
        (("--integer-range", "x=1:2:reverse-log"), "expected one of Auto, Linear, Logarithmic."),
        (("--choices", f"x={','.join(map(str, range(31)))}"), ",30, expected 1 to 30 different ones."),
        (("--choices", "x=1,1"), "The choices of x are 1,1, expected 1 to 30 different ones."),
        (("--choices", "x=1,2", "--range", "x=1:2"), "Hyperparameter x has 2 ranges, expected one."),
        (
            [part for number in range(31) for part in ("--range", f"x{number}=0:1")],
            "There are 31 hyperparameters to tune, expected at most 30.",
        ),
        (("--range", "x=0:1", "--strategy", "Grid"), "--strategy is Grid and x has a range of numbers, expected "),
        (
            ("--choices", "x=1,2", "--strategy", "Grid", "--max-jobs", "3"),
            "--max-jobs is 3, expected none with Grid, or its 2 combinations.",
        ),
        ((*DISCOUNT, "--max-jobs", "2", "--max-parallel-jobs", "3"), "--max-parallel-jobs is 3, expected at most as"),
        ((*DISCOUNT, "--strategy", "Hyperband"), "--strategy is Hyperband, expected with --max-resource"),
        (
            (*DISCOUNT, "--strategy", "Hyperband", "--min-resource", "3", "--max-resource", "2"),
            "--min-resource is 3, expected at most --max-resource 2.",
        ),
        (
            (*DISCOUNT, "--strategy", "Hyperband", "--early-stopping", "Auto"),
            "--early-stopping is Auto, expected Off with Hyperband",
        ),
        ((*DISCOUNT, "--max-resource", "3"), "--min-resource and --max-resource are of Hyperband"),
        ((*DISCOUNT, "--warm-start-type", "TransferLearning"), "expected with --warm-start."),
        ((*DISCOUNT, "--warm-start", *"abcdef"), "--warm-start has 6 tuning jobs, expected at most 5."),
        ((*DISCOUNT, "--job-name", "a" * 33), "expected at most 32 characters for a tuning job."),
        ((*DISCOUNT, "--objective", "accuracy"), "--objective: invalid choice: 'accuracy' (choose from"),
    ],
)
def test_a_mistake_is_one_sentence(parser, arguments, sentence):
    with pytest.raises(UsageError) as raised:
        request(parser, *arguments)
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "which cannot be read: No such file or directory."),
        ("{", "which cannot be read as JSON: "),
        ('{"x": []}', "expected an object of ContinuousParameterRanges, IntegerParameterRanges, Categorical"),
        (
            '{"ContinuousParameterRanges": [{"Name": "x", "MinValue": 1, "MaxValue": "2"}]}',
            ": Invalid type for parameter ContinuousParameterRanges[0].MinValue, value: 1, type: <class 'int'>, valid",
        ),
        ('{"CategoricalParameterRanges": []}', "There is nothing to tune"),
        (
            '{"CategoricalParameterRanges": [{"Name": "x", "Values": []}]}',
            "Invalid length for parameter CategoricalParameterRanges[0].Values, value: 0, valid min length: 1.",
        ),
    ],
)
def test_a_file_of_no_ranges(parser, tmp_path, content, sentence):
    file = tmp_path / "ranges.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError) as raised:
        request(parser, "--ranges", str(file))
    assert sentence in str(raised.value)


def test_what_a_training_job_of_a_tuning_job_cannot_have_is_refused():
    training = {
        "TrainingJobName": "x",
        "Tags": [],
        "RoleArn": "r",
        "TensorBoardOutputConfig": {},
        "ExperimentConfig": {},
    }
    with pytest.raises(UsageError, match=r"^ExperimentConfig, TensorBoardOutputConfig cannot be given to the training"):
        tuning_requests.definition(training, ["x"])


def test_the_extremes_of_ranges_have_each_end_and_each_choice():
    ranges = {
        "ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}],
        "CategoricalParameterRanges": [{"Name": "a", "Values": ["p", "q", "r"]}, {"Name": "b", "Values": ["s"]}],
    }
    assert parameter_ranges.extremes(ranges) == [
        {"x": "0", "a": "p", "b": "s"},
        {"x": "1", "a": "q", "b": "s"},
        {"x": "0", "a": "r", "b": "s"},
    ]
    assert parameter_ranges.extremes({"IntegerParameterRanges": ranges["ContinuousParameterRanges"]}) == [
        {"x": "0"},
        {"x": "1"},
    ]
