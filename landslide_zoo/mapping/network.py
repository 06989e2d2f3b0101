"""A whole scene through a network, tile by tile, blended without seams."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from landslide_zoo.data.patch import Patch
from landslide_zoo.inference.clouds import Clouds
from landslide_zoo.inference.ensembles import Ensemble
from landslide_zoo.inference.predict import BATCH_PIXELS, Predictor, run_network
from landslide_zoo.inference.tta import TestTimeAugmentation
from landslide_zoo.mapping.clouds import find_scene_clouds, one_pixel
from landslide_zoo.mapping.light import LocalLight, Tile
from landslide_zoo.mapping.probabilities import Listener, Probabilities, Progress, SceneWindow
from landslide_zoo.mapping.rasters import Window
from landslide_zoo.mapping.scenes import Scene
from landslide_zoo.models.config import ModelConfig

STEP = "network"
FORMAT = 4
"""Changes whenever the same scene and network would give other probabilities than before, or
their file is laid out otherwise."""
SIDE, OVERLAP = 512, 64
"""Side of a tile and how far it reaches into the next one, in pixels."""
OWN_SIDE, OWN_OVERLAP = 128, 64
"""The same for a network that scales what it sees by its own statistics: a patch's."""
STRIDE = 32
"""Tiles start at multiples of it: a network sees the same ground alike, however a scene is cut."""
_AHEAD = 2
"""Batches of tiles that are read while the network is at work."""

Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Member:
    """A single network behind a predictor.

    Attributes:
        network: Reads bands in one unit.
        weight: Its share of the answer; those of all members add up to 1.
    """

    network: Predictor
    weight: float

    @property
    def scales_by_itself(self) -> bool:
        """Whether what it finds in a pixel depends on the statistics of the whole tile."""
        config = self.network.config
        return isinstance(config, ModelConfig) and config.scaling.statistics != "train"

    def describe(self) -> dict[str, Any]:
        """Its name, weights and backend, as plain values."""
        network = self.network
        if isinstance(network, TestTimeAugmentation):
            inner = replace(self, network=network.predictor).describe()
            return {**inner, "augmented": "eight orientations"}
        record = getattr(network, "record", None)
        weights = record.weights_sha256 if record else None
        return {
            "name": network.config.name,
            # Of weights that nothing identifies, nothing is used again.
            "weights_sha256": weights or f"unknown {uuid.uuid4().hex}",
            "backend": network.backend,
        }


def members_of(predictor: Predictor) -> list[Member]:
    """The single networks behind a predictor.

    Each is given the values in its own unit: an ensemble of both units would make
    display values of a tile by the tile's own brightest pixel.
    """
    if isinstance(predictor, TestTimeAugmentation):
        inner = members_of(predictor.predictor)
        return [replace(member, network=TestTimeAugmentation(member.network)) for member in inner]
    if not isinstance(predictor, Ensemble):
        return [Member(predictor, 1.0)]
    share = 1 / len(predictor.members)
    inner = [member for part in predictor.members for member in members_of(part)]
    return [replace(member, weight=share * member.weight) for member in inner]


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
            clouds finished there is not computed again.
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
    tiles = Tiles(scene.size, *((OWN_SIDE, OWN_OVERLAP) if by_patch else (SIDE, OVERLAP)))
    # Thresholds and rules are none of the key: they work on the probabilities.
    networks = [
        {
            **member.describe(),
            "weight": member.weight,
            "config": member.network.config.model_dump(mode="json", exclude={"threshold", "rules"}),
        }
        for member in members
    ]
    key = [FORMAT, scene.fingerprint, scene.size, bands, scene.level, networks, clouds, tiles.side]
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    probabilities = Probabilities(folder / f"{digest[:16]}.npy", scene.size, scene.grid)
    if not probabilities.path.is_file():
        steps = Progress(progress)
        cover = find_scene_clouds(scene, folder, clouds, steps)
        display = any(member.network.config.unit == "display" for member in members)
        light = LocalLight(scene, bands, cover, display)
        probabilities.write(_rows(light, members, tiles, steps))
    return probabilities


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A tile that waits for the network.

    Attributes:
        column: Where it starts.
        tile: The tile.
        patches: What each member takes, padded; none where nothing is observed.
    """

    column: int
    tile: Tile
    patches: list[Patch]


def _rows(
    light: LocalLight, members: Sequence[Member], tiles: Tiles, progress: Progress
) -> Iterator[SceneWindow]:
    """The rows of a scene from top to bottom, as its rows of tiles are done."""
    rows, columns = tiles.rows, tiles.columns
    height, width = tiles.shape
    blender = Blender(tiles)
    size = max(1, BATCH_PIXELS // (height * width))
    work = [
        (number, columns[start : start + size])
        for number in range(len(rows))
        for start in range(0, len(columns), size)
    ]
    measured = np.zeros((height, tiles.size[1]), dtype=bool)
    cloud = np.zeros_like(measured)

    def prepare(item: tuple[int, Sequence[int]]) -> list[_Prepared]:
        number, batch = item
        return [_prepare(light, members, tiles, rows[number], column) for column in batch]

    progress.start(STEP, len(rows) * len(columns))
    with closing(_ahead(work, prepare)) as batches:
        for (number, batch), prepared in zip(work, batches, strict=True):
            for tile, probability in zip(prepared, _predict(members, prepared), strict=True):
                part = Window(0, tile.column, *probability.shape).slices
                measured[part], cloud[part] = tile.tile.measured, tile.tile.cloud
                blender.add(number, tile.column, probability)
                progress.advance()
            if batch[-1] == columns[-1]:
                whole = blender.finish(number)
                known = slice(len(whole))
                yield SceneWindow(whole, measured[known] & ~cloud[known], cloud[known])


def _prepare(
    light: LocalLight, members: Sequence[Member], tiles: Tiles, row: int, column: int
) -> _Prepared:
    tile = light.tile(tiles.window(row, column))
    patches = []
    if tile.patch.observed.any():
        for member in members:
            bands, unit = member.network.config.bands, member.network.config.unit
            values = tiles.pad(tile.in_unit(bands, unit))
            patches.append(Patch(values, tuple(bands), unit, tile.patch.name))
    return _Prepared(column, tile, patches)


def _predict(members: Sequence[Member], batch: Sequence[_Prepared]) -> list[np.ndarray]:
    """Probabilities of tiles, each of shape (h, w), float32; 0 where nothing is observed.

    Raises:
        ModelError: If they are not finite.
    """
    sums: list[np.ndarray] = [np.zeros(tile.tile.measured.shape, np.float32) for tile in batch]
    observed = [number for number, tile in enumerate(batch) if tile.patches]
    for place, member in enumerate(members):
        patches = [batch[number].patches[place] for number in observed]
        for number, probability in zip(observed, run_network(member.network, patches), strict=True):
            height, width = sums[number].shape
            sums[number] += np.float32(member.weight) * probability[:height, :width]
    return sums


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


@dataclass(frozen=True)
class Tiles:
    """Square tiles that cover a scene, at places that are fixed in it.

    The last tiles of a row or column may reach beyond the scene by less than
    :data:`STRIDE`, and a tile is as small as a scene allows.

    Attributes:
        size: Height and width of the scene in pixels.
        side: Side of a tile in pixels, a multiple of :data:`STRIDE`.
        overlap: How far a tile reaches into the next one, likewise.
    """

    size: tuple[int, int]
    side: int
    overlap: int

    @property
    def rows(self) -> tuple[int, ...]:
        """First rows of the rows of tiles."""
        return _starts(self.size[0], self.side, self.overlap)

    @property
    def columns(self) -> tuple[int, ...]:
        """First columns of the tiles of a row."""
        return _starts(self.size[1], self.side, self.overlap)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a tile."""
        height, width = (min(self.side, -(-length // STRIDE) * STRIDE) for length in self.size)
        return height, width

    def window(self, row: int, column: int) -> Window:
        """What a tile covers of the scene."""
        return Window(row, column, *self.shape).inside(self.size)

    def pad(self, values: np.ndarray) -> np.ndarray:
        """A tile's values (..., h, w) continued beyond the scene, shape (..., height, width).

        The last row and column are repeated, as a network's own padding does.
        """
        height, width = self.shape
        below, beside = height - values.shape[-2], width - values.shape[-1]
        if not below and not beside:
            return values
        return np.pad(values, [(0, 0)] * (values.ndim - 2) + [(0, below), (0, beside)], mode="edge")


class Blender:
    """Blends tiles, row by row of them, into rows of the scene.

    The weights of the tiles that cover a pixel add up to 1, and no tile ends
    abruptly. At the scene's border its tile alone counts, in full.

    Args:
        tiles: Where the tiles lie.
    """

    def __init__(self, tiles: Tiles) -> None:
        self._tiles = tiles
        height, width = tiles.size
        side_down, side_across = tiles.shape
        self._down = _weights(height, tiles.rows, side_down, tiles.overlap)
        self._across = _weights(width, tiles.columns, side_across, tiles.overlap)
        self._sum = np.zeros((side_down, width), dtype=np.float32)
        self._carry = self._sum[:0]  # what the row of tiles before adds to this one

    def add(self, number: int, column: int, values: np.ndarray) -> None:
        """Add a tile to the row of tiles.

        Args:
            number: Which row of tiles it belongs to, from 0.
            column: Where it starts.
            values: Shape (h, w), inside the scene.
        """
        height, width = values.shape
        across = self._across[self._tiles.columns.index(column)]
        weight = np.outer(self._down[number][:height], across[:width])
        self._sum[:height, column : column + width] += values * weight

    def finish(self, number: int) -> np.ndarray:
        """End a row of tiles: the rows of the scene that are now whole, shape (h, W), float32."""
        starts = (*self._tiles.rows, self._tiles.size[0])
        height = starts[number + 1] - starts[number]
        self._sum[: len(self._carry)] += self._carry
        whole, self._carry = self._sum[:height].copy(), self._sum[height:].copy()
        self._sum[...] = 0
        return whole


def _starts(length: int, side: int, overlap: int) -> tuple[int, ...]:
    """Where tiles start so that they cover a length; the last as early as it can."""
    last = max(0, -(-(length - side) // STRIDE) * STRIDE)
    return (*range(0, last, side - overlap), last)


def _weights(length: int, starts: tuple[int, ...], side: int, overlap: int) -> list[np.ndarray]:
    """How much each of the tiles that overlap counts along a side; together 1 everywhere."""
    ramp = (np.arange(overlap) + 0.5) / max(overlap, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    profiles = []
    for number in range(len(starts)):
        profile = np.ones(side)
        if number > 0:
            profile[:overlap] *= ramp
        if number + 1 < len(starts):
            profile[side - overlap :] *= ramp[::-1]
        profiles.append(profile)
    total = np.zeros(max(length, starts[-1] + side))
    for start, profile in zip(starts, profiles, strict=True):
        total[start : start + side] += profile
    return [
        (profile / total[start : start + side]).astype(np.float32)
        for start, profile in zip(starts, profiles, strict=True)
    ]
