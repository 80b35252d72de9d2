"""Pictures in another size: literal values, and the same as what scikit-image asks SciPy for."""

import numpy as np
import pytest
from sagemaker_rl import resizing
from sagemaker_rl.coach import repairs

repairs.apply()


def test_half_the_size_without_smoothing_is_the_mean_of_neighbours():
    image = np.array([[0, 10, 20, 30], [40, 50, 60, 70]], dtype=np.uint8)
    assert resizing.resize(image, (1, 2), anti_aliasing=False).tolist() == [[25.0, 45.0]]


def test_twice_the_size_mirrors_at_the_edge():
    assert resizing.resize(np.array([0.0, 4.0]), (4,)).tolist() == [1.0, 1.0, 3.0, 3.0]


@pytest.mark.parametrize("anti_aliasing", [None, True, False])
@pytest.mark.parametrize("shape", [(84, 84), (110, 84), (30, 21), (320, 240), (211, 161)])
def test_it_equals_scikit_image(shape, anti_aliasing):
    """What skimage.transform.resize calls: its _warps.py, with order 1 and mode ``reflect``, SciPy's ``mirror``."""
    from scipy import ndimage

    image = np.random.default_rng(0).integers(0, 256, size=(210, 160)).astype(np.float64)
    factors = np.divide(image.shape, shape)
    smoothed = image
    if anti_aliasing is not False and (factors > 1).any():
        smoothed = ndimage.gaussian_filter(image, np.maximum(0, (factors - 1) / 2), mode="mirror")
    expected = ndimage.zoom(smoothed, 1 / factors, order=1, mode="mirror", grid_mode=True)
    assert np.allclose(resizing.resize(image, shape, anti_aliasing), expected, atol=1e-9)


@pytest.mark.parametrize("anti_aliasing", [None, False])
def test_one_pixel_stays_what_it_is(anti_aliasing):
    assert resizing.resize(np.array([[7.0], [9.0]]), (2, 3), anti_aliasing).tolist() == [[7] * 3, [9] * 3]
    assert resizing.resize(np.array([5.0]), (1,), anti_aliasing).tolist() == [5]


@pytest.mark.parametrize("anti_aliasing", [None, False])
def test_several_pictures_are_each_resized_as_it_would_be_alone(anti_aliasing):
    pictures = np.random.default_rng(1).integers(0, 256, size=(3, 7, 10, 2)).astype(np.uint8)
    together = resizing.resize(pictures, (3, 5, 12, 2), anti_aliasing)
    assert (together.shape, together.dtype) == ((3, 5, 12, 2), np.float64)
    for number, channel in np.ndindex(3, 2):
        alone = resizing.resize(pictures[number, :, :, channel], (5, 12), anti_aliasing)
        assert np.array_equal(together[number, :, :, channel], alone)


def test_a_shape_of_other_axes_is_refused():
    with pytest.raises(ValueError, match=r"A picture of shape \(2, 2, 3\) cannot become \(1, 1\)"):
        resizing.resize(np.zeros((2, 2, 3)), (1, 1))
    with pytest.raises(ValueError, match=r"A picture of shape \(2, 3\) cannot become \(1, 1\) in its own range"):
        resizing.resize(np.zeros((2, 3)), (1, 1), preserve_range=False)


def test_coachs_filters_rescale_without_scikit_image():
    from rl_coach.filters.observation import ObservationRescaleSizeByFactorFilter, ObservationRescaleToSizeFilter
    from rl_coach.spaces import ImageObservationSpace, PlanarMapsObservationSpace

    picture = np.full((210, 160, 3), 200, dtype=np.uint8)
    filters = (
        ObservationRescaleToSizeFilter(ImageObservationSpace(np.array([84, 84, 3]), high=255)),
        ObservationRescaleToSizeFilter(PlanarMapsObservationSpace(np.array([84, 84, 3]), low=0, high=255)),
        ObservationRescaleSizeByFactorFilter(0.5),
    )
    rescaled = [each.filter(picture) for each in filters]
    assert [(each.shape, each.dtype) for each in rescaled] == [
        ((84, 84, 3), np.uint8),
        ((84, 84, 3), np.uint8),
        ((105, 80, 3), np.uint8),
    ]
    assert all(abs(each.astype(int) - 200).max() <= 1 for each in rescaled)
