"""Clouds and their shadows, found by the networks of ``ukis-csmask`` in Sentinel-2 bands.

The networks (DLR, Apache-2.0, github.com/dlr-eoc/ukis-csmask) come with that package as ONNX
files. Each is loaded once and kept: the package's own class loads its network for every image
and runs four tiles where a patch fits in one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from landslide_zoo.data.bands import band
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import DataError, ModelError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Level = Literal["L1C", "L2A"]
"""Product level of Sentinel-2: reflectance at the top of the atmosphere, or at the ground."""

CLOUD, SHADOW = 1, 2
"""Classes beside 0, clear."""

NEEDED = ("B2", "B3", "B4", "B8")
"""Bands without which clouds cannot be told."""
_SHORT_WAVE = ("B11", "B12")
_TILE, _STEP = 256, 205
"""Side of the networks' input, and from one tile to the next: a fifth overlaps."""


@dataclass(frozen=True)
class CloudNetwork:
    """One of the four networks, ready to run.

    Attributes:
        session: The loaded network.
        mean: Mean of each band, reflectance, shape (B, 1, 1).
        std: Standard deviation of each band, shape (B, 1, 1).
    """

    session: InferenceSession
    mean: np.ndarray
    std: np.ndarray

    def classify(self, reflectance: np.ndarray) -> np.ndarray:
        """Clear 0, cloud 1 or shadow 2 of every pixel, shape (H, W), uint8.

        Args:
            reflectance: Shape (B, H, W), 0 to about 1; any size.
        """
        _, height, width = reflectance.shape
        values = ((reflectance - self.mean) / self.std).astype(np.float32)
        below, beside = max(0, _TILE - height), max(0, _TILE - width)
        values = np.pad(values, ((0, 0), (0, below), (0, beside)), mode="symmetric")
        rows, columns = values.shape[1:]
        # The middle of a tile counts more than its edge, where the network sees less.
        ramp = np.hanning(_TILE + 2)[1:-1].astype(np.float32)
        weight = np.outer(ramp, ramp)
        total = np.zeros((3, rows, columns), dtype=np.float32)
        name = self.session.get_inputs()[0].name
        for top in _starts(rows):
            for left in _starts(columns):
                tile = values[None, :, top : top + _TILE, left : left + _TILE]
                (scores,) = self.session.run(None, {name: np.ascontiguousarray(tile)})
                odds = np.exp(scores[0] - scores[0].max(axis=0))
                share = odds / odds.sum(axis=0) * weight
                total[:, top : top + _TILE, left : left + _TILE] += share
        return total.argmax(axis=0)[:height, :width].astype(np.uint8)


@dataclass(frozen=True, eq=False)
class CloudMask:
    """Where a patch is under clouds and in their shadows.

    Attributes:
        classes: 0 clear, 1 cloud, 2 shadow, shape (H, W), uint8.
        level: Product level that the bands were taken for.
    """

    classes: np.ndarray
    level: Level

    @property
    def cloud(self) -> np.ndarray:
        """Pixels under cloud, shape (H, W), bool."""
        return self.classes == CLOUD

    @property
    def shadow(self) -> np.ndarray:
        """Pixels in a cloud's shadow, shape (H, W), bool."""
        return self.classes == SHADOW

    @property
    def share(self) -> float:
        """Share of the patch under cloud, 0 to 1."""
        return float(self.cloud.mean())

    def sentence(self) -> str:
        """What to tell a reader.

        Example:
            >>> CloudMask(np.array([[0, 1], [0, 0]]), "L1C").sentence()
            '25 % of this patch is under cloud.'
        """
        share = 100 * self.share
        amount = f"{share:.0f} %" if share >= 1 or share == 0 else "Less than 1 %"
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


def find_clouds(patch: Patch, level: Level | None = None) -> CloudMask:
    """Find the clouds and cloud shadows of a patch.

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
    level = level or product_level(patch)
    more = _SHORT_WAVE if set(_SHORT_WAVE) <= set(patch.bands) else ()
    network = _network(len(NEEDED) + len(more), level)
    return CloudMask(network.classify(patch.select((*NEEDED, *more)) / 10_000), level)


def without_clouds(patch: Patch, clouds: CloudMask, shadows: bool = False) -> Patch:
    """The patch with its clouds not observed.

    A cloud's values are lowered to the brightest that is observed, band by band:
    the network scales a patch by its maximum, and under a cloud's the ground
    would be black.

    Args:
        patch: As it was read.
        clouds: Its clouds, from :func:`find_clouds`.
        shadows: Whether what lies in shadow is left out as well. A scar in
            shadow is still a scar, so it is not by default.
    """
    hidden = clouds.cloud | clouds.shadow if shadows else clouds.cloud
    observed = patch.observed & ~hidden
    if not hidden.any() or not observed.any():
        return replace(patch, observed=observed)
    values = patch.values.copy()
    for i, name in enumerate(patch.bands):
        if band(name).unit == "DN":
            values[i][hidden] = np.minimum(values[i][hidden], values[i][observed].max())
    return replace(patch, values=values, observed=observed)


@cache
def _network(bands: int, level: Level) -> CloudNetwork:
    spec = find_spec("ukis_csmask")
    if spec is None or spec.origin is None:
        raise ModelError("Clouds need the package ukis-csmask: pip install ukis-csmask.")
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError("Clouds need the package onnxruntime: pip install onnxruntime.") from error
    file = Path(spec.origin).with_name(f"model_{bands}b_{level.lower()}.onnx")
    described = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    mean, std = described["data"]["dataset_statistics"]["img"]
    return CloudNetwork(
        session=onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"]),
        mean=np.array(mean, dtype=np.float32)[:, None, None],
        std=np.array(std, dtype=np.float32)[:, None, None],
    )


def _starts(length: int) -> Iterator[int]:
    """Where tiles start so that they cover a length, the last flush with its end."""
    last = length - _TILE
    yield from range(0, last, _STEP)
    yield last
