"""The numbers that flags take: one table, and the check that reads a flag's text.

SageMaker's own limits: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Operations.html
"""

import argparse
import math
import sys
from dataclasses import dataclass

UNLIMITED = sys.float_info.max


@dataclass(frozen=True)
class Bounds:
    """The numbers that a flag takes. An instance is the ``type=`` of a flag.

    Attributes:
        least: the smallest number; if not ``whole``, the number is more than that.
        most: the largest number.
        whole: whether it is a whole number.
    """

    least: int
    most: float = UNLIMITED
    whole: bool = True

    def __call__(self, text: str) -> float:
        """Return the number that a flag's text is: an int if ``whole``, else a float.

        Raises:
            ArgumentTypeError: It is no such number.
        """
        value = self._read(text)
        if not (self.least <= value if self.whole else self.least < value) or value > self.most:
            raise argparse.ArgumentTypeError(f"{text!r} is no {self}")
        return value

    def _read(self, text: str) -> float:
        """Return NaN for what is no number."""
        try:
            if self.whole:
                return int(text) if text.isdecimal() else math.nan
            return float(text)
        except ValueError:  # also of a whole number of thousands of digits
            return math.nan

    def __str__(self) -> str:
        kind = "whole number" if self.whole else "number"
        if self.most < UNLIMITED:
            return f"{kind} from {self.least} to {self.most}"
        return f"{kind} {'of at least' if self.whole else 'of more than'} {self.least}"


BOUNDS = {
    "--canary": Bounds(1, 50),
    "--canary-minutes": Bounds(1, 60),
    "--data-capture": Bounds(1, 100),
    "--episodes": Bounds(1),
    "--instance-count": Bounds(1),
    "--keep-alive": Bounds(60, 3600),
    "--max-concurrency": Bounds(1, 200),
    "--max-concurrent": Bounds(1, 1000),
    "--max-jobs": Bounds(1),
    "--max-parallel-jobs": Bounds(1),
    "--max-payload": Bounds(0, 1024),
    "--max-pending": Bounds(1800, 2_419_200),
    "--max-resource": Bounds(1, 20000),
    "--max-runtime": Bounds(1),
    "--max-wait": Bounds(1),
    "--min-resource": Bounds(1),
    "--processes-per-host": Bounds(1),
    "--random-seed": Bounds(0, 2**31 - 1),
    "--retries": Bounds(1, 30),
    "--rollback-latency": Bounds(1, 60_000),
    "--seed": Bounds(0),
    "--tail": Bounds(0),
    "--target-backlog": Bounds(0, whole=False),
    "--target-invocations": Bounds(0, whole=False),
    "--volume-gb": Bounds(1),
}
"""Of each flag that is a number, in whatever script it is."""


def add_number(
    parser: argparse.ArgumentParser, flag: str, text: str, default: float | None = None, unit: str | None = None
) -> None:
    """Add a flag that is a number within its bounds.

    Args:
        parser: to add it to.
        flag: a key of BOUNDS.
        text: what ``--help`` says of it.
        default: the number if the flag is not given.
        unit: what ``--help`` calls the number, ``SECONDS`` for instance.
    """
    parser.add_argument(flag, type=BOUNDS[flag], default=default, metavar=unit, help=text)
