"""What lies between an environment's observations and a policy's graph: Coach's observation filters, in NumPy.

``policy.json`` lists them under ``observation_filters``, in the order in which they see an observation; ``FILTERS`` has
one entry for each type. They compute what Coach's classes do, to the last bit, for many observations at once. The
normalization is none of them: it is inside the graph.
"""

import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sagemaker_rl.errors import PolicyError
from sagemaker_rl.resizing import resize

DTYPES = (
    *(f"{kind}{bits}" for kind in ("uint", "int") for bits in (8, 16, 32, 64)),
    *("bool", "float16", "float32", "float64"),
)
"""Of the observations that an environment gives."""

Filter = Callable[[np.ndarray, int], np.ndarray]
"""From observations to observations; the number is how many leading axes are not an observation's own."""


class ObservationFilters:
    """The chain of filters of one policy.

    A policy that has seen a stack of observations acts on the last few of them. It is asked with all of these, the
    oldest first, on an axis before those of one observation: no request depends on another one.

    Attributes:
        dtype: of the environment's observations; the filters compute on numbers of this type.
        stack_size: how many observations a policy acts on; 0 if it acts on one and there is no such axis.
    """

    def __init__(self, description: Sequence[Mapping[str, Any]], dtype: str = "float32") -> None:
        """Read what ``policy.json`` holds.

        Args:
            description: of each filter, its ``type`` and parameters.
            dtype: one of DTYPES.

        Raises:
            ValueError, KeyError, TypeError: It is something else.
        """
        if dtype not in DTYPES:
            raise ValueError
        self.dtype = np.dtype(dtype)
        self.stack_size = 0
        self._filters: list[tuple[Filter, bool]] = []
        for parameters in description:
            stacks = parameters["type"] == "stack"
            if stacks:
                if self.stack_size:
                    raise ValueError
                self.stack_size = _whole(parameters["size"], least=1)
            self._filters.append((FILTERS[parameters["type"]](parameters), stacks))

    @classmethod
    def from_json(cls, description: Mapping[str, Any]) -> "ObservationFilters":
        """Read the filters of ``policy.json``, of which older ones have none.

        Raises:
            PolicyError: Its ``observation_filters`` or ``observation_dtype`` is none that is known here.
        """
        filters, dtype = description.get("observation_filters", []), description.get("observation_dtype", "float32")
        try:
            if not isinstance(filters, list):
                raise TypeError
            return cls(filters, dtype)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
            raise PolicyError(
                f"policy.json: observation_filters is {reprlib.repr(filters)} of {reprlib.repr(dtype)}, "
                f"expected a list of {', '.join(FILTERS)}."
            ) from None

    def __bool__(self) -> bool:
        """Tell whether there is any filter."""
        return bool(self._filters)

    def apply(self, observations: np.ndarray) -> np.ndarray:
        """Return what the policy's graph sees.

        Args:
            observations: shape ``(batch, *shape)``, or ``(batch, stack_size, *shape)``, the oldest first.

        Returns:
            A batch of the shape and dtype that the last filter gives.
        """
        if not self._filters:
            return observations
        leading = 2 if self.stack_size else 1
        result = observations.astype(self.dtype)
        for observation_filter, stacks in self._filters:
            result = observation_filter(result, leading)
            leading -= stacks
        return result

    def begin(self, observations: np.ndarray) -> np.ndarray:
        """Return what a policy is asked with at the start of episodes: each stack holds the first observation only.

        Args:
            observations: the first ones, shape ``(batch, *shape)``.
        """
        if not self.stack_size:
            return observations
        return np.repeat(observations[:, None], self.stack_size, axis=1)

    def follow(self, asked: np.ndarray, observations: np.ndarray) -> np.ndarray:
        """Return what a policy is asked with next.

        Args:
            asked: what it was asked with before, as ``begin`` or this returned it.
            observations: that followed, shape ``(batch, *shape)``.
        """
        if not self.stack_size:
            return observations
        return np.concatenate([asked[:, 1:], observations[:, None]], axis=1)


# --- The filters -----------------------------------------------------------------------------------------------------
def _clip(parameters: Mapping[str, Any]) -> Filter:
    low, high = _bound(parameters["low"], -math.inf), _bound(parameters["high"], math.inf)
    return lambda x, leading: np.clip(x, low, high)


def _crop(parameters: Mapping[str, Any]) -> Filter:
    """``low`` and ``high``: of each axis, the first number that stays and the first after it; null for the end."""
    low = [_whole(number) for number in parameters["low"]]
    high = [None if number is None else _whole(number) for number in parameters["high"]]
    window = tuple(slice(start, stop) for start, stop in zip(low, high, strict=True))
    return lambda x, leading: x[(slice(None),) * leading + window]


def _keep_parts(parameters: Mapping[str, Any]) -> Filter:
    indices = [_whole(index) for index in parameters["indices"]]
    return lambda x, leading: x[..., indices]


def _move_axis(parameters: Mapping[str, Any]) -> Filter:
    origin, target = _axis(parameters["origin"]), _axis(parameters["target"])
    return lambda x, leading: np.moveaxis(x, _behind(origin, leading), _behind(target, leading))


def _rescale_by_factor(parameters: Mapping[str, Any]) -> Filter:
    factor = _number(parameters["factor"])

    def rescale(x: np.ndarray, leading: int) -> np.ndarray:
        shape = [int(factor * size) for size in x.shape[leading : leading + 2]]
        colours = [3] * (x.ndim - leading - 2)
        return _resized(x, [*x.shape[:leading], *shape, *colours], anti_aliasing=False)

    return rescale


def _rescale_to_size(parameters: Mapping[str, Any]) -> Filter:
    shape = [_whole(size, least=1) for size in parameters["shape"]]
    return lambda x, leading: _resized(x, [*x.shape[:leading], *shape], anti_aliasing=False)


def _rescale_maps_to_size(parameters: Mapping[str, Any]) -> Filter:
    """Of several maps each one on its own, smoothed; ``shape`` is that of one map."""
    shape = [_whole(size, least=1) for size in parameters["shape"]]
    axis = _axis(parameters["channels_axis"])

    def rescale(x: np.ndarray, leading: int) -> np.ndarray:
        maps = np.moveaxis(x, _behind(axis, leading), leading)
        resized = _resized(maps, [*maps.shape[: leading + 1], *shape], anti_aliasing=None)
        return resized.swapaxes(leading, _behind(axis, leading))

    return rescale


def _resized(x: np.ndarray, shape: list[int], anti_aliasing: bool | None) -> np.ndarray:
    return resize(x.astype(np.uint8), shape, anti_aliasing).astype(np.uint8)


def _rgb_to_y(parameters: Mapping[str, Any]) -> Filter:
    return lambda x, leading: 0.2989 * x[..., 0] + 0.5870 * x[..., 1] + 0.1140 * x[..., 2]


def _squeeze(parameters: Mapping[str, Any]) -> Filter:
    axis = None if parameters["axis"] is None else _axis(parameters["axis"])

    def squeeze(x: np.ndarray, leading: int) -> np.ndarray:
        if axis is not None:
            return x.squeeze(_behind(axis, leading))
        return x.squeeze(tuple(index for index in range(leading, x.ndim) if x.shape[index] == 1))

    return squeeze


def _stack(parameters: Mapping[str, Any]) -> Filter:
    """``size`` observations become one: on an axis of their own or, ``flat``, as one vector."""
    axis, flat = _axis(parameters["axis"]), parameters["flat"]
    if type(flat) is not bool:
        raise ValueError

    def stack(x: np.ndarray, leading: int) -> np.ndarray:
        stacked = np.moveaxis(x, 1, _behind(axis, 1))
        return stacked.reshape(len(x), -1) if flat else stacked

    return stack


def _to_uint8(parameters: Mapping[str, Any]) -> Filter:
    low, high = _number(parameters["low"]), _number(parameters["high"])

    def to_uint8(x: np.ndarray, leading: int) -> np.ndarray:
        result = (x - low) / (high - low)
        result *= 255
        return result.astype(np.uint8)

    return to_uint8


FILTERS: dict[str, Callable[[Mapping[str, Any]], Filter]] = {
    "clip": _clip,
    "crop": _crop,
    "keep_parts": _keep_parts,
    "move_axis": _move_axis,
    "rescale_by_factor": _rescale_by_factor,
    "rescale_maps_to_size": _rescale_maps_to_size,
    "rescale_to_size": _rescale_to_size,
    "rgb_to_y": _rgb_to_y,
    "squeeze": _squeeze,
    "stack": _stack,
    "to_uint8": _to_uint8,
}
"""What reads the parameters of each type; policy/exported_filters.py has the class of Coach that it is."""


# --- Parameters ------------------------------------------------------------------------------------------------------
def _whole(value: Any, least: int = 0) -> int:
    if type(value) is not int or value < least:
        raise ValueError
    return value


def _axis(value: Any) -> int:
    if type(value) is not int:
        raise ValueError
    return value


def _number(value: Any) -> float:
    """Return a finite number as it is: whether it is whole decides the dtype that NumPy computes in."""
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError
    return value


def _bound(value: Any, unbounded: float) -> float:
    return unbounded if value is None else _number(value)


def _behind(axis: int, leading: int) -> int:
    """Return the place of an observation's own axis behind the leading ones; one counted from the end stays."""
    return axis + leading if axis >= 0 else axis
