"""Clouds and their shadows, found by the networks of ``ukis-csmask`` in Sentinel-2 bands.

The networks (DLR, Apache-2.0, github.com/dlr-eoc/ukis-csmask) come with that package as ONNX
files. Each is compiled once and kept: the package's own class loads its network for every image
and runs four tiles of 256 x 256 where a patch fits in a smaller one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

import numpy as np

from landslide_zoo.data.bands import band
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import DataError, ModelError

if TYPE_CHECKING:
    from openvino import InferRequest

Clouds = Literal["mask", "keep"]
"""``mask``: what lies under cloud is not observed, where the bands tell clouds; ``keep``: clouds
are not looked for."""
Level = Literal["L1C", "L2A"]
"""Product level of Sentinel-2: reflectance at the top of the atmosphere, or at the ground."""

CLOUD, SHADOW = 1, 2
"""Classes beside 0, clear."""

NEEDED = ("B2", "B3", "B4", "B8")
"""Bands without which clouds cannot be told."""
SHORT_WAVE = ("B11", "B12")
"""Bands with which they are told better."""
_TILE, _STEP = 256, 205
"""Side of the tiles that the networks were trained on, and from one to the next: a fifth
overlaps."""
_LEAST, _MIRRORED, _STRIDE = 160, 32, 32
"""Least side of a smaller patch's tile, pixels mirrored at its far edges, and what a side is a
multiple of. On the real patches 160 for 128 differs from 256 in fewer pixels (0.06 %) than 256
does from itself with the patch in its middle (0.10 %), and takes a third of the time."""


@dataclass(frozen=True)
class CloudNetwork:
    """One of the four networks, ready to run; threads may call it at once.

    Attributes:
        request: The compiled network, which computes one tile at a time on all cores.
        mean: Mean of each band, reflectance, shape (B, 1, 1).
        std: Standard deviation of each band, shape (B, 1, 1).
    """

    request: InferRequest
    mean: np.ndarray
    std: np.ndarray
    _lock: Lock = field(default_factory=Lock)

    def classify(self, reflectance: np.ndarray) -> np.ndarray:
        """Clear 0, cloud 1 or shadow 2 of every pixel, shape (H, W), uint8.

        Args:
            reflectance: Shape (B, H, W), 0 to about 1; any size.
        """
        size = reflectance.shape[1:]
        values = ((reflectance - self.mean) / self.std).astype(np.float32)
        tile = [_tile_side(side) for side in size]
        beyond = [(0, max(0, t - side)) for t, side in zip(tile, size, strict=True)]
        values = np.pad(values, ((0, 0), *beyond), mode="symmetric")
        # The middle of a tile counts more than its edge, where the network sees less.
        weight = np.outer(*(np.hanning(t + 2)[1:-1].astype(np.float32) for t in tile))
        total = np.zeros((3, *values.shape[1:]), dtype=np.float32)
        for top in _starts(values.shape[1], tile[0]):
            for left in _starts(values.shape[2], tile[1]):
                window = np.s_[:, top : top + tile[0], left : left + tile[1]]
                total[window] += self._shares(values[window]) * weight
        return total.argmax(axis=0)[: size[0], : size[1]].astype(np.uint8)

    def _shares(self, tile: np.ndarray) -> np.ndarray:
        """Shares of the three classes of every pixel of a tile (B, H, W), shape (3, H, W)."""
        with self._lock:
            (scores,) = self.request.infer([tile[None]]).values()
        odds = np.exp(scores[0] - scores[0].max(axis=0))
        return odds / odds.sum(axis=0)


def cloud_note(clouds: np.ndarray) -> str | None:
    """How much of a patch is under cloud, in a sentence; None where nothing is.

    Args:
        clouds: Pixels under cloud, shape (H, W), bool.

    Example:
        >>> cloud_note(np.array([[False, True], [False, False]]))
        '25 % of this patch is under cloud.'
    """
    share = 100 * clouds.mean()
    if not share:
        return None
    amount = f"{share:.0f} %" if share >= 1 else "Less than 1 %"
    return f"{amount} of this patch is under cloud."


def why_no_clouds(patch: Patch) -> str | None:
    """Why clouds cannot be told in a patch, in a sentence; None where they can."""
    if patch.unit != "physical":
        return "Clouds cannot be told in a true-colour picture: its values are not reflectance."
    missing = [name for name in NEEDED if name not in patch.bands]
    if missing:
        return f"Clouds cannot be told without {', '.join(missing)}."
    return None


def product_level(patch: Patch) -> Level:
    """The product level that a patch's bands speak for.

    Level-2A has no B10. Where there is no short-wave infrared either, nothing
    tells, and Level-1C is taken.
    """
    return "L2A" if "B10" not in patch.bands and "B11" in patch.bands else "L1C"


def find_clouds(patch: Patch, level: Level | None = None) -> np.ndarray:
    """The pixels of a patch that are under cloud, shape (H, W), bool.

    Args:
        patch: Digital numbers (reflectance x 10,000) of B2, B3, B4, B8 and,
            better, B11 and B12.
        level: Product level; told from the bands where None.

    Raises:
        DataError: If the bands do not allow it.
        ModelError: If the networks are not installed.
    """
    reason = why_no_clouds(patch)
    if reason:
        raise DataError(f"{patch.name}: {reason}")
    more = SHORT_WAVE if set(SHORT_WAVE) <= set(patch.bands) else ()
    with _loading:  # not twice where two ask for it at once
        network = _network(len(NEEDED) + len(more), level or product_level(patch))
    return network.classify(patch.select((*NEEDED, *more)) / 10_000) == CLOUD


def without_clouds(patch: Patch, clouds: np.ndarray) -> Patch:
    """The patch with its clouds not observed; a scar in their shadow is still a scar.

    A cloud's values are lowered to the brightest that is observed, band by band:
    the network scales a patch by its maximum, and under a cloud's the ground
    would be black.

    Args:
        patch: As it was read.
        clouds: Its clouds, from :func:`find_clouds`.
    """
    observed = patch.observed & ~clouds
    if not clouds.any() or not observed.any():
        return replace(patch, observed=observed)
    values = patch.values.copy()
    for i, name in enumerate(patch.bands):
        if band(name).unit == "DN":
            values[i][clouds] = np.minimum(values[i][clouds], values[i][observed].max())
    return replace(patch, values=values, observed=observed)


_loading = Lock()


@cache
def _network(bands: int, level: Level) -> CloudNetwork:
    spec = find_spec("ukis_csmask")
    if spec is None or spec.origin is None:
        raise ModelError("Clouds need the package ukis-csmask: pip install ukis-csmask.")
    from landslide_zoo.inference.backends import compile_onnx  # which imports what masks clouds

    file = Path(spec.origin).with_name(f"model_{bands}b_{level.lower()}.onnx")
    described = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    mean, std = described["data"]["dataset_statistics"]["img"]
    return CloudNetwork(
        request=compile_onnx(file, (1, bands, -1, -1)).create_infer_request(),
        mean=np.array(mean, dtype=np.float32)[:, None, None],
        std=np.array(std, dtype=np.float32)[:, None, None],
    )


def _tile_side(length: int) -> int:
    """Side of the tiles along a length: as trained, or as small as the length allows."""
    return min(_TILE, max(_LEAST, -(-(length + _MIRRORED) // _STRIDE) * _STRIDE))


def _starts(length: int, tile: int) -> Iterator[int]:
    """Where tiles start so that they cover a length, the last flush with its end."""
    yield from range(0, length - tile, _STEP)
    yield length - tile
