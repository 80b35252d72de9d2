"""Pictures in another size, as scikit-image's ``resize`` of Coach's filters computes them, by NumPy alone.

https://scikit-image.org/docs/stable/api/skimage.transform.html#skimage.transform.resize, with its defaults: linear
interpolation, pixels mirrored at the edges, and a Gaussian filter before a picture gets smaller.

Training and serving resize by the same code. A number of the result depends on the pixels that it is made of alone, to
the last bit, however many pictures are resized together: Coach cuts it off to a whole number.
"""

import functools
from collections.abc import Sequence

import numpy as np

TRUNCATE = 4.0
"""Standard deviations after which a Gaussian filter ends, as SciPy's."""


def resize(
    image: np.ndarray, output_shape: Sequence[int], anti_aliasing: bool | None = None, preserve_range: bool = True
) -> np.ndarray:
    """Return a picture in another size, float64.

    Args:
        image: of any shape; axes that keep their size may hold many pictures.
        output_shape: as many sizes as the picture has axes.
        anti_aliasing: whether to smooth before a picture gets smaller; None for yes.
        preserve_range: values keep their range; both of Coach's filters ask for it.

    Raises:
        ValueError: Another number of axes, or another range is asked for.
    """
    if len(output_shape) != image.ndim or not preserve_range:
        raise ValueError(f"A picture of shape {image.shape} cannot become {tuple(output_shape)} in its own range.")
    result = image.astype(np.float64)
    for axis, new_size in enumerate(output_shape):
        size = image.shape[axis]
        if new_size == size:
            continue
        if anti_aliasing is not False and new_size < size:
            result = _smooth(result, axis, (size / new_size - 1) / 2)
        left, right, fractions = _neighbours(size, int(new_size))
        start = result.take(left, axis)
        result = start + (result.take(right, axis) - start) * _along(axis, result.ndim, fractions)
    return result


@functools.cache
def _neighbours(size: int, new_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the two old pixels between which each new one lies, and how far it is from the first to the second."""
    positions = (np.arange(new_size) + 0.5) * (size / new_size) - 0.5  # of the pixels' centres
    left = np.floor(positions).astype(np.int64)
    return _mirrored(left, size), _mirrored(left + 1, size), positions - left


def _smooth(image: np.ndarray, axis: int, sigma: float) -> np.ndarray:
    """Return a picture after a Gaussian filter along an axis; ``sigma`` is its standard deviation in pixels."""
    radius = int(TRUNCATE * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    pixels = np.arange(image.shape[axis])
    result = np.zeros_like(image)
    for offset, weight in zip(offsets, kernel / kernel.sum(), strict=True):
        result += weight * image.take(_mirrored(pixels + offset, len(pixels)), axis)
    return result


def _along(axis: int, dimensions: int, values: np.ndarray) -> np.ndarray:
    return values.reshape([-1 if each == axis else 1 for each in range(dimensions)])


def _mirrored(index: np.ndarray, size: int) -> np.ndarray:
    """Return the pixels that stand for those beyond the edge: the edge itself is not repeated."""
    period = max(2 * (size - 1), 1)
    index = index % period
    return np.minimum(index, period - index) if size > 1 else np.zeros_like(index)
