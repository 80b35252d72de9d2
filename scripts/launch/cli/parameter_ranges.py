"""The ranges of a tuning job's hyperparameters, from flags or a file, in the form of the API's ParameterRanges.

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-define-ranges.html
"""

import argparse
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launch.cli import values
from launch.cli.errors import UsageError

CONTINUOUS, INTEGER, CATEGORICAL = (f"{kind}ParameterRanges" for kind in ("Continuous", "Integer", "Categorical"))
SCALINGS = {"auto": "Auto", "linear": "Linear", "log": "Logarithmic", "reverse-log": "ReverseLogarithmic"}
"""What a flag calls them, and what the API does."""
MAX_RANGES = MAX_CHOICES = 30
"""https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-limits.html"""
NUMERIC = re.compile(r"([^=]+)=([^:]+):([^:]+)(?::(.*))?")

Ranges = dict[str, list[dict[str, Any]]]
"""ParameterRanges: lists of ranges, by their kind."""


# --- For ``type=`` of a flag -----------------------------------------------------------------------------------------
def numeric(text: str) -> dict[str, Any]:
    """Return ``NAME=MIN:MAX[:SCALING]`` as a range of numbers; ``check`` looks at the numbers."""
    match = NUMERIC.fullmatch(text)
    if not match or match[4] not in (None, *SCALINGS):
        scalings = ", ".join(SCALINGS)
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=MIN:MAX or NAME=MIN:MAX:SCALING, SCALING {scalings}")
    return {"Name": match[1], "MinValue": match[2], "MaxValue": match[3], "ScalingType": SCALINGS[match[4] or "auto"]}


def choices(text: str) -> dict[str, Any]:
    """Return ``NAME=A,B,C`` as a range of values."""
    name, separator, values = text.partition("=")
    if not name or not separator or not all(values.split(",")):
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=VALUE,VALUE,...")
    return {"Name": name, "Values": values.split(",")}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that ``collect`` reads."""
    parser.add_argument(
        "--range",
        dest="ranges",
        metavar="NAME=MIN:MAX[:SCALING]",
        action="append",
        type=numeric,
        default=[],
        help=f"a hyperparameter to tune; SCALING is one of {', '.join(SCALINGS)} (auto)",
    )
    parser.add_argument(
        "--integer-range",
        dest="integer_ranges",
        metavar="NAME=MIN:MAX[:SCALING]",
        action="append",
        type=numeric,
        default=[],
        help="the same, of whole numbers",
    )
    parser.add_argument(
        "--choices",
        metavar="NAME=VALUE,VALUE,...",
        action="append",
        type=choices,
        default=[],
        help="the same, of single values",
    )
    parser.add_argument("--ranges", dest="ranges_file", type=Path, metavar="FILE", help="ParameterRanges as JSON")


def collect(arguments: argparse.Namespace) -> Ranges:
    """Return the ranges that the flags and the file give together.

    Raises:
        UsageError: There is none, or what SageMaker would refuse.
    """
    ranges = _read(arguments.ranges_file) if arguments.ranges_file else {}
    for kind, given in (
        (CONTINUOUS, arguments.ranges),
        (INTEGER, arguments.integer_ranges),
        (CATEGORICAL, arguments.choices),
    ):
        if given:
            ranges[kind] = [*ranges.get(kind, []), *given]
    check(ranges)
    return ranges


def _read(file: Path) -> Ranges:
    import botocore.session  # takes long to import, and --help does not need it
    from botocore.validate import ParamValidator

    content = values.json_of("--ranges", file)
    kinds = (CONTINUOUS, INTEGER, CATEGORICAL)
    if not isinstance(content, dict) or not content.keys() <= set(kinds):
        raise UsageError(f"--ranges is {file}, expected an object of {', '.join(kinds)}.")
    shape = botocore.session.get_session().get_service_model("sagemaker").shape_for("ParameterRanges")
    report = ParamValidator().validate(content, shape)
    if report.has_errors():
        raise UsageError(f"--ranges is {file}: {' '.join(report.generate_report().split())}.")
    return content


def names(ranges: Ranges) -> list[str]:
    """Return the names of the hyperparameters that are tuned, in their order."""
    return [entry["Name"] for entries in ranges.values() for entry in entries]


def combinations(ranges: Ranges) -> int:
    """Return how many combinations the single values have, which is how many jobs a grid has."""
    return math.prod(len(entry["Values"]) for entry in ranges.get(CATEGORICAL, []))


def extremes(ranges: Ranges) -> list[dict[str, str]]:
    """Return sets of values that together have both ends of each range of numbers, and each single value."""
    numbers = [entry for kind in ranges if kind != CATEGORICAL for entry in ranges[kind]]
    choices = ranges.get(CATEGORICAL, [])
    return [
        {entry["Name"]: entry["MaxValue" if place % 2 else "MinValue"] for entry in numbers}
        | {entry["Name"]: entry["Values"][place % len(entry["Values"])] for entry in choices}
        for place in range(max([2, *(len(entry["Values"]) for entry in choices)]))
    ]


def check(ranges: Ranges) -> None:
    """Check ranges as SageMaker does.

    Raises:
        UsageError: It would refuse them.
    """
    tuned = names(ranges)
    if not tuned:
        raise UsageError("There is nothing to tune, expected --range, --integer-range, --choices or --ranges.")
    if len(tuned) > MAX_RANGES:
        raise UsageError(f"There are {len(tuned)} hyperparameters to tune, expected at most {MAX_RANGES}.")
    for name in tuned:
        if tuned.count(name) > 1:
            raise UsageError(f"Hyperparameter {name} has {tuned.count(name)} ranges, expected one.")
    for kind, entries in ranges.items():
        for entry in entries:
            if kind == CATEGORICAL:
                _check_choices(entry["Name"], entry["Values"])
            else:
                _check_numbers(entry, kind == INTEGER)


def _check_choices(name: str, values: Sequence[str]) -> None:
    if len(set(values)) != len(values) or len(values) > MAX_CHOICES:
        raise UsageError(f"The choices of {name} are {','.join(values)}, expected 1 to {MAX_CHOICES} different ones.")


def _check_numbers(entry: dict[str, Any], whole: bool) -> None:
    texts, scaling = (entry["MinValue"], entry["MaxValue"]), entry.get("ScalingType", "Auto")
    subject = f"The range of {entry['Name']} is {':'.join(texts)}"
    try:
        low, high = (int(text) if whole else float(text) for text in texts)
    except ValueError:
        raise UsageError(f"{subject}, expected two {'whole numbers' if whole else 'numbers'}.") from None
    if not -math.inf < low < high < math.inf:
        raise UsageError(f"{subject}, expected a minimum below the maximum.")
    known = [name for name in SCALINGS.values() if not (whole and name == "ReverseLogarithmic")]
    if scaling not in known:
        raise UsageError(f"{subject} with scaling {scaling}, expected one of {', '.join(known)}.")
    if scaling == "Logarithmic" and low <= 0:
        raise UsageError(f"{subject} with scaling {scaling}, expected numbers of more than 0.")
    if scaling == "ReverseLogarithmic" and not (low >= 0 and high < 1):
        raise UsageError(f"{subject} with scaling {scaling}, expected numbers from 0 to less than 1.")
