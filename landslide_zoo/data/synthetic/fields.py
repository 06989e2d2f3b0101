"""Random fields and the shapes cut from them: the raw material of a synthetic patch."""

from __future__ import annotations

import numpy as np
from scipy.fft import fftfreq, irfft2, next_fast_len, rfftfreq
from scipy.ndimage import distance_transform_edt


def fractal_noise(
    rng: np.random.Generator, size: tuple[int, int], exponent: float, longest: float = 64.0
) -> np.ndarray:
    """A random field whose spectral amplitude falls as ``frequency ** -exponent``.

    Args:
        rng: Source of the randomness.
        size: Height and width in pixels.
        exponent: 0 gives white noise, 1 clouds and land cover, 2 and more terrain.
        longest: Wavelength in pixels above which the spectrum is flat, so that the
            field looks alike whatever its size.

    Returns:
        Values of mean 0 and standard deviation 1, shape (H, W), float64.
    """
    if exponent == 0:
        return rng.normal(size=size)
    # The field repeats itself: a margin keeps opposite edges from matching.
    margin = min(int(longest), 64)
    rows, columns = (next_fast_len(side + margin, real=True) for side in size)
    frequency = np.hypot(fftfreq(rows)[:, None], rfftfreq(columns)[None, :])
    amplitude = np.maximum(frequency, 1.0 / longest) ** -exponent
    amplitude[0, 0] = 0.0
    spectrum = rng.normal(size=(*frequency.shape, 2)).view(np.complex128)[..., 0]
    field = irfft2(amplitude * spectrum, s=(rows, columns))[: size[0], : size[1]]
    return (field - field.mean()) / field.std()


def distance_to_zero(field: np.ndarray) -> np.ndarray:
    """Distance in pixels from the lines along which a field (H, W) changes sign."""
    above = field > 0
    line = np.zeros(field.shape, dtype=bool)
    line[:-1] |= above[:-1] != above[1:]
    line[:, :-1] |= above[:, :-1] != above[:, 1:]
    if not line.any():
        return np.full(field.shape, float(max(field.shape)))
    return distance_transform_edt(~line)


def ramp(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """How far values lie on the way from low (0) to high (1), clipped; low may exceed high."""
    return np.clip((values - low) / (high - low), 0.0, 1.0)
