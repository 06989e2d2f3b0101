"""Bare and bright ground that is no landslide: rock, river beds, fields, roads and clouds."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from landslide_zoo.data.synthetic.fields import distance_to_zero, fractal_noise, ramp
from landslide_zoo.data.synthetic.spectra import LandCover
from landslide_zoo.data.synthetic.terrain import Terrain


def paint_rock(rng: np.random.Generator, cover: LandCover, terrain: Terrain) -> None:
    """Bare rock on ridges, the more of it the higher they are."""
    patchy = fractal_noise(rng, terrain.size, 1.2, longest=32.0)
    bareness = terrain.prominence / 25.0 + 0.7 * patchy
    bareness += ramp(terrain.dem, 1500.0, 3500.0) - rng.uniform(1.8, 3.6)
    cover.paint("rock", 0.9 * ramp(bareness, 0.0, 0.35))


def paint_river(rng: np.random.Generator, cover: LandCover, terrain: Terrain) -> None:
    """A stream between gravel banks on the valley floor, and dry beds in the gullies."""
    width = fractal_noise(rng, terrain.size, 1.5, longest=48.0)
    bank = rng.uniform(-2.0, 3.0) + width
    cover.paint("gravel", np.clip(0.5 + bank - terrain.valley, 0.0, 1.0))
    cover.paint("water", np.clip(0.35 * bank - terrain.valley, 0.0, 0.8))
    bed = rng.uniform(-2.5, 0.8) + 0.8 * width
    lower = ramp(terrain.valley, 40.0, 15.0)
    cover.paint("gravel", 0.8 * lower * np.clip(0.5 + bed - terrain.gully, 0.0, 1.0))


def paint_fields(rng: np.random.Generator, cover: LandCover, terrain: Terrain) -> None:
    """Parcels of crops and bare soil, with a few roofs, where the ground is not too steep."""
    gentle = gaussian_filter(terrain.slope, 4.0) + 3.0 * fractal_noise(rng, terrain.size, 1.5)
    gentle += 6.0 * ramp(terrain.dem, 1000.0, 2500.0)
    farmed = ramp(gentle, rng.uniform(18.0, 24.0), 16.0) > 0.5
    angle, side = rng.uniform(0.0, np.pi), rng.uniform(4.0, 9.0)
    rows, columns = np.indices(terrain.size)
    across = (rows * np.cos(angle) + columns * np.sin(angle)) / side
    along = (columns * np.cos(angle) - rows * np.sin(angle)) / (1.6 * side)
    parcel = (np.floor(across).astype(int) * 7919 + np.floor(along).astype(int)) % 1009
    kind = rng.uniform(size=1009)[parcel]
    for surface, low, high in (("crop", 0.0, 0.3), ("grass", 0.3, 0.55), ("fallow", 0.55, 0.8)):
        cover.paint(surface, 0.9 * (farmed & (kind >= low) & (kind < high)))
    built = farmed & (rng.uniform(size=terrain.size) < 0.012)
    cover.paint("roof", ramp(gaussian_filter(built.astype(float), 0.7), 0.0, 0.3))


def paint_road(rng: np.random.Generator, cover: LandCover, terrain: Terrain) -> None:
    """A road that keeps its height around the hills."""
    smooth = gaussian_filter(terrain.dem, 5.0)
    level = np.quantile(smooth, rng.uniform(0.1, 0.7))
    distance = distance_to_zero(smooth - level)
    built = fractal_noise(rng, terrain.size, 2.0) > rng.uniform(-1.5, 1.5)
    half_width = rng.uniform(-0.2, 0.6)
    cover.paint("road", 0.85 * built * np.clip(0.5 + half_width - distance, 0.0, 1.0))


def make_clouds(
    rng: np.random.Generator, size: tuple[int, int], azimuth: float
) -> tuple[np.ndarray, np.ndarray]:
    """Clouds and the shadows that they throw away from the sun.

    Args:
        rng: Source of the randomness.
        size: Height and width in pixels.
        azimuth: Direction of the sun in degrees clockwise from north.

    Returns:
        Opacity seen from above and share of sunlight taken, 0 to 1, each of shape (H, W).
    """
    reach = rng.uniform(12.0, 30.0)
    throw = np.rint(reach * np.array([np.cos(np.radians(azimuth)), -np.sin(np.radians(azimuth))]))
    down, right = throw.astype(int)
    field = fractal_noise(rng, (size[0] + abs(down), size[1] + abs(right)), 1.6, longest=48.0)
    low = rng.uniform(1.1, 1.9)
    opacity = rng.uniform(0.25, 0.8) * ramp(field, low, low + 1.0)

    def crop(row: int, column: int) -> np.ndarray:
        return opacity[row : row + size[0], column : column + size[1]]

    # A shadow lies where its cloud is, moved by the throw.
    cloud = crop(max(down, 0), max(right, 0))
    shadow = crop(max(-down, 0), max(-right, 0))
    return cloud, 0.9 * shadow
