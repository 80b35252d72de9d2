"""A job's hyperparameters: read from SageMaker's file, which has a string for each, and checked."""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_rl.errors import InputError


@dataclass(frozen=True)
class Range:
    """The numbers that make sense for a value; ``low`` itself only if ``closed``."""

    low: float
    high: float = float("inf")
    closed: bool = True

    def __contains__(self, value: float) -> bool:
        return (self.low <= value if self.closed else self.low < value) and value <= self.high

    def __str__(self) -> str:
        if not self.closed:
            return f"more than {self.low:g}" + (f", at most {self.high:g}" if self.high < float("inf") else "")
        return f"between {self.low:.10g} and {self.high:.10g}" if self.high < float("inf") else f"{self.low:g} or more"


RANGES = {
    "evaluate_episodes": Range(1),
    "evaluate_steps": Range(1),
    "early_stopping_patience": Range(0),
    "parallel_environments": Range(1, 4096),
    "environment_processes": Range(1, 256),
    "seed": Range(0, 2**32 - 1),
}
"""Of the hyperparameters that are the job's own, all of them whole numbers."""
OF_THE_PLATFORM = ("sagemaker_", "_tuning_", "default_user_module_name")
"""How the hyperparameters begin that SageMaker, its toolkit and its SDKs add for themselves."""
LARGEST = 1e18
"""No hyperparameter is larger; Coach and MXNet count in 64 bits."""


def read_hyperparameters(path: Path) -> dict[str, Any]:
    """Read ``hyperparameters.json``: an object of strings, each decoded as JSON where it is JSON.

    Raises:
        InputError: The file is not a JSON object.
    """
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"Hyperparameter file {path} cannot be read: {error}.") from None
    if not isinstance(loaded, dict):
        raise InputError(f"Hyperparameter file {path} holds {type(loaded).__name__}, expected a JSON object.")
    return {name: decode(value) for name, value in loaded.items()}


def decode(value: Any) -> Any:
    """Decode a value as often as it is a string of JSON: SDKs encode a string ``"256"`` once more."""
    if hasattr(value, "item"):  # a number of NumPy's, which a launcher may compute
        return value.item()
    while isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            break
    return value


def nearest(name: str, known: Iterable[str]) -> str:
    """Return how a sentence ends: ``did you mean 'discount'?``, or all known names if none is close."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}."


def checked_number(name: str, value: Any, number_type: type, allowed: Range | None) -> Any:
    """Return ``value`` as ``number_type`` (int or float).

    Raises:
        InputError: It is no such number, or out of range.
    """
    expected = "a whole number" if number_type is int else "a number"
    if allowed is not None:
        expected += f" {allowed}"
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or abs(value) > LARGEST
        or value != value  # NaN
        or (number_type is int and value != int(value))
        or (allowed is not None and value not in allowed)
    ):
        raise InputError(f"Hyperparameter {name} is {value!r}, expected {expected}.")
    return number_type(value)


def checked_count(name: str, value: Any) -> int:
    """Return a hyperparameter of RANGES as an int.

    Raises:
        InputError: It is no whole number in its range.
    """
    return int(checked_number(name, value, int, RANGES[name]))


def checked_flag(name: str, value: Any) -> bool:
    """Return a yes-or-no hyperparameter, given as 0, 1, true or false, as a bool.

    Raises:
        InputError: It is something else.
    """
    flags = {0: False, 1: True, "true": True, "false": False, "True": True, "False": False}
    try:
        return flags[value]
    except (KeyError, TypeError):
        raise InputError(f"Hyperparameter {name} is {value!r}, expected 0 or 1.") from None


def checked_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return a hyperparameter that is one of a few words.

    Raises:
        InputError: It is none of them.
    """
    if value not in choices:
        raise InputError(f"Hyperparameter {name} is {value!r}, expected {' or '.join(choices)}.")
    return str(value)


def as_text(value: Any) -> str:
    """Return a decoded value as a program's argument has it; ``decode`` reads it again."""
    return str(value) if isinstance(value, str | bool | int | float) else json.dumps(value)


def as_arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """Return hyperparameters as sagemaker-training gives them to a user's program: ``--name value`` for each."""
    given = {name: value for name, value in hyperparameters.items() if not name.startswith(OF_THE_PLATFORM)}
    return [part for name, value in given.items() for part in (f"--{name}", as_text(value))]


def from_arguments(arguments: Sequence[str]) -> dict[str, Any]:
    """Return the hyperparameters in a program's arguments, each decoded.

    Raises:
        InputError: They are not ``--name value`` for each.
    """
    names, values = arguments[::2], arguments[1::2]
    for name in names:
        if not name.startswith("-"):
            raise InputError(f"Argument {name!r} of the program is no name, expected --NAME VALUE for each.")
    if len(values) < len(names):
        raise InputError(f"Argument {names[-1]} of the program has no value, expected --NAME VALUE for each.")
    return {name.lstrip("-"): decode(value) for name, value in zip(names, values, strict=True)}
