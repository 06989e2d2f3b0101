"""Clouds and their shadows, found by the networks of ``ukis-csmask`` in Sentinel-2 bands.

The networks (DLR, Apache-2.0, github.com/dlr-eoc/ukis-csmask) come with that package as ONNX
files. Each is compiled once and kept: the package's own class loads its network for every image
and runs four tiles of 256 x 256 where a patch fits in a smaller one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np

from landslide_zoo.data.bands import band
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import DataError, ModelError
from landslide_zoo.settings import Level

if TYPE_CHECKING:
    from openvino import InferRequest

CLOUD = 1
"""The networks' class of clouds; 0 is clear and 2 their shadows, where a scar is still a scar."""

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


class CloudMasker(Protocol):
    """Finds clouds in Sentinel-2 bands; give one to ``predict`` as its ``clouds``."""

    name: str
    resolution: float
    """Pixel size in metres that it is made for; much finer scenes are averaged to it."""

    def bands(self, available: Collection[str]) -> tuple[str, ...]:
        """The bands that it reads of those available, or all that it needs where some lack."""

    def __call__(self, reflectance: np.ndarray, level: Level) -> np.ndarray:
        """Pixels under cloud, shape (H, W), bool.

        Args:
            reflectance: The bands, shape (B, H, W), 0 to about 1; any size.
            level: Product level.
        """


class CSMask:
    """The cloud networks of ``ukis-csmask``; threads may call them at once."""

    name = "ukis-csmask"
    resolution = 30.0

    def bands(self, available: Collection[str]) -> tuple[str, ...]:
        """B2, B3, B4, B8 and, where both are there, the short-wave infrared."""
        return NEEDED + (SHORT_WAVE if set(SHORT_WAVE) <= set(available) else ())

    def __call__(self, reflectance: np.ndarray, level: Level) -> np.ndarray:
        """Pixels under cloud, shape (H, W), bool."""
        with _lock:  # one network at a time, on all cores
            request, mean, std = _network(len(reflectance), level)
            size = reflectance.shape[1:]
            values = ((reflectance - mean) / std).astype(np.float32)
            tile = [_tile_side(side) for side in size]
            beyond = [(0, max(0, t - side)) for t, side in zip(tile, size, strict=True)]
            values = np.pad(values, ((0, 0), *beyond), mode="symmetric")
            # The middle of a tile counts more than its edge, where the network sees less.
            weight = np.outer(*(np.hanning(t + 2)[1:-1].astype(np.float32) for t in tile))
            total = np.zeros((3, *values.shape[1:]), dtype=np.float32)
            for top in _starts(values.shape[1], tile[0]):
                for left in _starts(values.shape[2], tile[1]):
                    window = np.s_[:, top : top + tile[0], left : left + tile[1]]
                    (scores,) = request.infer([values[window][None]]).values()
                    odds = np.exp(scores[0] - scores[0].max(axis=0))
                    total[window] += odds / odds.sum(axis=0) * weight
        return total.argmax(axis=0)[: size[0], : size[1]] == CLOUD


CSMASK = CSMask()


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


def why_no_clouds(patch: Patch, masker: CloudMasker = CSMASK) -> str | None:
    """Why clouds cannot be found in a patch, in a sentence; None where they can."""
    if patch.unit != "physical":
        return "Clouds cannot be found in a true-colour picture: its values are not reflectance."
    missing = [name for name in masker.bands(patch.bands) if name not in patch.bands]
    if missing:
        return f"Clouds cannot be found without {', '.join(missing)}."
    return None


def product_level(patch: Patch) -> Level:
    """The product level that a patch's bands speak for.

    Level-2A has no B10. Where there is no short-wave infrared either, nothing
    tells, and Level-1C is taken.
    """
    return "L2A" if "B10" not in patch.bands and "B11" in patch.bands else "L1C"


def find_clouds(
    patch: Patch, level: Level | None = None, masker: CloudMasker = CSMASK
) -> np.ndarray:
    """The pixels of a patch that are under cloud, shape (H, W), bool.

    Args:
        patch: Digital numbers (reflectance x 10,000) of the bands that the masker reads.
        level: Product level; detected from the bands where None.
        masker: What finds them.

    Raises:
        DataError: If the bands do not allow it.
        ModelError: If the networks are not installed.
    """
    reason = why_no_clouds(patch, masker)
    if reason:
        raise DataError(f"{patch.name}: {reason}")
    bands = masker.bands(patch.bands)
    return masker(patch.select(bands) / 10_000, level or product_level(patch))


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


_lock = Lock()


@cache
def _network(bands: int, level: Level) -> tuple[InferRequest, np.ndarray, np.ndarray]:
    """A compiled network, and mean and standard deviation of its bands, each (B, 1, 1)."""
    spec = find_spec("ukis_csmask")
    if spec is None or spec.origin is None:
        raise ModelError("Clouds need the package ukis-csmask: pip install ukis-csmask.")
    from landslide_zoo.inference.backends import compile_onnx  # which imports what masks clouds

    file = Path(spec.origin).with_name(f"model_{bands}b_{level.lower()}.onnx")
    described = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    statistics = np.array(described["data"]["dataset_statistics"]["img"], dtype=np.float32)
    request = compile_onnx(file, (1, bands, -1, -1)).create_infer_request()
    return request, *statistics[..., None, None]


def _tile_side(length: int) -> int:
    """Side of the tiles along a length: as trained, or as small as the length allows."""
    return min(_TILE, max(_LEAST, -(-(length + _MIRRORED) // _STRIDE) * _STRIDE))


def _starts(length: int, tile: int) -> Iterator[int]:
    """Where tiles start so that they cover a length, the last flush with its end."""
    yield from range(0, length - tile, _STEP)
    yield length - tile
