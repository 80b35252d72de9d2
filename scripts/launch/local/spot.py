"""Managed Spot training on this machine: a test switch takes a job's instances away, as SageMaker may at any time."""

import os
import random
import time
from collections.abc import Mapping
from typing import Any

from launch.cli.errors import UsageError

VARIABLE = "RL_LOCAL_SPOT_INTERRUPTIONS"
"""Of the environment: how many times a Spot job is interrupted."""
SECONDS_UNTIL_INTERRUPTED = (5.0, 15.0)
"""From a start of the containers: the least and the most."""
SECONDS_OF_WARNING = 120
"""Between SIGTERM and the end of an instance: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-interruptions.html."""


class Interruption(Exception):
    """A job's instances are taken away after ``seconds`` of warning."""

    def __init__(self, seconds: int) -> None:
        warning = f"{seconds} s after a warning" if seconds else "without a warning"
        super().__init__(f"The Spot capacity was taken away {warning}")
        self.seconds = seconds


class SpotCapacity:
    """Says when a job loses its instances: as often as the test switch says, at random moments.

    Half of the times there is no warning, so that what has been copied until then is all that is left.

    Args:
        request: of CreateTrainingJob.
    """

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._interruptions = interruptions_wanted() if request.get("EnableManagedSpotTraining") else 0
        self._moment = float("inf")

    def begin(self) -> None:
        """Choose the moment at which containers that start now are interrupted."""
        wanted, self._interruptions = self._interruptions, self._interruptions - 1
        seconds = random.uniform(*SECONDS_UNTIL_INTERRUPTED) if wanted > 0 else float("inf")  # noqa: S311
        self._moment = time.monotonic() + seconds

    def check(self) -> None:
        """Raise Interruption once the moment has come."""
        if time.monotonic() > self._moment:
            raise Interruption(random.choice((0, SECONDS_OF_WARNING)))  # noqa: S311


def interruptions_wanted() -> int:
    """Return what the test switch says.

    Raises:
        UsageError: It is no whole number, 0 or more.
    """
    setting = os.environ.get(VARIABLE, "").strip() or "0"
    if not setting.isascii() or not setting.isdigit():
        raise UsageError(f"{VARIABLE} is {setting!r}, expected a whole number, 0 or more.")
    return int(setting)
