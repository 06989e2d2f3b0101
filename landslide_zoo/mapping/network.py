"""A whole scene through a network, tile by tile, blended without seams."""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from landslide_zoo.data.patch import Patch
from landslide_zoo.inference.ensembles import Ensemble, TestTimeAugmentation
from landslide_zoo.inference.predict import BATCH_PIXELS, Predictor, run_network
from landslide_zoo.mapping.clouds import find_scene_clouds, one_pixel
from landslide_zoo.mapping.light import LocalLight, Tile
from landslide_zoo.mapping.probabilities import Listener, Probabilities, Progress
from landslide_zoo.models.config import ModelConfig
from landslide_zoo.scenes.rasters import Window
from landslide_zoo.scenes.scene import Scene
from landslide_zoo.settings import Clouds

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
        network, further = self.network, {}
        if isinstance(network, TestTimeAugmentation):
            network, further = network.predictor, {"augmented": "eight orientations"}
        record = getattr(network, "record", None)
        weights = record.weights_sha256 if record else None
        return {
            "name": network.config.name,
            # Of weights that nothing identifies, nothing is used again.
            "weights_sha256": weights or f"unknown {uuid.uuid4().hex}",
            "backend": network.backend,
            **further,
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
        probabilities.write(*_blend(light, members, tiles, steps))
    return probabilities


def _blend(
    light: LocalLight, members: Sequence[Member], tiles: Tiles, progress: Progress
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities of a scene, and which pixels hold data, and lie under cloud; all (H, W)."""
    windows = list(tiles)
    size = max(1, BATCH_PIXELS // math.prod(tiles.shape))
    batches = [windows[start : start + size] for start in range(0, len(windows), size)]
    probability = np.zeros(tiles.size, np.float32)
    measured, cloud = (np.zeros(tiles.size, dtype=bool) for _ in range(2))
    progress.start(STEP, len(windows))
    with closing(_ahead(batches, lambda batch: list(map(light.tile, batch)))) as prepared:
        for batch, ready in zip(batches, prepared, strict=True):
            answers = _predict(members, tiles, ready)
            for window, tile, answer in zip(batch, ready, answers, strict=True):
                place = window.slices
                probability[place] += tiles.weight(window) * answer
                measured[place], cloud[place] = tile.measured, tile.cloud
                progress.advance()
    return probability, measured, cloud


def _predict(members: Sequence[Member], tiles: Tiles, batch: Sequence[Tile]) -> list[np.ndarray]:
    """Probabilities of tiles, each of shape (h, w), float32; 0 where nothing is observed.

    Raises:
        ModelError: If they are not finite.
    """
    answers: list[np.ndarray] = [np.zeros(tile.measured.shape, np.float32) for tile in batch]
    observed = [number for number, tile in enumerate(batch) if tile.patch.observed.any()]
    for member in members:
        bands, unit = tuple(member.network.config.bands), member.network.config.unit
        patches = [
            Patch(
                tiles.pad(batch[number].in_unit(bands, unit)), bands, unit, batch[number].patch.name
            )
            for number in observed
        ]
        for number, answer in zip(observed, run_network(member.network, patches), strict=True):
            height, width = answers[number].shape
            answers[number] += np.float32(member.weight) * answer[:height, :width]
    return answers


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
    """Square tiles that cover a scene, at places that are fixed in it, and blend without seams.

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

    def __iter__(self) -> Iterator[Window]:
        """What each tile covers of the scene, row by row."""
        down, across = self._weights
        for row in down:
            for column in across:
                yield Window(row, column, *self.shape).inside(self.size)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a tile."""
        height, width = (min(self.side, -(-length // STRIDE) * STRIDE) for length in self.size)
        return height, width

    def weight(self, window: Window) -> np.ndarray:
        """How much each pixel of a tile counts, shape (h, w), float32.

        The weights of the tiles that cover a pixel add up to 1, and no tile ends
        abruptly. At the scene's border its tile alone counts, in full.
        """
        down, across = self._weights[0][window.row], self._weights[1][window.column]
        return np.outer(down[: window.height], across[: window.width])

    def pad(self, values: np.ndarray) -> np.ndarray:
        """A tile's values (..., h, w) continued beyond the scene, shape (..., height, width).

        The last row and column are repeated, as a network's own padding does.
        """
        below, beside = np.subtract(self.shape, values.shape[-2:])
        if not below and not beside:
            return values
        return np.pad(values, [(0, 0)] * (values.ndim - 2) + [(0, below), (0, beside)], mode="edge")

    @cached_property
    def _weights(self) -> list[dict[int, np.ndarray]]:
        """Weights along the rows and columns of tiles, by where the tiles start."""
        return [
            _weights(length, side, self.overlap)
            for length, side in zip(self.size, self.shape, strict=True)
        ]


def _weights(length: int, side: int, overlap: int) -> dict[int, np.ndarray]:
    """How much each of the tiles that overlap counts along a side; together 1 everywhere."""
    last = max(0, -(-(length - side) // STRIDE) * STRIDE)
    starts = [*range(0, last, max(STRIDE, side - overlap)), last]  # the last as early as it can
    ramp = (np.arange(overlap) + 0.5) / max(overlap, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    total, profiles = np.zeros(max(length, last + side)), {}
    for start in starts:
        profile = np.ones(side)
        if start > 0:
            profile[:overlap] *= ramp
        if start < last:
            profile[side - overlap :] *= ramp[::-1]
        profiles[start] = profile
        total[start : start + side] += profile
    return {
        start: (profile / total[start : start + side]).astype(np.float32)
        for start, profile in profiles.items()
    }
