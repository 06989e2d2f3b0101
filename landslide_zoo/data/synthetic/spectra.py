"""What a Sentinel-2 Level-1C sensor sees of the ground: surfaces, light, air and optics.

Surface spectra are round figures in the range of published spectral libraries,
adjusted so that band statistics fall within those of Landslide4Sense patches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from landslide_zoo.data.synthetic.fields import fractal_noise

# Reflectance x 10,000 in B1 to B12 (without B8A), the first twelve bands of a patch.
SURFACES: dict[str, tuple[int, ...]] = {
    "forest": (60, 90, 300, 190, 600, 1850, 2350, 2450, 2450, 2400, 1250, 500),
    "grass": (100, 160, 420, 360, 900, 2200, 2700, 2800, 2800, 2600, 1900, 950),
    "crop": (120, 180, 520, 330, 1000, 2700, 3400, 3500, 3500, 3000, 1900, 850),
    "fallow": (280, 400, 700, 980, 1220, 1450, 1600, 1750, 1750, 1900, 2350, 1750),
    "debris": (300, 460, 780, 1000, 1180, 1380, 1520, 1620, 1620, 1700, 1900, 1400),
    "rock": (420, 580, 780, 930, 1000, 1080, 1150, 1180, 1180, 1250, 1350, 1080),
    "gravel": (480, 680, 900, 1020, 1100, 1180, 1250, 1280, 1280, 1300, 1450, 1150),
    "road": (450, 620, 800, 920, 980, 1060, 1120, 1180, 1180, 1250, 1500, 1250),
    "roof": (900, 1200, 1450, 1750, 1850, 1950, 2050, 2100, 2100, 2100, 2300, 2100),
    "water": (250, 330, 430, 380, 330, 270, 250, 220, 200, 150, 110, 70),
}
CLOUD = np.array([2500, 2500, 2450, 2500, 2600, 2700, 2750, 2800, 1500, 8, 2300, 1700.0])
"""Top-of-atmosphere reflectance x 10,000 of an opaque cloud, but for its height in B10."""

_PATH = np.array([1200, 820, 465, 240, 190, 140, 115, 85, 60, 10, 20, 12.0])
"""Light scattered by the air above sea level, reflectance x 10,000."""
_TRANSMITTED = np.array([0.88, 0.92, 0.95, 0.96, 0.96, 0.97, 0.97, 0.97, 0.97, 0.97, 0.96, 0.95])
_DIFFUSE = np.array([0.45, 0.40, 0.36, 0.32, 0.30, 0.30, 0.30, 0.30, 0.30, 0.25, 0.20, 0.18])
"""Share of the light that comes from the sky and the slopes around, so reaches shaded ground."""
_RESOLUTION = np.array([60, 10, 10, 10, 20, 20, 20, 10, 60, 60, 20, 20])
_BLUR = {10: 0.55, 20: 0.75, 60: 2.2}
"""Standard deviation in 10 m pixels of the point spread at each ground resolution in metres."""
_NOISE = np.array([20, 8, 8, 8, 8, 12, 14, 18, 40, 7, 12, 10.0])
_AIR_HEIGHT, _VAPOUR_HEIGHT = 7000.0, 2200.0
"""Metres over which the air, and its water vapour, thin out by a factor e."""
_VAPOUR_DEPTH = {8: 1.35, 9: 18.0}
"""Optical depth of the water vapour above sea level at B9 and B10."""


class LandCover:
    """How much of each pixel each surface covers: layers painted one over another.

    Attributes:
        abundance: Share of each surface of ``SURFACES``, shape (S, H, W), summing to 1.
    """

    def __init__(self, size: tuple[int, int], ground: str) -> None:
        """Cover everything with one surface."""
        self.abundance = np.zeros((len(SURFACES), *size))
        self.abundance[_index(ground)] = 1.0

    def paint(self, surface: str, coverage: np.ndarray) -> None:
        """Lay a surface over what is there, with a coverage from 0 to 1 of shape (H, W)."""
        self.abundance *= 1.0 - coverage
        self.abundance[_index(surface)] += coverage

    def reflectance(self, rng: np.random.Generator) -> np.ndarray:
        """Reflectance x 10,000 of the mixed surfaces, shape (12, H, W).

        Each surface's spectrum varies from patch to patch in brightness and
        colour, and the whole from pixel to pixel in brightness.
        """
        spectra = np.array(list(SURFACES.values()), dtype=np.float64)
        size = (self.abundance.shape[1], self.abundance.shape[2])
        tilt = np.linspace(-1.0, 1.0, spectra.shape[1])
        spectra *= np.exp(rng.normal(0.0, 0.07, size=(len(spectra), 1)))
        spectra *= np.exp(rng.normal(0.0, 0.08, size=(len(spectra), 1)) * tilt)
        texture = np.exp(0.09 * fractal_noise(rng, size, 0.4))
        return np.einsum("sb,shw->bhw", spectra, self.abundance) * texture


def _index(surface: str) -> int:
    return list(SURFACES).index(surface)


@dataclass(frozen=True)
class Sky:
    """Sun, air and clouds over a patch.

    Attributes:
        azimuth: Direction of the sun in degrees clockwise from north.
        elevation: Height of the sun in degrees.
        haze: Scattering of the air, 1 where it is ordinary.
        vapour: Water vapour, 1 where it is ordinary.
        cloud: Opacity of the clouds, 0 to 1, shape (H, W).
        shadow: How much direct sunlight they take from the ground, 0 to 1, shape (H, W).
        cirrus: Reflectance x 10,000 of an opaque cloud at B10: the higher it floats, the more.
    """

    azimuth: float
    elevation: float
    haze: float
    vapour: float
    cloud: np.ndarray
    shadow: np.ndarray
    cirrus: float


def observe(
    rng: np.random.Generator,
    reflectance: np.ndarray,
    sunlight: np.ndarray,
    dem: np.ndarray,
    sky: Sky,
) -> np.ndarray:
    """The twelve bands of a Level-1C image, each at its own ground resolution.

    Args:
        rng: Source of the sensor's noise.
        reflectance: Surface reflectance x 10,000, shape (12, H, W).
        sunlight: Direct sunlight relative to flat ground, shape (H, W).
        dem: Elevation in metres, shape (H, W).
        sky: Sun, air and clouds.

    Returns:
        Digital numbers (top-of-atmosphere reflectance x 10,000), shape (12, H, W).
    """
    direct = sunlight * (1.0 - sky.shadow)
    air = sky.haze * np.exp(-dem / _AIR_HEIGHT)
    vapour = sky.vapour * np.exp(-dem / _VAPOUR_HEIGHT)
    cloud = CLOUD.copy()
    cloud[9] += sky.cirrus
    image = np.empty_like(reflectance)
    for band, ground in enumerate(reflectance):
        light = _DIFFUSE[band] + (1.0 - _DIFFUSE[band]) * direct
        clear = _TRANSMITTED[band] * ground * light
        if band in _VAPOUR_DEPTH:
            clear *= np.exp(-_VAPOUR_DEPTH[band] * vapour)
        # The path light of the cirrus band is the sensor's offset: the air itself is dark there.
        clear += _PATH[band] * (1.0 if band == 9 else air)
        seen = clear + sky.cloud * (cloud[band] - clear)
        seen += _NOISE[band] * rng.normal(size=seen.shape)
        image[band] = gaussian_filter(seen, _BLUR[_RESOLUTION[band]], mode="nearest")
    return image
