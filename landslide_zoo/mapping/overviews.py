"""A whole scene seen from far, for pictures of it and of its map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.figures import enlarge, marked, marks
from landslide_zoo.mapping.landslides import NOT_OBSERVED, Landslides
from landslide_zoo.mapping.scenes import Scene
from landslide_zoo.mapping.windows import Window, blocks

_STRETCH = (1.0, 99.0)
_READ = 1024
"""Side of the windows that are read, roughly, in pixels."""


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
        return marked(self.picture, marks(self.landslide, hidden=~self.observed))


def see_from_far(scene: Scene, landslides: Landslides, side: int) -> Overview:
    """See a mapped scene from far.

    Args:
        scene: What was mapped.
        landslides: What was found in it.
        side: Height and width of the picture are at most this; a small scene is enlarged
            by a whole factor.
    """
    bands = TRUE_COLOUR if set(TRUE_COLOUR) <= set(scene.bands) else scene.bands[:1]
    picture = composite(scene, bands, lambda part: landslides.mask(part) != NOT_OBSERVED, side)

    def kinds(window: Window) -> np.ndarray:
        mask = landslides.mask(window)
        return np.stack([mask == 1, mask != NOT_OBSERVED])

    found, seen = shares(scene.size, side, kinds)
    factor = max(1, side // max(found.shape))
    return Overview(
        enlarge(picture, factor),
        enlarge(found > 0, factor),
        enlarge(seen > 0.5, factor),
        factor / step_of(scene.size, side),
    )


def composite(
    scene: Scene, bands: Sequence[str], observed: Callable[[Window], np.ndarray], side: int
) -> np.ndarray:
    """Bands of a scene as a picture, stretched by what is observed: clouds burn out.

    Args:
        scene: The scene.
        bands: Three for red, green and blue, or one for grey.
        observed: Gives the pixels of a window that were seen, shape (h, w), bool.
        side: Height and width of the picture are at most this.

    Returns:
        Shape (h, w, 3), uint8; black where there is no data.
    """

    def read(window: Window) -> np.ndarray:
        patch = scene.read(window, bands)
        return np.stack(
            [*np.where(patch.observed, patch.values, 0), patch.observed, observed(window)]
        )

    *values, measured, seen = shares(scene.size, side, read)
    typical = seen > 0.5 if (seen > 0.5).any() else measured > 0
    picture = np.empty((*measured.shape, len(values)), dtype=np.uint8)
    for number, band in enumerate(values):
        band /= np.maximum(measured, 1e-6)
        if scene.unit == "physical" and typical.any():
            low, high = np.percentile(band[typical], _STRETCH)
            band = (band - low) / np.maximum(high - low, 1e-6)
        picture[..., number] = np.rint(255 * band.clip(0, 1))
    picture[measured == 0] = 0
    return picture if len(values) == 3 else picture.repeat(3, axis=2)


def shares(size: tuple[int, int], side: int, read: Callable[[Window], np.ndarray]) -> np.ndarray:
    """Means over blocks of the pixels of a scene, so that it is no larger than a picture.

    Args:
        size: Height and width of the scene in pixels.
        side: Those of the picture are at most this.
        read: Gives values of a window, shape (C, h, w).

    Returns:
        Shape (C, height, width), float32.
    """
    step = step_of(size, side)
    means: np.ndarray | None = None
    for window in blocks(size, max(1, _READ // step) * step):
        values = read(window)
        if means is None:
            shape = (-(-length // step) for length in size)
            means = np.zeros((len(values), *shape), dtype=np.float32)
        for axis in (1, 2):
            starts = np.arange(0, values.shape[axis], step)
            counts = np.diff([*starts, values.shape[axis]])  # those at the end are smaller
            sums = np.add.reduceat(values, starts, axis=axis, dtype=np.float32)
            values = sums / (counts[:, None] if axis == 1 else counts)
        top, left = window.row // step, window.column // step
        means[:, top : top + values.shape[1], left : left + values.shape[2]] = values
    assert means is not None  # no scene is empty
    return means


def step_of(size: tuple[int, int], side: int) -> int:
    """How many pixels of a scene, each way, become one of a picture."""
    return -(-max(size) // side)
