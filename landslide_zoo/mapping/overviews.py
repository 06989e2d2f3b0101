"""A whole scene seen from far, for a picture of its map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.figures import enlarge, hatch, overlay
from landslide_zoo.mapping.labelling import blocks
from landslide_zoo.mapping.landslides import NOT_OBSERVED, Landslides
from landslide_zoo.mapping.scenes import Scene

_STRETCH = (1.0, 99.0)
_READ = 1024


@dataclass(frozen=True, eq=False)
class Overview:
    """A scene seen from far.

    Attributes:
        picture: True colour, or the first band in grey, shape (h, w, 3), uint8.
        landslide: Where a pixel of it holds a landslide, shape (h, w), bool.
        observed: Where most of a pixel was seen, shape (h, w), bool.
        scale: Its pixels by the scene's: below 1 where it is smaller.
    """

    picture: np.ndarray
    landslide: np.ndarray
    observed: np.ndarray
    scale: float

    def drawn(self) -> np.ndarray:
        """The picture with landslides outlined and what was not observed hatched."""
        return overlay(hatch(self.picture, ~self.observed), self.landslide)


def see_from_far(scene: Scene, landslides: Landslides, side: int) -> Overview:
    """See a scene from far; it is read block by block.

    Args:
        scene: What was mapped.
        landslides: What was found in it.
        side: Height and width of the picture are at most this; a small scene is enlarged
            by a whole factor.
    """
    step = -(-max(scene.size) // side)
    height, width = (-(-length // step) for length in scene.size)
    bands = TRUE_COLOUR if set(TRUE_COLOUR) <= set(scene.bands) else scene.bands[:1]
    values = np.zeros((len(bands), height, width), dtype=np.float32)
    landslide, observed, measured = (np.zeros((height, width), dtype=bool) for _ in range(3))
    for window in blocks(scene.size, max(1, _READ // step) * step):
        place = (
            slice(window.row // step, -(-(window.row + window.height) // step)),
            slice(window.column // step, -(-(window.column + window.width) // step)),
        )
        patch, mask = scene.read(window, bands), landslides.mask(window)
        pixels = _sums(np.ones_like(mask), step)
        counts = _sums(patch.observed, step)
        sums = [_sums(np.where(patch.observed, band, 0), step) for band in patch.values]
        values[:, *place] = np.stack(sums) / np.maximum(counts, 1)
        measured[place] = counts > 0
        landslide[place] = _sums(mask == 1, step) > 0
        observed[place] = 2 * _sums(mask != NOT_OBSERVED, step) > pixels
    picture = _stretched(values, observed if observed.any() else measured, scene.unit == "display")
    picture[~measured] = 0
    factor = max(1, side // max(height, width))
    return Overview(
        enlarge(picture, factor),
        enlarge(landslide, factor),
        enlarge(observed, factor),
        factor / step,
    )


def _sums(values: np.ndarray, step: int) -> np.ndarray:
    """Sums over blocks of ``step`` x ``step`` of (H, W); those at the end are smaller."""
    for axis in (0, 1):
        starts = np.arange(0, values.shape[axis], step)
        values = np.add.reduceat(values, starts, axis=axis, dtype=np.float32)
    return values


def _stretched(values: np.ndarray, typical: np.ndarray, display: bool) -> np.ndarray:
    """Bands (B, h, w) as a picture (h, w, 3), stretched by what is typical: clouds burn out."""
    if not display and typical.any():
        low, high = np.percentile(values[:, typical], _STRETCH, axis=1)[..., None, None]
        values = (values - low) / np.maximum(high - low, 1e-6)
    picture = np.rint(255 * values.clip(0, 1)).astype(np.uint8).transpose(1, 2, 0)
    return picture if len(values) == 3 else picture.repeat(3, axis=2)
