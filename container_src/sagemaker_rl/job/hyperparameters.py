"""Hyperparameters of a job: read, checked, and put at their place in a Coach preset.

SageMaker passes every hyperparameter as a string. A name that starts with ``rl.`` is a path into the preset's graph
manager, with the unit of a step count after a colon: ``rl.improve_steps:EnvironmentSteps``.
"""

import difflib
import enum
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_rl.errors import InputError

UNITS = ("EnvironmentSteps", "EnvironmentEpisodes", "TrainingSteps", "Frames", "Time")
"""Coach's step methods (rl_coach/core_types.py); Time is in seconds."""


@dataclass(frozen=True)
class Range:
    """The numbers that make sense for a value; ``low`` itself only if ``closed``."""

    low: float
    high: float = float("inf")
    closed: bool = True

    def __contains__(self, value: float) -> bool:
        return (self.low <= value if self.closed else self.low < value) and value <= self.high

    def __str__(self) -> str:
        if self.high < float("inf"):
            return f"between {self.low:g} and {self.high:g}"
        return f"{self.low:g} or more" if self.closed else f"more than {self.low:g}"


ACTIONS_UNITS = ("EnvironmentSteps", "EnvironmentEpisodes")
PLAYING_UNITS = ("EnvironmentSteps", "EnvironmentEpisodes", "Frames", "Time")
UNITS_OF = {
    "heatup_steps": PLAYING_UNITS,
    "evaluation_steps": PLAYING_UNITS,
    "num_consecutive_playing_steps": ACTIONS_UNITS,
    "num_steps_between_copying_online_weights_to_target": ("EnvironmentSteps", "TrainingSteps"),
}
"""The units that Coach can count a value in, where that is not all of them."""

ROOTS = (
    "agent_params",
    "env_params",
    "evaluation_steps",
    "heatup_steps",
    "improve_steps",
    "preset_validation_params",
    "steps_between_evaluation_periods",
    "visualization_parameters",
)
"""Where a path may begin: what a preset sets, and not what Coach keeps in the same object while it runs."""

CHOICES = {
    "activation_function": ("none", "relu", "selu", "sigmoid", "tanh"),
    "optimizer_type": ("Adam", "RMSProp"),
}
"""The strings that Coach knows on MXNet."""

RANGES = {
    "discount": Range(0, 1),
    "gae_lambda": Range(0, 1),
    "learning_rate": Range(0, closed=False),
    "learning_rate_decay_rate": Range(0, 1),
    "learning_rate_decay_steps": Range(1),
    "batch_size": Range(1),
    "optimization_epochs": Range(1),
    "num_consecutive_training_steps": Range(1),
    "clip_likelihood_ratio_using_epsilon": Range(0, closed=False),
    "beta_entropy": Range(-10, 10),  # below 0 rewards a certain policy
    "clip_gradients": Range(0, closed=False),
    "evaluation_epsilon": Range(0, 1),
    "evaluation_noise_percentage": Range(0),
    "l2_regularization": Range(0),
    "evaluation_steps": Range(1),
    "heatup_steps": Range(0),
    "max_duration": Range(1),
    "rate_for_copying_weights_to_target": Range(0, 1, closed=False),
}
"""Ranges by the last part of the path, whatever name the user reached it by."""
LARGEST = 1e18
"""No hyperparameter is larger; Coach and MXNet count in 64 bits."""
COUNTS = (
    "batch_size",
    "learning_rate_decay_steps",
    "max_duration",
    "num_consecutive_training_steps",
    "optimization_epochs",
)
STEP_COUNT = Range(1)
"""The range of every other number of steps or episodes."""


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
    return {name: _decode(value) for name, value in loaded.items()}


def _decode(value: Any) -> Any:
    """Decode a value as often as it is a string of JSON: SDKs encode a string ``"256"`` once more."""
    while isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            break
    return value


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``", did you mean 'discount'?"`` for a name close to a known one, else the list of the known."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}."


def checked_number(name: str, value: Any, kind: type, allowed: Range | None) -> Any:
    """Return ``value`` as ``kind`` (int or float).

    Raises:
        InputError: It is no such number, or out of range.
    """
    what = "a whole number" if kind is int else "a number"
    if allowed is not None:
        what += f" {allowed}"
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or abs(value) > LARGEST
        or value != value  # NaN
        or (kind is int and value != int(value))
        or (allowed is not None and value not in allowed)
    ):
        raise InputError(f"Hyperparameter {name} is {value!r}, expected {what}.")
    return kind(value)


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


def apply_to_preset(graph_manager: Any, path: str, value: Any, name: str) -> None:
    """Set what ``path`` reaches in a preset's graph manager.

    Args:
        graph_manager: a Coach GraphManager that has not created its graph yet.
        path: ``rl.`` and the attributes or dictionary keys on the way, then perhaps ``:UNIT``.
        value: the decoded value of the hyperparameter.
        name: what the user called it, for messages.

    Raises:
        InputError: The path does not exist, or the value does not fit what is there.
    """
    path, colon, unit = path.partition(":")
    _, *parents, leaf = path.split(".")
    units = UNITS_OF.get(leaf, UNITS)
    if colon and unit not in units:
        raise InputError(f"Hyperparameter {name} has the unit {unit!r}, expected one of {', '.join(units)}.")
    if [*parents, leaf][0] not in ROOTS:
        raise InputError(f"Hyperparameter {name} is not in a preset: rl has no {path!r}, {nearest(leaf, ROOTS)}")
    owner = graph_manager
    for depth, part in enumerate(parents):
        owner = _get(owner, part, name, path_so_far=".".join(["rl", *parents[:depth]]))
    current = _get(owner, leaf, name, path_so_far=".".join(["rl", *parents]))
    converted = _convert(name, leaf, current, unit, value)
    if isinstance(owner, dict):
        owner[leaf] = converted
    else:
        setattr(owner, leaf, converted)


def read_from_preset(graph_manager: Any, path: str) -> Any:
    """Return what ``path`` reaches in a preset, as a number or a text; None if the preset has no such thing."""
    value = graph_manager
    for part in path.partition(":")[0].split(".")[1:]:
        if part not in _members(value):
            return None
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, tuple):
        value = value[-1]
    value = getattr(value, "num_steps", getattr(value, "initial_value", value))  # of a number of steps, of a schedule
    return value if isinstance(value, bool | int | float | str) else str(value)


def _members(owner: Any) -> list[str]:
    members = owner if isinstance(owner, dict) else vars(owner) if hasattr(owner, "__dict__") else ()
    return [str(member) for member in members if not str(member).startswith("_")]


def _get(owner: Any, part: str, name: str, path_so_far: str) -> Any:
    members = _members(owner)
    if part not in members:
        raise InputError(
            f"Hyperparameter {name} is not in this preset: {path_so_far} has no {part!r}, {nearest(part, members)}"
        )
    return owner[part] if isinstance(owner, dict) else getattr(owner, part)


def _convert(name: str, leaf: str, current: Any, unit: str, value: Any) -> Any:
    """Return ``value`` in the type of what it replaces."""
    from rl_coach import core_types
    from rl_coach.schedules import ConstantSchedule, Schedule

    if unit or isinstance(current, core_types.StepMethod):
        step_method = getattr(core_types, unit) if unit else type(current)
        return step_method(checked_number(name, value, int, RANGES.get(leaf, STEP_COUNT)))
    allowed = RANGES.get(leaf)
    if isinstance(current, bool):
        return checked_flag(name, value)
    if isinstance(current, enum.Enum):
        members = {member.name.lower(): member for member in type(current)}
        try:
            return members[str(value).lower()]
        except KeyError:
            raise InputError(
                f"Hyperparameter {name} is {value!r}, expected one of {', '.join(sorted(members))}."
            ) from None
    if isinstance(current, int | float):
        # A preset may spell 0.0 as 0: whole is what is a count, and what the user gives as a whole number.
        whole = isinstance(current, int) and (leaf in COUNTS or not isinstance(value, float))
        return checked_number(name, value, int if whole else float, allowed)
    if isinstance(current, Schedule):
        return ConstantSchedule(checked_number(name, value, float, allowed))
    if isinstance(current, str):
        choices = CHOICES.get(leaf)
        if not isinstance(value, str) or (choices and value not in choices):
            expected = f"one of {', '.join(choices)}" if choices else "a string"
            raise InputError(f"Hyperparameter {name} is {value!r}, expected {expected}.")
        return value
    if current is None:
        return None if value is None else checked_number(name, value, float, allowed)
    if isinstance(current, tuple) and len(current) == 2 and isinstance(current[0], enum.Enum):
        return (current[0], checked_number(name, value, int, STEP_COUNT))  # a memory's (granularity, size)
    raise InputError(
        f"Hyperparameter {name} leads to a {type(current).__name__}, which holds several values: "
        f"name one of them, as in {name}.{(_members(current) or ['...'])[0]}."
    )
