"""Pictures in another size, as scikit-image's ``resize`` of Coach's filters computes them, by NumPy alone.

https://scikit-image.org/docs/stable/api/skimage.transform.html#skimage.transform.resize, with its defaults: linear
interpolation, pixels mirrored at the edges, and a Gaussian filter before a picture gets smaller.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np

TRUNCATE = 4.0
"""Standard deviations after which a Gaussian filter ends, as SciPy's."""


def resize(
    image: np.ndarray, output_shape: Sequence[int], anti_aliasing: bool | None = None, preserve_range: bool = True
) -> np.ndarray:
    """Return a picture in another size, float64.

    Args:
        image: of any shape.
        output_shape: as many sizes as the picture has axes.
        anti_aliasing: whether to smooth before a picture gets smaller; None for yes.
        preserve_range: values keep their range; both of Coach's filters ask for it.

    Raises:
        ValueError: Another number of axes, or another range is asked for.
    """
    if len(output_shape) != image.ndim or not preserve_range:
        raise ValueError(f"A picture of shape {image.shape} cannot become {tuple(output_shape)} in its own range.")
    result = image.astype(np.float64)
    for axis, size in enumerate(output_shape):
        if size != image.shape[axis]:
            weights = _weights(image.shape[axis], int(size), anti_aliasing is not False)
            result = np.moveaxis(np.tensordot(weights, result, axes=(1, axis)), 0, axis)
    return result


@functools.cache
def _weights(size: int, new_size: int, smooth: bool) -> np.ndarray:
    """Return the weight of each old pixel in each new one, shape ``(new_size, size)``."""
    scale = size / new_size
    weights = np.zeros((new_size, size))
    for new in range(new_size):
        position = (new + 0.5) * scale - 0.5  # of the pixels' centres
        left = math.floor(position)
        weights[new, _mirrored(left, size)] += left + 1 - position
        weights[new, _mirrored(left + 1, size)] += position - left
    return weights @ _gaussian(size, (scale - 1) / 2) if smooth and scale > 1 else weights


def _gaussian(size: int, sigma: float) -> np.ndarray:
    """Return a Gaussian filter as a matrix, shape ``(size, size)``."""
    radius = int(TRUNCATE * sigma + 0.5)
    offsets = range(-radius, radius + 1)
    kernel = np.exp([-0.5 * (offset / sigma) ** 2 for offset in offsets])
    matrix = np.zeros((size, size))
    for pixel in range(size):
        for offset, weight in zip(offsets, kernel / kernel.sum(), strict=True):
            matrix[pixel, _mirrored(pixel + offset, size)] += weight
    return matrix


def _mirrored(index: int, size: int) -> int:
    """Return the pixel that stands for one beyond the edge: the edge itself is not repeated."""
    period = max(2 * (size - 1), 1)
    index %= period
    return min(index, period - index) if size > 1 else 0
