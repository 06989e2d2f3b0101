"""A whole scene through a network: tile by tile, resumed where it was interrupted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from landslide_zoo.data.files import write_whole
from landslide_zoo.data.patch import Patch
from landslide_zoo.inference.clouds import Clouds
from landslide_zoo.mapping.clouds import CloudReader, find_scene_clouds, one_pixel
from landslide_zoo.mapping.light import LocalLight
from landslide_zoo.mapping.members import Member, describe_predictor, members_of
from landslide_zoo.mapping.probabilities import Journal, Probabilities
from landslide_zoo.mapping.progress import Listener, Progress
from landslide_zoo.mapping.scenes import Scene
from landslide_zoo.mapping.tiling import Blender, Tiles
from landslide_zoo.mapping.windows import Window
from landslide_zoo.models.prediction import BATCH_PIXELS, Predictor, predict

STEP = "network"
FORMAT = 3
"""Changes whenever the same scene and network would give other probabilities than before, or
what a part of the work left is kept otherwise."""
SIDE, OVERLAP = 512, 64
"""Side of a tile and how far it reaches into the next one, in pixels."""
OWN_SIDE, OWN_OVERLAP = 128, 64
"""The same for a network that scales what it sees by its own statistics: a patch's."""
_AHEAD = 2
"""Batches of tiles that are read while the network is at work."""

Item = TypeVar("Item")
Made = TypeVar("Made")


def compute_probabilities(
    scene: Scene,
    predictor: Predictor,
    folder: Path,
    *,
    clouds: Clouds = "mask",
    progress: Listener | None = None,
) -> Probabilities:
    """The landslide probability of every pixel of a scene.

    Args:
        scene: The scene, open.
        predictor: A model, an ensemble of them, or whatever else predicts.
        folder: Working folder. What an earlier run with the same scene, predictor and
            clouds left there is not computed again.
        clouds: ``mask``: what lies under cloud is not observed, where the bands tell
            clouds; ``keep``: clouds are not looked for.
        progress: Is told how far the work is.

    Raises:
        DataError: If the scene lacks a band, or the folder cannot be written.
        ModelError: If the network gives probabilities that are not finite.
    """
    members = members_of(predictor)
    bands = _bands(scene, members)
    by_patch = any(member.scales_by_itself for member in members)
    side, overlap = (OWN_SIDE, OWN_OVERLAP) if by_patch else (SIDE, OVERLAP)
    tiles = Tiles(scene.size, side, overlap)
    key = {
        "format": FORMAT,
        "scene": scene.fingerprint,
        "size": scene.size,
        "bands": bands,
        "level": scene.level,
        "predictor": describe_predictor(predictor),
        "clouds": clouds,
        "tiles": (side, overlap),
    }
    journal, probabilities = Journal(folder, key), Probabilities(folder, scene.size, scene.grid)
    done = journal.done(STEP)
    carried = done in (0, len(tiles.rows)) or _carry(folder, done).is_file()
    if not (carried and probabilities.there):  # nothing there yet, or somebody deleted a part
        journal.counts.clear()
        probabilities.create()
    if journal.done(STEP) < len(tiles.rows):
        told = Progress(progress)
        cover = find_scene_clouds(scene, folder, clouds, journal, told)
        _Run(scene, members, bands, tiles, cover, probabilities, journal).go(told)
    return probabilities


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A tile that waits for the network.

    Attributes:
        column: Where it starts.
        measured: Pixels that hold data, shape (h, w), bool.
        cloud: Pixels under cloud, likewise.
        patches: What each member takes, padded to the tile; none where nothing is observed.
    """

    column: int
    measured: np.ndarray
    cloud: np.ndarray
    patches: list[Patch]


@dataclass(frozen=True, eq=False)
class _Run:
    """One run over the rows of tiles that are still to do."""

    scene: Scene
    members: Sequence[Member]
    bands: Sequence[str]
    tiles: Tiles
    clouds: CloudReader
    probabilities: Probabilities
    journal: Journal

    def go(self, progress: Progress) -> None:
        rows, columns = self.tiles.rows, self.tiles.columns
        first = self.journal.done(STEP)
        blender = Blender(self.tiles)
        if first:
            kept = np.fromfile(_carry(self.probabilities.folder, first), np.float32)
            blender.carry = kept.reshape(-1, self.tiles.size[1])
        display = any(member.network.config.unit == "display" for member in self.members)
        light = LocalLight(self.scene, self.bands, self.clouds, display)
        height, width = self.tiles.shape
        size = max(1, BATCH_PIXELS // (height * width))
        work = [
            (number, columns[start : start + size])
            for number in range(first, len(rows))
            for start in range(0, len(columns), size)
        ]
        progress.start(STEP, len(rows) * len(columns), first * len(columns))
        measured = np.zeros((height, self.tiles.size[1]), dtype=bool)
        cloud = np.zeros_like(measured)

        def prepare(item: tuple[int, Sequence[int]]) -> list[_Prepared]:
            number, batch = item
            return [self._prepare(light, rows[number], column) for column in batch]

        with closing(_ahead(work, prepare)) as prepared:
            for (number, batch), ready in zip(work, prepared, strict=True):
                for tile, found in zip(ready, self._predict(ready), strict=True):
                    part = Window(0, tile.column, *found.shape).slices
                    measured[part], cloud[part] = tile.measured, tile.cloud
                    blender.add(number, tile.column, found)
                    progress.advance()
                if batch[-1] == columns[-1]:
                    row, whole = blender.finish(number)
                    known = measured[: len(whole)], cloud[: len(whole)]
                    self.probabilities.write(row, whole, *known)
                    self._keep(number + 1, blender.carry)

    def _prepare(self, light: LocalLight, row: int, column: int) -> _Prepared:
        tile = light.tile(self.tiles.window(row, column))
        patches = []
        if tile.patch.observed.any():
            for member in self.members:
                config = member.network.config
                values = self.tiles.pad(tile.in_unit(config.bands, config.unit))
                patches.append(Patch(values, tuple(config.bands), config.unit, self.scene.name))
        return _Prepared(column, tile.measured, tile.cloud, patches)

    def _predict(self, batch: Sequence[_Prepared]) -> list[np.ndarray]:
        """Probabilities of tiles, each of shape (h, w), float32; 0 where nothing is observed."""
        found: list[np.ndarray] = [np.zeros(tile.measured.shape, np.float32) for tile in batch]
        seen = [number for number, tile in enumerate(batch) if tile.patches]
        for place, member in enumerate(self.members):
            patches = [batch[number].patches[place] for number in seen]
            for number, prediction in zip(seen, predict(member.network, patches), strict=True):
                height, width = found[number].shape
                share = np.float32(member.weight)
                found[number] += share * prediction.probability[:height, :width]
        return found

    def _keep(self, done: int, carry: np.ndarray) -> None:
        """Say that so many rows of tiles are done, and keep what they add to the next."""
        folder = self.probabilities.folder
        if done < len(self.tiles.rows):
            write_whole(_carry(folder, done), carry.tobytes())
        self.journal.advance(STEP, done)
        _carry(folder, done - 1).unlink(missing_ok=True)


def _carry(folder: Path, done: int) -> Path:
    """What so many rows of tiles add to the next one."""
    return folder / f"carry-{done}.f32"


def _bands(scene: Scene, members: Sequence[Member]) -> tuple[str, ...]:
    """What has to be read of a scene for networks.

    Raises:
        DataError: If the scene lacks a band, or has another unit than one of them takes.
    """
    configs = [member.network.config for member in members]
    for config in configs:
        scene.require(config.bands)
        one_pixel(scene).in_unit(config.bands, config.unit)
    return tuple(dict.fromkeys(name for config in configs for name in config.bands))


def _ahead(items: Iterable[Item], make: Callable[[Item], Made]) -> Generator[Made, None, None]:
    """What is made of each item, in their order, made in a thread of its own ahead of time."""
    waiting: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(1, thread_name_prefix="tiles")
    try:
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
