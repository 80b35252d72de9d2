"""Coach's observation filters, as the policy artifact describes them (policy/observations.py)."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from sagemaker_rl.coach.normalization import NUMERICAL_FLOOR
from sagemaker_rl.errors import NotExportableError
from sagemaker_rl.policy.observations import DTYPES, ObservationFilters

NAME = "observation"
"""Of the only observation that an artifact's network sees."""


class Normalization(NamedTuple):
    """An ObservationNormalizationFilter: ``clip((x - mean) / stdev, low, high)``; float64, of the graph's input."""

    mean: np.ndarray
    stdev: np.ndarray
    low: float
    high: float


class Exported(NamedTuple):
    """What an agent's observations pass.

    Attributes:
        description: the filters before the graph, for ``policy.json``.
        filters: the same, as an endpoint computes them.
        normalizations: those inside the graph.
    """

    description: list[dict[str, Any]]
    filters: ObservationFilters
    normalizations: list[Normalization]


def export_filters(agent: Any) -> Exported:
    """Return what an agent's observations pass between the environment and its network.

    Raises:
        NotExportableError: A filter is none that an artifact can hold, or stands where it cannot.
    """
    description: list[dict[str, Any]] = []
    normalizations: list[Normalization] = []
    for stage, name, observation_filter in _filters(agent):
        kind = type(observation_filter)
        what = f"observation filter {name!r} is {_article(kind.__name__)} {kind.__name__}"
        if _is_normalization(observation_filter):
            statistics = observation_filter.running_observation_stats
            stdev = statistics.std + NUMERICAL_FLOOR
            bounds = observation_filter.clip_min, observation_filter.clip_max
            normalizations.append(Normalization(np.array(statistics.mean), np.array(stdev), *bounds))
            continue
        if kind.__name__ not in DESCRIPTIONS or not kind.__module__.startswith("rl_coach."):
            raise NotExportableError(f"{what}, expected one of Coach's own")
        entry = DESCRIPTIONS[kind.__name__](observation_filter)
        if entry["type"] == "stack":
            if stage is agent.pre_network_filter:
                raise NotExportableError(f"{what} in pre_network_filter, which training asks in any order")
            if any(each["type"] == "stack" for each in description):
                raise NotExportableError(f"{what}, the second one of them")
            # The same statistics for each observation of the stack.
            arrange = ObservationFilters([entry], "float64")
            normalizations = [
                each._replace(mean=_arranged(arrange, each.mean), stdev=_arranged(arrange, each.stdev))
                for each in normalizations
            ]
        elif normalizations:
            raise NotExportableError(f"{what} that comes after the normalization, expected before it")
        description.append(entry)
    try:
        filters = ObservationFilters(description, _dtype(agent) if description else "float32")
    except (ValueError, TypeError):
        raise NotExportableError(f"the observation filters {description} have a parameter beyond its range") from None
    return Exported(description, filters, normalizations)


def _filters(agent: Any) -> Iterator[tuple[Any, str, Any]]:
    """Yield the stage, the name and the filter, in the order in which they see an observation."""
    for stage in (agent.input_filter, agent.pre_network_filter):
        for name, observation_filter in stage.observation_filters.get(NAME, {}).items():
            yield stage, name, observation_filter


def _is_normalization(observation_filter: Any) -> bool:
    from rl_coach.filters.observation.observation_normalization_filter import ObservationNormalizationFilter

    return isinstance(observation_filter, ObservationNormalizationFilter)


def _arranged(arrange: ObservationFilters, statistic: np.ndarray) -> np.ndarray:
    return arrange.apply(arrange.begin(statistic[None]))[0]


def _dtype(agent: Any) -> str:
    """Return the dtype of what the environment gave last, which its space need not tell."""
    state = agent.parent_level_manager.real_environment.state
    dtype = np.asarray(state[NAME]).dtype.name
    if dtype not in DTYPES:
        raise NotExportableError(f"the environment's observations are of {dtype}, expected one of {', '.join(DTYPES)}")
    return dtype


def _article(name: str) -> str:
    return "an" if name[0] in "AEIOU" else "a"


def _python(value: Any) -> Any:
    """Return a parameter of a filter as JSON has it, a whole number still whole; None if it has no bound."""
    number = np.asarray(value)[()]
    return number.item() if math.isfinite(number) else None


def _rescaling_to_size(observation_filter: Any) -> dict[str, Any]:
    from rl_coach.spaces import ImageObservationSpace

    space = observation_filter.output_observation_space
    if isinstance(space, ImageObservationSpace):
        return {"type": "rescale_to_size", "shape": [int(size) for size in space.shape]}
    return {
        "type": "rescale_maps_to_size",
        "shape": [int(size) for size in observation_filter.planar_map_output_shape],
        "channels_axis": int(space.channels_axis),
    }


def _stacking(observation_filter: Any) -> dict[str, Any]:
    from rl_coach.spaces import VectorObservationSpace

    return {
        "type": "stack",
        "size": observation_filter.stack_size,
        "axis": int(observation_filter.stacking_axis),
        "flat": isinstance(observation_filter.input_observation_space, VectorObservationSpace),
    }


DESCRIPTIONS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "ObservationClippingFilter": lambda f: {"type": "clip", "low": _python(f.clip_min), "high": _python(f.clip_max)},
    "ObservationCropFilter": lambda f: {
        "type": "crop",
        "low": [int(number) for number in f.crop_low],
        "high": [None if number == -1 else int(number) for number in f.crop_high],
    },
    "ObservationMoveAxisFilter": lambda f: {
        "type": "move_axis",
        "origin": int(f.axis_origin),
        "target": int(f.axis_target),
    },
    "ObservationReductionBySubPartsNameFilter": lambda f: {"type": "keep_parts", "indices": list(f.indices_to_keep)},
    "ObservationRescaleSizeByFactorFilter": lambda f: {"type": "rescale_by_factor", "factor": f.rescale_factor},
    "ObservationRescaleToSizeFilter": _rescaling_to_size,
    "ObservationRGBToYFilter": lambda f: {"type": "rgb_to_y"},
    "ObservationSqueezeFilter": lambda f: {
        "type": "squeeze",
        "axis": None if f.axis is None else int(f.axis),
    },
    "ObservationStackingFilter": _stacking,
    "ObservationToUInt8Filter": lambda f: {
        "type": "to_uint8",
        "low": _python(f.input_low),
        "high": _python(f.input_high),
    },
}
"""How each of Coach's filters is described."""
