"""The values that a tuning job of this machine tries: random ones, or all combinations.

The scalings are those of
https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-define-ranges.html#scaling-type
"""

import itertools
import math
import random
from collections.abc import Iterator
from typing import Any

FACTOR_OF_LOGARITHMIC = 100
"""Between the ends of a range from which on scaling Auto is logarithmic."""
DIGITS = 8


def trials(config: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the tuned hyperparameters of one training job after the other.

    Args:
        config: HyperParameterTuningJobConfig, of strategy Random or Grid.
    """
    ranges = config["ParameterRanges"]
    limit = config["ResourceLimits"]["MaxNumberOfTrainingJobs"]
    if config["Strategy"] == "Grid":
        names = [entry["Name"] for entry in ranges["CategoricalParameterRanges"]]
        grid = itertools.product(*(entry["Values"] for entry in ranges["CategoricalParameterRanges"]))
        for values in itertools.islice(grid, limit):
            yield dict(zip(names, values, strict=True))
        return
    generator = random.Random(config.get("RandomSeed"))  # noqa: S311 - of hyperparameters
    for _ in range(limit):
        yield _draw(ranges, generator)


def _draw(ranges: dict[str, Any], generator: random.Random) -> dict[str, str]:
    drawn = {}
    for entry in ranges.get("ContinuousParameterRanges", []):
        low, high = float(entry["MinValue"]), float(entry["MaxValue"])
        value = float(f"{_scaled(low, high, entry, generator.random()):.{DIGITS}g}")
        drawn[entry["Name"]] = repr(min(max(value, low), high))
    for entry in ranges.get("IntegerParameterRanges", []):
        least, most = int(entry["MinValue"]), int(entry["MaxValue"])
        # Half a step more on both sides: else the ends of the range would be drawn half as often as what is between.
        number = round(_scaled(least - 0.5, most + 0.5, entry, generator.random()))
        drawn[entry["Name"]] = str(min(max(number, least), most))
    for entry in ranges.get("CategoricalParameterRanges", []):
        drawn[entry["Name"]] = generator.choice(entry["Values"])
    return drawn


def _scaled(low: float, high: float, entry: dict[str, Any], fraction: float) -> float:
    """Return the number at a fraction, from 0 to 1, of a range by its scaling."""
    scaling = entry.get("ScalingType", "Auto")
    if scaling == "Auto":
        scaling = "Logarithmic" if low > 0 and high / low >= FACTOR_OF_LOGARITHMIC else "Linear"
    if scaling == "Logarithmic":
        return low * math.exp(fraction * math.log(high / low))
    if scaling == "ReverseLogarithmic":
        return 1 - (1 - low) * math.exp(fraction * math.log((1 - high) / (1 - low)))
    return low + fraction * (high - low)
