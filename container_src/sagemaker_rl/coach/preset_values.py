"""Values in a Coach preset, reached by a path, as in ``rl.agent_params.algorithm.discount``.

``rl`` is the preset's graph manager; attributes or dictionary keys follow. The unit of a number of steps comes after a
colon, as in ``rl.improve_steps:EnvironmentSteps``.
"""

import enum
import math
from collections.abc import Mapping, Sequence
from typing import Any

from sagemaker_rl.errors import InputError
from sagemaker_rl.job.hyperparameters import Range, checked_flag, checked_number, nearest

UNITS = ("EnvironmentSteps", "EnvironmentEpisodes", "TrainingSteps", "Frames", "Time")
"""Coach's step methods (rl_coach/core_types.py); Time is in seconds."""
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
    "epsilon_schedule": Range(0, 1),
    "evaluation_epsilon": Range(0, 1),
    "evaluation_noise_percentage": Range(0),
    "l2_regularization": Range(0),
    "evaluation_steps": Range(1),
    "heatup_steps": Range(0),
    "max_duration": Range(1),
    "rate_for_copying_weights_to_target": Range(0, 1, closed=False),
}
"""Ranges by the last part of the path, whatever name the user reached it by."""
STEP_COUNT = Range(1)
"""The range of every other number of steps or episodes."""
COUNTS = (
    "batch_size",
    "learning_rate_decay_steps",
    "max_duration",
    "num_consecutive_training_steps",
    "optimization_epochs",
)
"""Whole numbers, even if the user writes ``64.0``; any other value is one only if preset and user write a whole one."""


def set_value(graph_manager: Any, path: str, value: Any, name: str) -> None:
    """Set what ``path`` reaches in a preset's graph manager.

    Args:
        graph_manager: a Coach GraphManager that has not created its graph yet; or, of a launcher without preset,
            another of Coach's objects.
        path: ``rl.`` (or what else the object is called) and the attributes or dictionary keys on the way, then perhaps
            ``:UNIT``.
        value: the decoded value of the hyperparameter.
        name: what the user called it, for messages.

    Raises:
        InputError: The path does not exist, or the value does not fit what is there.
    """
    (root, *parents, leaf), unit = _checked_path(path, name)
    owner = graph_manager
    for depth, part in enumerate(parents):
        owner = _get(owner, part, name, path_so_far=".".join([root, *parents[:depth]]))
    current = _get(owner, leaf, name, path_so_far=".".join([root, *parents]))
    converted = _convert(name, leaf, current, unit, value)
    if isinstance(owner, dict):
        owner[leaf] = converted
    else:
        setattr(owner, leaf, converted)


def check_value(path: str, value: Any, name: str) -> None:
    """Check a value as far as that can be done without the preset: its unit, its range, whether it is whole.

    Args:
        path: as for ``set_value``.
        value: the decoded value of the hyperparameter.
        name: what the user called it, for messages.

    Raises:
        InputError: It does not fit any preset.
    """
    (*_, leaf), unit = _checked_path(path, name)
    if leaf in CHOICES:
        _checked_choice(name, value, CHOICES[leaf], given=value)
    elif unit or (leaf in RANGES and value is not None):
        whole = unit or leaf in COUNTS or leaf in UNITS_OF
        checked_number(name, value, int if whole else float, RANGES.get(leaf, STEP_COUNT))


def _checked_path(path: str, name: str) -> tuple[list[str], str]:
    """Return the parts of a path, and the unit after it.

    Raises:
        InputError: No value in a preset has this unit, or no preset has such a path.
    """
    path, colon, unit = path.partition(":")
    parts = path.split(".")
    units = UNITS_OF.get(parts[-1], UNITS)
    if colon and unit not in units:
        raise InputError(f"Hyperparameter {name} has the unit {unit!r}, expected one of {', '.join(units)}.")
    first = parts[1] if len(parts) > 1 else parts[0]
    if parts[0] == "rl" and first not in ROOTS:
        raise InputError(f"Hyperparameter {name} is not in a preset: rl has no {first!r}, {nearest(first, ROOTS)}")
    return parts, unit


def read_value(graph_manager: Any, path: str) -> Any:
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
        return members[_checked_choice(name, str(value).lower(), sorted(members), given=value)]
    if isinstance(current, int | float):
        # A preset may write 0 where 0.5 would do.
        whole = isinstance(current, int) and (leaf in COUNTS or not isinstance(value, float))
        return checked_number(name, value, int if whole else float, allowed)
    if isinstance(current, Schedule):
        return ConstantSchedule(checked_number(name, value, float, allowed))
    if isinstance(current, str):
        if leaf in CHOICES:
            return _checked_choice(name, value, CHOICES[leaf], given=value)
        if not isinstance(value, str):
            raise InputError(f"Hyperparameter {name} is {value!r}, expected a string.")
        return value
    if current is None:
        return None if value is None else checked_number(name, value, float, allowed)
    if isinstance(current, tuple) and len(current) == 2 and isinstance(current[0], enum.Enum):
        return (current[0], checked_number(name, value, int, STEP_COUNT))  # a memory's (granularity, size)
    raise InputError(
        f"Hyperparameter {name} leads to a {type(current).__name__}, which holds several values: "
        f"name one of them, as in {name}.{(_members(current) or ['...'])[0]}."
    )


def _checked_choice(name: str, value: Any, choices: Sequence[str], given: Any) -> str:
    """Return ``value``; ``given`` is what the user wrote.

    Raises:
        InputError: It is none of the choices.
    """
    if value not in choices:
        raise InputError(f"Hyperparameter {name} is {given!r}, expected one of {', '.join(choices)}.")
    return str(value)


def reward_scale(graph_manager: Any) -> float | None:
    """Return the factor from the environment's rewards to the algorithm's; None if it is not a single number."""
    from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter

    filters = list(graph_manager.agent_params.input_filter.reward_filters.values())
    if any(type(reward_filter) is not RewardRescaleFilter for reward_filter in filters):
        return None
    return math.prod(float(reward_filter.rescale_factor) for reward_filter in filters)


def paths_of(short_name: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths that a short name leads to: one, or several."""
    return (short_name,) if isinstance(short_name, str) else short_name


def describe(
    graph_manager: Any, short_names: Mapping[str, str | tuple[str, ...]], before: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the preset's values under their short names, and whatever else was changed under its path.

    Args:
        graph_manager: the preset's, with hyperparameters in place.
        short_names: name -> path, or several paths.
        before: path -> the preset's own value, of those that were changed.

    Returns:
        Of each ``name``, ``value``, what it is in the ``preset``, and whether it was ``changed``.
    """
    first_paths = [(name, paths_of(paths)[0]) for name, paths in short_names.items()]
    named = {path for paths in short_names.values() for path in paths_of(paths)}
    described = []
    for name, path in [*first_paths, *((path, path) for path in before if path not in named)]:
        value = read_value(graph_manager, path)
        if value is not None:
            preset = before.get(path, value)
            described.append({"name": name, "value": value, "preset": preset, "changed": value != preset})
    return described
