"""Landslide scars: they start on steep ground and run down the steepest descent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from landslide_zoo.data.bands import PIXEL_SIZE
from landslide_zoo.data.synthetic.fields import fractal_noise, ramp
from landslide_zoo.data.synthetic.terrain import Terrain

RELEASE_SLOPE = 30.0
"""Degrees below which no landslide starts."""
DEPOSIT_SLOPE = 12.0
"""Degrees below which a moving landslide comes to rest."""


@dataclass(frozen=True)
class Scars:
    """Landslides on a patch.

    Attributes:
        coverage: How much of each pixel landslides cover, 0 to 1, shape (H, W).
        regrowth: How much of that is green again, 0 to 1, shape (H, W).
    """

    coverage: np.ndarray
    regrowth: np.ndarray


def make_scars(rng: np.random.Generator, terrain: Terrain, count: int) -> Scars:
    """Let landslides go where the ground is steepest.

    Args:
        rng: Source of the randomness.
        terrain: The ground.
        count: How many start; fewer are seen where they run into one another.
    """
    coverage, regrowth = np.zeros(terrain.size), np.zeros(terrain.size)
    starts = _release_points(rng, terrain, count)
    edge = 1.4 * fractal_noise(rng, terrain.size, 2.0, longest=20.0)
    patchy = fractal_noise(rng, terrain.size, 1.0, longest=16.0)
    lengths = np.clip(rng.lognormal(np.log(32.0), 0.45, size=len(starts)), 12.0, 80.0)
    for path, length in zip(_run_out(terrain, starts, lengths), lengths, strict=True):
        half_width = np.clip(rng.lognormal(np.log(0.85 * np.sqrt(length)), 0.3), 2.5, 10.0)
        scar = _rasterise(path, half_width * rng.uniform(0.5, 1.0, size=5), edge)
        # Some scars are fresh; others, a few years old, are green in patches.
        green = rng.beta(1.0, 2.5) * ramp(patchy, -1.0, 1.0)
        coverage = np.maximum(coverage, scar)
        regrowth = np.where(scar > 0, green, regrowth)
    return Scars(coverage, regrowth)


def _release_points(rng: np.random.Generator, terrain: Terrain, count: int) -> np.ndarray:
    """Rows and columns of steep pixels away from the valley floor, shape (count, 2)."""
    likely = ramp(terrain.slope, RELEASE_SLOPE, RELEASE_SLOPE + 15.0) * (terrain.valley > 8)
    likely = (likely**2).ravel()
    count = min(count, int((likely > 0).sum()))
    if count == 0:
        return np.empty((0, 2))
    chosen = rng.choice(likely.size, size=count, replace=False, p=likely / likely.sum())
    return np.stack(np.unravel_index(chosen, terrain.size), axis=1).astype(np.float64)


def _run_out(terrain: Terrain, starts: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    """Paths in steps of a pixel down the steepest descent, each of shape (steps, 2)."""
    # A landslide is not deflected by bumps smaller than itself.
    fall = -np.stack(np.gradient(gaussian_filter(terrain.dem, 2.0), PIXEL_SIZE))
    position, heading = starts.copy(), np.zeros_like(starts)
    moving = np.ones(len(starts), dtype=bool)
    steps: list[list[np.ndarray]] = [[start] for start in starts]
    for travelled in range(1, int(lengths.max(initial=0.0)) + 1):
        downhill = np.stack(
            [map_coordinates(part, position.T, order=1, mode="nearest") for part in fall], axis=1
        )
        steepness = np.degrees(np.arctan(np.hypot(*downhill.T)))
        moving &= (steepness > DEPOSIT_SLOPE) & (travelled < lengths)
        if not moving.any():
            break
        heading = 0.5 * heading + _unit(downhill)
        position = position + _unit(heading) * moving[:, None]
        for scar in np.flatnonzero(moving):
            steps[scar].append(position[scar])
    return [np.array(path) for path in steps]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.hypot(*vectors.T), 1e-9)[:, None]


def _rasterise(path: np.ndarray, half_widths: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """How much of each pixel a scar covers.

    Args:
        path: Rows and columns from head to toe, shape (steps, 2).
        half_widths: Half its width in pixels, evenly spaced from head to toe.
        edge: How far the outline strays outward, in pixels, shape (H, W).
    """
    along = np.linspace(0.0, len(half_widths) - 1.0, len(path))
    reach = np.interp(along, np.arange(len(half_widths)), half_widths)
    pad = reach.max() + 4.0
    low = np.clip(np.floor(path.min(axis=0) - pad).astype(int), 0, None)
    high = np.ceil(path.max(axis=0) + pad).astype(int) + 1
    window = (slice(low[0], high[0]), slice(low[1], high[1]))
    strays = edge[window]
    rows = np.arange(strays.shape[0])[:, None, None] + low[0] - path[:, 0]
    columns = np.arange(strays.shape[1])[None, :, None] + low[1] - path[:, 1]
    inside = (reach - np.sqrt(rows**2 + columns**2)).max(axis=2) + strays
    coverage = np.zeros(edge.shape)
    coverage[window] = np.clip(0.5 + inside, 0.0, 1.0)
    return coverage
