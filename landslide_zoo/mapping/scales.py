"""What the numbers of a raster mean: digital numbers, reflectance, or a picture's levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR, Unit, band
from landslide_zoo.data.checks import FEW_BANDS
from landslide_zoo.errors import DataError, quoted
from landslide_zoo.mapping.layers import Layer
from landslide_zoo.mapping.metadata import OFFSET, QUANTIFICATION
from landslide_zoo.mapping.naming import OPTICAL
from landslide_zoo.mapping.windows import windows_from_the_middle

Scale = Literal["DN", "reflectance", "percent", "landslide4sense", "display"]
"""Digital numbers (reflectance x 10,000); reflectance from 0 to 1, or in per cent; values over
the divisors of Landslide4Sense, as its files hold them; levels of a true-colour picture."""

_FACTORS: dict[Scale, float] = {"DN": 1.0, "reflectance": 1e4, "percent": 100.0}
_ENOUGH = 20_000
"""Pixels by which the values are judged."""


@dataclass
class Radiometry:
    """How stored values become physical values or display values.

    Attributes:
        unit: What they become.
        gains: What they are multiplied by, by band.
        offsets: What is added then, by band.
        notes: What was taken for granted, a sentence each.
    """

    unit: Unit = "physical"
    gains: dict[str, float] = field(default_factory=dict)
    offsets: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def radiometry_of(
    name: str, layers: Sequence[Layer], scale: Scale | None, offset: float | None
) -> Radiometry:
    """What the numbers of a scene without a product's metadata mean.

    Args:
        name: Of the scene, for sentences.
        layers: Its rasters, read as they are stored.
        scale: What the numbers are; told from type, metadata and values where None.
        offset: What is to be added to digital numbers; 0 where None.

    Raises:
        DataError: If the numbers do not tell, or cannot be what was given.
    """
    if scale is not None and scale not in get_args(Scale):
        raise DataError(
            f"There is no scale {quoted(scale)}: choose among {', '.join(get_args(Scale))}."
        )
    optical = [layer for layer in layers if OPTICAL & set(layer.indexes)]
    kind = np.result_type(*(layer.dataset.dtypes[0] for layer in optical))
    if scale == "display" or (scale is None and kind == np.uint8):
        return _display(name, optical, kind)
    if scale is None and (written := _written(optical)):
        return written
    bands, sample = _sample(optical)
    radiometry = Radiometry()
    if scale is None:
        scale = _told_by(name, bands, sample) if kind.kind == "f" else "DN"
        if scale == "display":
            return _display(name, optical, kind)
        if scale != "DN":
            radiometry.notes.append(f"The values of {name} were taken for {_TITLES[scale]}.")
    if scale == "landslide4sense":
        held = {each for layer in layers for each in layer.indexes if each in BAND_NAMES}
        radiometry.gains = {each: band(each).divisor for each in held}
    elif scale != "DN":
        radiometry.gains = dict.fromkeys(bands, _FACTORS[scale])
    if offset:
        radiometry.offsets = dict.fromkeys(bands, offset)
    elif offset is None and scale == "DN" and _seems_offset(sample):
        radiometry.notes.append(
            f"All values of {name} lie above 1000: if it is of processing baseline 04.00 or "
            "later and its offset was not undone, give the offset -1000."
        )
    return radiometry


_TITLES = {
    "reflectance": "reflectance from 0 to 1",
    "percent": "reflectance in per cent",
    "landslide4sense": "digital numbers over the divisors of Landslide4Sense",
}


def _display(name: str, optical: Sequence[Layer], kind: np.dtype) -> Radiometry:
    bands = [each for layer in optical for each in layer.indexes if each in OPTICAL]
    if set(bands) != set(TRUE_COLOUR):
        raise DataError(
            f"{name} holds levels of a picture, and only true colour ({', '.join(TRUE_COLOUR)}) "
            f"can be taken from one; it has {', '.join(bands)}: give the digital numbers instead."
        )
    highest = float(np.iinfo(kind).max) if kind.kind == "u" else 1.0
    return Radiometry("display", gains=dict.fromkeys(TRUE_COLOUR, 1 / highest))


def _written(optical: Sequence[Layer]) -> Radiometry | None:
    """Scale and offset as the rasters themselves state them, for reflectance or digital numbers."""
    stated = {
        name: (layer.dataset.scales[i - 1], layer.dataset.offsets[i - 1])
        for layer in optical
        for name, i in layer.indexes.items()
        if name in OPTICAL
    }
    if set(stated.values()) == {(1.0, 0.0)}:
        return None
    radiometry = Radiometry()
    for name, (gain, offset) in stated.items():
        factor = QUANTIFICATION if gain < 0.01 else 1.0
        radiometry.gains[name], radiometry.offsets[name] = gain * factor, offset * factor
    return radiometry


def _told_by(name: str, bands: Sequence[str], sample: np.ndarray) -> Scale:
    """Which scale real numbers have, judged by the usual values of each band."""
    if not sample.size:
        return "DN"
    median, high = np.median(sample, axis=1), float(np.percentile(sample, 99))
    if len(bands) >= FEW_BANDS:
        usual = np.array([band(each).mean for each in bands])
        factors: dict[Scale, np.ndarray | float] = {
            **_FACTORS,
            "landslide4sense": np.array([band(each).divisor for each in bands]),
        }
        distances = {
            each: float(np.abs(np.log10(np.maximum(median * factor, 0.1) / usual)).mean())
            for each, factor in factors.items()
        }
        return min(distances, key=lambda each: distances[each])
    levels = sample * 255
    if set(bands) == set(TRUE_COLOUR) and high <= 1 and np.allclose(levels, levels.round()):
        return "display"
    if high > 100:
        return "DN"
    if high <= 2:
        return "reflectance"
    raise DataError(
        f"The values of {name} lie below {high:.3g}, and it is not plain what they are: "
        f"give their scale ({', '.join(get_args(Scale))})."
    )


def _seems_offset(sample: np.ndarray) -> bool:
    """Whether no band has dark pixels, as where 1000 was added to all of them."""
    return bool(sample.size and np.percentile(sample, 0.1, axis=1).min() >= -OFFSET)


def _sample(optical: Sequence[Layer]) -> tuple[list[str], np.ndarray]:
    """The optical bands, and values of them where all have some, shape (B, N).

    Raises:
        DataError: If a file is damaged.
    """
    bands = [[each for each in layer.indexes if each in OPTICAL] for layer in optical]
    found: list[np.ndarray] = []
    target = optical[0].target
    for window in windows_from_the_middle((target.height, target.width)):
        parts = [layer.read(window, names) for layer, names in zip(optical, bands, strict=True)]
        values = np.concatenate([part.values for part in parts])
        blank = np.logical_and.reduce([part.blank for part in parts])
        found.append(values[:, ~blank & np.isfinite(values).all(axis=0)])
        if sum(each.shape[1] for each in found) >= _ENOUGH:
            break
    return [name for names in bands for name in names], np.concatenate(found, axis=1)
