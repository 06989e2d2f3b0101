"""Synthetic terrain: elevation, slope, and how the sun lights them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import gaussian_filter

from landslide_zoo.data.bands import PIXEL_SIZE
from landslide_zoo.data.synthetic.fields import distance_to_zero, fractal_noise, ramp

CANVAS_MARGIN = 32
"""Pixels of terrain made around the patch, so that valleys outside shape its edges."""


@dataclass(frozen=True)
class Terrain:
    """An elevation model on a 10 m grid, north up.

    Attributes:
        dem: Elevation in metres, shape (H, W), float64.
        valley: Distance from the nearest valley line in pixels, shape (H, W).
        gully: Distance from the nearest gully line in pixels, shape (H, W).
    """

    dem: np.ndarray
    valley: np.ndarray
    gully: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.dem.shape[0], self.dem.shape[1]

    @cached_property
    def gradient(self) -> tuple[np.ndarray, np.ndarray]:
        """Rise in metres a metre southward (down the rows) and eastward (along the columns)."""
        south, east = np.gradient(self.dem, PIXEL_SIZE)
        return south, east

    @cached_property
    def slope(self) -> np.ndarray:
        """Slope in degrees, shape (H, W)."""
        return np.degrees(np.arctan(np.hypot(*self.gradient)))

    @cached_property
    def prominence(self) -> np.ndarray:
        """Height above the surroundings in metres: positive on ridges, negative in valleys."""
        return self.dem - gaussian_filter(self.dem, 8.0, mode="nearest")

    def sunlight(self, azimuth: float, elevation: float) -> np.ndarray:
        """Direct sunlight on the ground, relative to flat ground.

        Args:
            azimuth: Direction of the sun in degrees clockwise from north.
            elevation: Height of the sun above the horizon in degrees.

        Returns:
            1 on flat ground, 0 where the ground faces away, shape (H, W).
        """
        south, east = self.gradient
        azimuth, elevation = np.radians(azimuth), np.radians(elevation)
        facing = np.cos(azimuth) * south - np.sin(azimuth) * east
        normal = np.sqrt(1.0 + south**2 + east**2)
        return np.clip((1.0 + facing / np.tan(elevation)) / normal, 0.0, None)


def make_terrain(rng: np.random.Generator, size: tuple[int, int]) -> Terrain:
    """Mountains cut by valleys, with slopes like those of the Landslide4Sense regions.

    Hillslopes rise at a nearly constant angle from a network of valleys, as they
    do where landslides limit how steep a slope can stand; fractal noise draws the
    network and roughens the slopes.

    Args:
        rng: Source of the randomness.
        size: Height and width in pixels.
    """
    canvas = (size[0] + 2 * CANVAS_MARGIN, size[1] + 2 * CANVAS_MARGIN)
    patch = (slice(CANVAS_MARGIN, -CANVAS_MARGIN),) * 2
    valley = distance_to_zero(fractal_noise(rng, canvas, 3.0, longest=260.0))
    gully = distance_to_zero(fractal_noise(rng, canvas, 2.2, longest=64.0))
    floor = rng.uniform(0.0, 9.0) * ramp(fractal_noise(rng, canvas, 2.0, longest=96.0), -1.5, 1.5)
    hillside = np.maximum(valley - floor, 0.0)
    relief = hillside + 0.28 * np.minimum(hillside, gully)
    relief += 20.0 * fractal_noise(rng, canvas, 3.0, longest=256.0)
    relief += (0.3 + 1.4 * ramp(hillside, 0, 6)) * fractal_noise(rng, canvas, 2.0, longest=40.0)
    relief = gaussian_filter(relief, 1.0)[patch]
    rise = np.hypot(*np.gradient(relief, PIXEL_SIZE))
    relief *= np.tan(np.radians(rng.uniform(26.0, 37.0))) / rise.mean()
    return Terrain(
        dem=rng.uniform(350.0, 3000.0) + relief - relief.min(),
        valley=valley[patch],
        gully=gully[patch],
    )
