"""Media types of requests and answers: ``CODECS`` has one entry for each, with how it is read and how it is written.

Reading gives observations as the client sent them, checked to be finite numbers of the shape that the policy expects.
Every fault in them is a RequestError of one sentence. The same media types are described in ``openapi.json``.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sagemaker_rl.errors import RequestError
from sagemaker_rl.policy.observations import ObservationFilters
from sagemaker_rl.serving import npy, reading, writing
from sagemaker_rl.serving.npy import NPY
from sagemaker_rl.serving.reading import ARRAY, CSV, INSTANCES, JSON, TABLE, Numbers, Shape

JSON_LINES = "application/jsonlines"

NOT_FINITE = "The body holds NaN, infinity or a number beyond float32, expected finite numbers."
NO_FILTERS = ObservationFilters([])


class Batch(NamedTuple):
    """The observations of a request.

    Attributes:
        observations: float32, shape ``(batch, *observation_shape)``.
        has_instances: whether the body was ``{"instances": [...]}``; its answer is ``{"predictions": [...]}``.
    """

    observations: np.ndarray
    has_instances: bool


@dataclass(frozen=True)
class Codec:
    """How one media type is read and written.

    Attributes:
        read: returns a body's numbers, given the shape of an observation or None for any; raises RequestError if the
            body is not of this media type.
        read_plain: returns the same, float32, in less time, of bodies that are nothing but numbers in the right places;
            None of any other body.
        write_heads: writes a network's heads: an array of shape ``(batch, units)`` for each, the heads' names, and
            whether the request had ``instances``.
        write_actions: writes actions: an array of shape ``(batch, *action_shape)``, and whether the request had
            ``instances``.
        aliases: other names of the media type.
    """

    read: Callable[[bytes, Shape | None], Numbers]
    read_plain: Callable[[bytes, Shape], Numbers | None]
    write_heads: Callable[[Sequence[np.ndarray], Sequence[str], bool], bytes]
    write_actions: Callable[[np.ndarray, bool], bytes]
    aliases: tuple[str, ...] = ()


def decode(body: bytes, media_type: str, shape: Shape, filters: ObservationFilters = NO_FILTERS) -> Batch:
    """Read one observation or a batch of them.

    Args:
        body: in JSON one observation, a batch or ``{"instances": batch}``; in JSON Lines an observation in each line,
            in CSV the numbers of one in their order; in NPY an array.
        media_type: a key of CODECS.
        shape: of one observation, or of a stack of them.
        filters: that observations pass before the policy's graph.

    Raises:
        RequestError: The body is not of that type, or not observations of that shape, all numbers finite.
    """
    return decode_plain(body, media_type, shape, filters) or _batch(
        CODECS[media_type].read(body, shape), shape, filters
    )


def decode_plain(body: bytes, media_type: str, shape: Shape, filters: ObservationFilters = NO_FILTERS) -> Batch | None:
    """Do the same with a body that takes little time to read; return None for any other.

    Raises:
        RequestError: The numbers in it are no observations.
    """
    numbers = CODECS[media_type].read_plain(body, shape)
    return None if numbers is None else _batch(numbers, shape, filters)


def _batch(numbers: Numbers, shape: Shape, filters: ObservationFilters) -> Batch:
    array, form = numbers
    if form is TABLE:
        array = array.reshape(len(array), *shape)
    if form is not ARRAY:
        if array.shape[1:] != shape or len(array) == 0:
            raise RequestError(
                f"instances has the shape {list(array.shape)}, expected {_batch_shape(shape)}: a list of "
                f"{_one(filters, several=True)}."
            )
        return Batch(_check(array, filters), form is INSTANCES)
    return Batch(as_observations(array, shape, filters), False)


def as_observations(array: np.ndarray, shape: Shape, filters: ObservationFilters = NO_FILTERS) -> np.ndarray:
    """Return ``array`` as float32 of shape ``(batch, *shape)``.

    Raises:
        RequestError: It is of another shape, or holds a number that is not finite in float32, or one that is no pixel
            where the filters compute on pixels.
    """
    batch = array[None] if array.shape == shape else array
    if batch.shape[1:] != shape or len(batch) == 0:
        raise RequestError(
            f"The body has the shape {list(array.shape)}, expected {list(shape)} for {_one(filters)} "
            f"or {_batch_shape(shape)} for a batch."
        )
    return _check(batch, filters)


def _check(batch: np.ndarray, filters: ObservationFilters) -> np.ndarray:
    """Return a batch as float32; refuse numbers that are not finite, and what is no pixel where one should be."""
    observations = batch.astype(np.float32, copy=False)
    if not are_finite(observations):
        raise RequestError(NOT_FINITE)
    if filters.dtype == np.uint8 and batch.dtype != np.uint8:
        _check_pixels(observations)
    return observations


def are_finite(array: np.ndarray) -> bool:
    """Tell whether all numbers of an array of float32 are finite."""
    numbers = array.ravel()
    # The sum of the squares is finite, which takes a third of the time to find out, or else each number has to be.
    return math.isfinite(numbers.dot(numbers)) or bool(np.isfinite(numbers).all())


def _check_pixels(observations: np.ndarray) -> None:
    """Refuse a picture in floats between 0 and 1, which would become black."""
    if observations.min() < 0 or observations.max() > 255 or (observations != np.rint(observations)).any():
        raise RequestError("The body holds numbers that are no pixels of uint8, expected whole numbers from 0 to 255.")


def _batch_shape(shape: Shape) -> str:
    return f"[{', '.join(['batch', *map(str, shape)])}]"


def _one(filters: ObservationFilters, several: bool = False) -> str:
    """Return what one observation of the policy is, or several."""
    if not filters.stack_size:
        return "observations" if several else "one observation"
    stack = f"of the last {filters.stack_size} observations, the oldest first"
    return f"stacks {stack}" if several else f"a stack {stack},"


def _read_npy(body: bytes, shape: Shape | None = None) -> Numbers:
    reading.refuse_empty(body)
    return Numbers(npy.read(body), ARRAY)


CODECS: dict[str, Codec] = {
    JSON: Codec(reading.read_json, reading.read_plain_json, writing.write_json_heads, writing.write_json_actions),
    JSON_LINES: Codec(
        reading.read_json_lines,
        reading.read_plain_json_lines,
        writing.write_json_lines_heads,
        writing.write_json_lines_actions,
        aliases=("application/x-jsonlines", "application/jsonl", "application/x-ndjson"),
    ),
    CSV: Codec(reading.read_csv, reading.read_plain_csv, writing.write_csv_heads, writing.write_csv_actions),
    NPY: Codec(_read_npy, _read_npy, writing.write_npy_heads, writing.write_npy_actions),
}
"""The codec of each media type. If a client accepts several alike, it gets the default, or else the first of these."""
