"""A script's command line, and one sentence for a mistake in it."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from launch.cli.errors import UsageError


class Parser(argparse.ArgumentParser):
    """Says what is wrong, without all that could have been right before it: that is what ``--help`` is for.

    Args:
        documentation: the script's, with its examples.
    """

    def __init__(self, documentation: str | None) -> None:
        super().__init__(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError, where argparse's own method ends the process."""
        sentence = message.removeprefix("argument ")
        raise UsageError(f"{sentence[0].upper()}{sentence[1:]}; see --help.")


def at_least(lowest: int) -> Callable[[str], int]:
    """Return what reads a whole number that is no less; for ``type=`` of a flag."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < lowest:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least {lowest}")
        return int(text)

    return number


def check_target(flag: str, path: Path) -> None:
    """Check that a file can be written in the end, before anything is done for it; make its folder.

    Raises:
        UsageError: It is a folder, or there can be none for it, or none that can be written to.
    """
    if path.is_dir():
        raise UsageError(f"{flag} is {path}, which is a folder, expected a file.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{flag} is {path}, expected a file in a folder that can be made: {error.strerror}.") from None
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"{flag} is {path}, expected a file in a folder that can be written to.")
