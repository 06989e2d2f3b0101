"""Where a scene is under cloud: as its own classification says, or found in its bands."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import ndimage

from landslide_zoo.data.patch import Grid, Patch
from landslide_zoo.figures.images import enlarge
from landslide_zoo.inference.clouds import Clouds, find_clouds, product_level, why_no_clouds
from landslide_zoo.io import staged
from landslide_zoo.mapping.probabilities import Progress
from landslide_zoo.mapping.rasters import Window
from landslide_zoo.mapping.scenes import Scene

CloudReader = Callable[[Window], np.ndarray]
"""Gives the pixels of a window that are under cloud, shape (h, w), bool."""

STEP = "clouds"
BANDS = ("B2", "B3", "B4", "B8", "B11", "B12")
"""What clouds are told by; the last two are not needed, and help."""
COARSE = 3
"""Pixels of a scene that become one for the cloud networks, each way. They were made for about
30 m: on 25 patches without a cloud they take 0 % for cloud then, and 0.2 % at 10 m."""
_SIDE, _MARGIN = 256, 24
"""Side of the networks' input, and how much of it on each side only shows what is around."""
_RIM = 1
"""Pixels that clouds are grown by."""


def why_no_scene_clouds(scene: Scene) -> str | None:
    """Why clouds cannot be told in a scene, in a sentence; None where they can."""
    return None if scene.classified else why_no_clouds(one_pixel(scene))


def find_scene_clouds(
    scene: Scene, folder: Path, clouds: Clouds, progress: Progress
) -> CloudReader:
    """Where a scene is under cloud.

    Args:
        scene: The scene.
        folder: Working folder: clouds that were found are kept there.
        clouds: Whether they are looked for at all.
        progress: Is told how far the search is.
    """
    if clouds == "keep" or why_no_scene_clouds(scene):
        return _clear
    if scene.classified:
        return _classified(scene)
    return FoundClouds(scene, folder, progress).read


def _clear(window: Window) -> np.ndarray:
    return np.zeros((window.height, window.width), dtype=bool)


def _classified(scene: Scene) -> CloudReader:
    """The clouds that a Level-2A product names itself."""

    def read(window: Window) -> np.ndarray:
        found = scene.classification(window)
        return _clear(window) if found is None else found

    return read


def one_pixel(scene: Scene) -> Patch:
    """A patch of one pixel: what is said of its bands and unit holds for the scene."""
    values = np.zeros((len(scene.bands), 1, 1), dtype=np.float32)
    return Patch(values, scene.bands, scene.unit, scene.name)


class FoundClouds:
    """Clouds that are found in the bands of a scene, and kept in its working folder.

    A scene that is no larger than the networks' input is looked at as a patch is. Of a larger
    one they see means of 3 x 3 pixels, and clouds are grown by a pixel: their rims are thin.
    Means and windows lie where the coordinates say: a scene that is cut elsewhere has the
    same ones but at its borders.

    Args:
        scene: Holds the bands that clouds are told by.
        folder: The working folder.
        progress: Is told how far the search is.
    """

    def __init__(self, scene: Scene, folder: Path, progress: Progress) -> None:
        self._scene = scene
        self._level = scene.level or product_level(one_pixel(scene))
        self._bands = [name for name in BANDS if name in scene.bands]
        self._factor = 1 if max(scene.size) <= _SIDE else COARSE
        self._corner = _corner(scene.grid) if self._factor > 1 else (0, 0)
        self._before = self._corner[0] % self._factor, self._corner[1] % self._factor
        height, width = (
            -(-(length + before) // self._factor)
            for length, before in zip(scene.size, self._before, strict=True)
        )
        path = folder / f"clouds-{scene.fingerprint[:16]}.npy"
        if path.is_file():
            self._raster = np.load(path)
        else:
            self._raster = np.zeros((height, width), dtype=bool)
            self._find_all(progress)
            with staged(path) as new:
                np.save(new, self._raster)

    def _find_all(self, progress: Progress) -> None:
        rows, columns = (
            _parts(corner // self._factor, length)
            for corner, length in zip(self._corner, self._raster.shape, strict=True)
        )
        progress.start(STEP, len(rows) * len(columns))
        for row, height in rows:
            for column, width in columns:
                part = Window(row, column, height, width)
                self._raster[part.slices] = self._find(part)
                progress.advance()

    def read(self, window: Window) -> np.ndarray:
        """The pixels of a window that are under cloud, shape (h, w), bool."""
        if self._factor == 1:
            return self._raster[window.slices]
        padded = window.padded(_RIM, self._scene.size).moved(*self._before)
        outer = _outer(padded, self._factor)
        fine = enlarge(self._raster[outer.slices], self._factor)
        fine = ndimage.binary_dilation(fine, np.ones((3, 3), dtype=bool), iterations=_RIM)
        corner = Window(outer.row * self._factor, outer.column * self._factor, *fine.shape)
        return fine[window.moved(*self._before).within(corner)]

    def _find(self, part: Window) -> np.ndarray:
        """The clouds of a part of the raster, shape (h, w)."""
        around, (down, right) = _around(part, self._raster.shape), self._before
        fine = Window(*(self._factor * each for each in around)).moved(-down, -right)
        inside = fine.inside(self._scene.size)
        patch = self._scene.read(inside, self._bands)
        if not patch.observed.any():
            return _clear(part)
        before = inside.row - fine.row, inside.column - fine.column
        cloud = find_clouds(_means(patch, self._factor, before), self._level)
        return cloud[part.within(around)]


def _corner(grid: Grid) -> tuple[int, int]:
    """Where a grid's corner lies, in pixels from the origin of its coordinates, down and right."""
    if grid.transform is None:
        return 0, 0
    a, _, x, _, e, y = grid.transform
    return round(y / e), round(x / a)


def _parts(corner: int, length: int) -> list[tuple[int, int]]:
    """Starts and lengths of the parts along a side of the raster, which starts at a corner."""
    step = _SIDE - 2 * _MARGIN
    starts = [0, *range(step - corner % step, length, step)]
    return [(start, end - start) for start, end in pairwise([*starts, length])]


def _around(part: Window, size: tuple[int, int]) -> Window:
    """A window as large as the networks' input around a part, inside the raster."""
    sides = [min(_SIDE, length) for length in size]
    row, column = (
        min(max(0, start - _MARGIN), length - side)
        for start, length, side in zip((part.row, part.column), size, sides, strict=True)
    )
    return Window(row, column, *sides)


def _outer(window: Window, factor: int) -> Window:
    """The coarse pixels that a window lies on."""
    row, column = window.row // factor, window.column // factor
    bottom = -(-(window.row + window.height) // factor)
    right = -(-(window.column + window.width) // factor)
    return Window(row, column, bottom - row, right - column)


def _means(patch: Patch, factor: int, before: tuple[int, int]) -> Patch:
    """Means over blocks of observed pixels, 0 where there are none.

    The first blocks begin so many rows and columns before the patch.
    """
    if factor == 1:
        return patch
    down, right = (
        (first, -(first + length) % factor)
        for first, length in zip(before, patch.size, strict=True)
    )
    known = np.stack([*np.where(patch.observed, patch.values, 0), patch.observed])
    known = np.pad(known, ((0, 0), down, right))
    height, width = (length // factor for length in known.shape[1:])
    sums = known.reshape(-1, height, factor, width, factor).sum(axis=(2, 4))
    return Patch(sums[:-1] / np.maximum(sums[-1], 1), patch.bands, name=patch.name)
