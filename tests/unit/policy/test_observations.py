"""The filters before a policy's graph, each on observations whose numbers are all unequal."""

import numpy as np
import pytest
from sagemaker_rl.errors import PolicyError
from sagemaker_rl.policy.observations import DTYPES, ObservationFilters

BATCH = np.arange(48, dtype=np.float32).reshape(2, 2, 3, 4)
"""Two observations of the shape (2, 3, 4)."""


def apply(*filters, observations=BATCH, dtype="float32"):
    return ObservationFilters(filters, dtype).apply(observations)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (10, 20, np.clip(BATCH, 10, 20)),
        (None, 20, np.minimum(BATCH, 20)),
        (10, None, np.maximum(BATCH, 10)),
        (None, None, BATCH),
    ],
)
def test_clip(low, high, expected):
    assert np.array_equal(apply({"type": "clip", "low": low, "high": high}), expected)


def test_crop():
    cropped = apply({"type": "crop", "low": [1, 0, 2], "high": [None, 2, 3]})
    assert cropped.tolist() == BATCH[:, 1:, 0:2, 2:3].tolist()
    assert cropped.shape == (2, 1, 2, 1)


def test_keep_parts():
    assert np.array_equal(apply({"type": "keep_parts", "indices": [3, 0, 3]}), BATCH[..., [3, 0, 3]])


@pytest.mark.parametrize(
    ("origin", "target", "order"),
    [(0, 2, (0, 2, 3, 1)), (2, 0, (0, 3, 1, 2)), (0, -1, (0, 2, 3, 1)), (-1, 0, (0, 3, 1, 2)), (1, 0, (0, 2, 1, 3))],
)
def test_move_axis(origin, target, order):
    assert np.array_equal(apply({"type": "move_axis", "origin": origin, "target": target}), BATCH.transpose(order))


def test_rgb_to_y():
    expected = 0.2989 * BATCH[..., 0] + 0.5870 * BATCH[..., 1] + 0.1140 * BATCH[..., 2]
    assert np.array_equal(apply({"type": "rgb_to_y"}), expected)


@pytest.mark.parametrize(("axis", "shape"), [(None, (2, 3)), (0, (2, 3, 1)), (-1, (2, 1, 3))])
def test_squeeze(axis, shape):
    batch = np.arange(6, dtype=np.float32).reshape(2, 1, 3, 1)
    squeezed = apply({"type": "squeeze", "axis": axis}, observations=batch)
    assert (squeezed.shape, squeezed.ravel().tolist()) == (shape, [0, 1, 2, 3, 4, 5])
    assert apply({"type": "squeeze", "axis": None}, observations=batch[:1]).shape == (1, 3)  # the batch's axis stays


@pytest.mark.parametrize(("low", "high", "expected"), [(0, 510, [0, 50, 127, 255]), (-100.0, 410, [50, 100, 177, 49])])
def test_to_uint8(low, high, expected):
    pixels = apply({"type": "to_uint8", "low": low, "high": high}, observations=np.float32([[0, 100, 255, 510]]))
    assert pixels.dtype == np.uint8
    assert pixels[0, :3].tolist() == expected[:3]


@pytest.mark.parametrize(
    ("filters", "shape"),
    [
        ({"type": "rescale_by_factor", "factor": 0.5}, (2, 5, 3, 3)),
        ({"type": "rescale_to_size", "shape": [4, 7, 3]}, (2, 4, 7, 3)),
        ({"type": "rescale_maps_to_size", "shape": [4, 7], "channels_axis": -1}, (2, 7, 4, 3)),  # as Coach's
        ({"type": "rescale_maps_to_size", "shape": [4, 2], "channels_axis": 0}, (2, 10, 4, 2)),
    ],
)
def test_rescaled_pictures_have_their_place_in_the_batch(filters, shape):
    pictures = np.random.default_rng(0).integers(0, 256, size=(2, 10, 6, 3)).astype(np.uint8)
    rescaled = apply(filters, observations=pictures, dtype="uint8")
    assert (rescaled.dtype, rescaled.shape) == (np.uint8, shape)
    for number in range(2):
        assert np.array_equal(rescaled[number], apply(filters, observations=pictures[number : number + 1])[0])
    assert not np.array_equal(rescaled[0], rescaled[1])


def stack(size=3, axis=-1, flat=False):
    return {"type": "stack", "size": size, "axis": axis, "flat": flat}


def test_a_stack_begins_with_the_first_and_goes_on_with_the_last_observations():
    filters = ObservationFilters([stack()])
    first, second, third, fourth = (np.array([[number], [10 + number]]) for number in (1, 2, 3, 4))
    asked = filters.begin(first)
    assert asked[..., 0].tolist() == [[1, 1, 1], [11, 11, 11]]
    for observations in (second, third, fourth):
        asked = filters.follow(asked, observations)
    assert asked[..., 0].tolist() == [[2, 3, 4], [12, 13, 14]]
    single = ObservationFilters([])
    assert single.begin(first) is first
    assert single.follow(first, second) is second


@pytest.mark.parametrize(
    ("axis", "flat", "expected"),
    [
        (-1, False, BATCH.transpose(0, 2, 3, 1)),
        (0, False, BATCH),
        (1, False, BATCH.transpose(0, 2, 1, 3)),
        (-1, True, BATCH.transpose(0, 2, 3, 1).reshape(2, 24)),
        (0, True, BATCH.reshape(2, 24)),
    ],
)
def test_a_stack_has_its_axis_where_it_is_asked_for(axis, flat, expected):
    assert np.array_equal(apply(stack(2, axis, flat)), expected)


def test_filters_see_observations_in_their_order():
    """One axis more leads before the stack than behind it."""
    before, after = {"type": "crop", "low": [0, 1], "high": [2, None]}, {"type": "move_axis", "origin": 0, "target": 1}
    batch = np.arange(2 * 2 * 3 * 4, dtype=np.float32).reshape(2, 2, 3, 4)
    expected = batch[:, :, 0:2, 1:].transpose(0, 2, 3, 1).transpose(0, 2, 1, 3)
    assert np.array_equal(apply(before, stack(2), after, observations=batch), expected)
    clip = {"type": "clip", "low": 5, "high": None}
    maximum = {"type": "to_uint8", "low": 0, "high": 255}
    assert apply(clip, maximum)[0, 0, 0, 0] == 5
    assert (apply(clip, maximum).dtype, apply(maximum, clip).dtype) == (np.uint8, np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_filters_compute_in_the_environments_dtype(dtype):
    filters = ObservationFilters.from_json({"observation_filters": [stack(1)], "observation_dtype": dtype})
    assert filters.apply(np.ones((2, 1, 3), np.float32)).dtype == np.dtype(dtype)
    assert (bool(filters), filters.stack_size) == (True, 1)


def test_without_filters_observations_stay_what_they_are():
    filters = ObservationFilters.from_json({})
    assert filters.apply(BATCH) is BATCH
    assert (bool(filters), filters.stack_size, filters.dtype) == (False, 0, np.float32)


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        ({"type": "crop", "low": [0], "high": [0]}, {"type": "crop", "low": [-1], "high": [0]}),
        ({"type": "keep_parts", "indices": [0]}, {"type": "keep_parts", "indices": [-1]}),
        ({"type": "rescale_to_size", "shape": [1, 1]}, {"type": "rescale_to_size", "shape": [1, 0]}),
        ({"type": "rescale_by_factor", "factor": 1}, {"type": "rescale_by_factor", "factor": True}),
        ({"type": "clip", "low": 1e308, "high": None}, {"type": "clip", "low": float("inf"), "high": None}),
        ({"type": "move_axis", "origin": -1, "target": 0}, {"type": "move_axis", "origin": -1.0, "target": 0}),
        ({"type": "to_uint8", "low": 0, "high": 1}, {"type": "to_uint8", "low": None, "high": 1}),
        (stack(1), stack(0)),
        (stack(2), stack(2.0)),
        (stack(flat=True), stack(flat=None)),
    ],
)
def test_parameters_at_and_beyond_their_bounds(within, beyond):
    assert ObservationFilters.from_json({"observation_filters": [within]})
    with pytest.raises(PolicyError) as refused:
        ObservationFilters.from_json(
            {"observation_filters": [within, beyond] if within["type"] != "stack" else [beyond]}
        )
    assert str(refused.value).startswith("policy.json: observation_filters is [")
    assert str(refused.value).endswith("rgb_to_y, squeeze, stack, to_uint8.")
