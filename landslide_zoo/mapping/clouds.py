"""Where a scene is under cloud: as its own classification says, or found in its bands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import ndimage

from landslide_zoo.data.patch import Patch
from landslide_zoo.inference.clouds import (
    CSMASK,
    CloudMasker,
    find_clouds,
    product_level,
    why_no_clouds,
)
from landslide_zoo.io import staged
from landslide_zoo.mapping.probabilities import Progress
from landslide_zoo.scenes.rasters import Window, blocks
from landslide_zoo.scenes.scene import Scene
from landslide_zoo.settings import Clouds

CloudReader = Callable[[Window], np.ndarray]
"""Gives the pixels of a window that are under cloud, shape (h, w), bool."""

STEP = "clouds"
SMALL = 256
"""A scene with no longer side is looked at as a patch is."""
_SIDE, _MARGIN = 1024, 24
"""Side of the parts that are looked at, in coarse pixels, and what is seen around them."""


def why_no_scene_clouds(scene: Scene, masker: CloudMasker = CSMASK) -> str | None:
    """Why clouds cannot be found in a scene, in a sentence; None where they can."""
    return None if scene.classes else why_no_clouds(one_pixel(scene), masker)


def one_pixel(scene: Scene) -> Patch:
    """A patch of one pixel: what is said of its bands and unit holds for the scene."""
    values = np.zeros((len(scene.bands), 1, 1), dtype=np.float32)
    return Patch(values, scene.bands, scene.unit, scene.name)


def find_scene_clouds(
    scene: Scene, folder: Path, clouds: Clouds | CloudMasker, progress: Progress
) -> CloudReader:
    """Where a scene is under cloud: by its own classification, or else by a masker.

    Args:
        scene: The scene.
        folder: Working folder: clouds that were found are kept there.
        clouds: What finds them; ``mask`` is the usual, and ``keep`` looks for none.
        progress: Reports how far the search is.
    """
    masker = CSMASK if isinstance(clouds, str) else clouds
    if clouds == "keep" or why_no_scene_clouds(scene, masker):
        return lambda window: np.zeros((window.height, window.width), dtype=bool)
    if scene.classes:
        return scene.classification
    return FoundClouds(scene, folder, progress, masker).read


class FoundClouds:
    """Clouds that are found in the bands of a scene, and kept in its working folder.

    Of a scene that is larger than a patch a masker sees means of pixels, as large as it is made
    for, and clouds are grown by a pixel: their rims are thin. Means lie where the coordinates
    say: a scene that is cut elsewhere has the same ones. On 25 patches without a cloud the
    networks of CSMask take 0 % for cloud at 30 m, and 0.2 % at 10 m.

    Args:
        scene: The scene.
        folder: The working folder.
        progress: Reports how far the search is.
        masker: Finds clouds in the bands.
    """

    def __init__(
        self, scene: Scene, folder: Path, progress: Progress, masker: CloudMasker = CSMASK
    ) -> None:
        self._masker = masker
        pixels = max(1, round(masker.resolution / scene.grid.pixel_size[0]))
        self._factor = 1 if max(scene.size) <= SMALL else pixels
        self._before = (0, 0)
        if scene.grid.transform is not None:  # rows and columns since the first whole mean
            a, _, x, _, e, y = scene.grid.transform
            self._before = round(y / e) % self._factor, round(x / a) % self._factor
        path = folder / f"clouds-{masker.name}-{scene.fingerprint[:16]}.npy"
        if path.is_file():
            self._cloud = np.load(path)
        else:
            self._cloud = self._find(scene, progress)
            with staged(path) as new:
                np.save(new, self._cloud)

    def read(self, window: Window) -> np.ndarray:
        """The pixels of a window that are under cloud, shape (h, w), bool."""
        if self._factor == 1:
            return self._cloud[window.slices]
        places = [
            (np.arange(side.start - 1, side.stop + 1) + before) // self._factor
            for side, before in zip(window.slices, self._before, strict=True)
        ]
        rows, columns = (
            place.clip(0, length - 1)
            for place, length in zip(places, self._cloud.shape, strict=True)
        )
        fine = ndimage.binary_dilation(self._cloud[np.ix_(rows, columns)], np.ones((3, 3)))
        return np.asarray(fine[1:-1, 1:-1])

    def _find(self, scene: Scene, progress: Progress) -> np.ndarray:
        """The coarse pixels that are under cloud, shape (h, w), bool."""
        level = scene.level or product_level(one_pixel(scene))
        bands = self._masker.bands(scene.bands)
        (down, right), factor = self._before, self._factor
        size = -(-(scene.size[0] + down) // factor), -(-(scene.size[1] + right) // factor)
        found = np.zeros(size, dtype=bool)
        parts = list(blocks(size, _SIDE))
        progress.start(STEP, len(parts))
        for part in parts:
            around = part.padded(_MARGIN, size)
            fine = Window(*(factor * each for each in around)).moved(-down, -right)
            patch = scene.read(fine.inside(scene.size), bands)
            if patch.observed.any():
                inside = fine.inside(scene.size).within(fine)
                means = _means(patch, factor, inside, (fine.height, fine.width))
                found[part.slices] = find_clouds(means, level, self._masker)[part.within(around)]
            progress.advance()
        return found


def _means(patch: Patch, factor: int, inside: tuple[slice, slice], size: tuple[int, int]) -> Patch:
    """Means over blocks of observed pixels, 0 where there are none, of a patch inside a window."""
    if factor == 1:
        return patch
    known = np.zeros((len(patch.values) + 1, *size), np.float32)
    known[:, *inside] = *np.where(patch.observed, patch.values, 0), patch.observed
    height, width = (length // factor for length in size)
    sums = known.reshape(-1, height, factor, width, factor).sum(axis=(2, 4))
    return Patch(sums[:-1] / np.maximum(sums[-1], 1), patch.bands, name=patch.name)
