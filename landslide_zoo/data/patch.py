"""A patch: what every reader returns and every model takes; and where its pixels lie."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landslide_zoo.data.bands import (
    BAND_NAMES,
    INDICES,
    TRUE_COLOUR,
    Unit,
    display_values,
    normalised_difference,
)
from landslide_zoo.errors import DataError, shown

MIN_SIDE = 32
"""Smallest height and width in pixels: the networks' stride."""
MAX_SIDE = 16_384
"""Largest height or width in pixels: what browsers and picture formats show."""
MAX_PIXELS = 2048 * 2048
"""Largest height x width of one patch: the plain U-Net takes 8 GB for it."""


@dataclass(frozen=True)
class Grid:
    """Coordinate system, transform and pixel size of a patch, a prediction or a scene.

    A Landslide4Sense patch has a grid without place: its file says neither
    where nor when, only that pixels are 10 m wide.

    Attributes:
        pixel_size: Height and width of a pixel on the ground, in metres.
        crs: Coordinate system, as in ``EPSG:32643``; None where the place is not known.
        transform: The affine transform (a, b, c, d, e, f) from column and row to
            coordinates, x = a column + b row + c and y = d column + e row + f;
            None where the place is not known.
    """

    pixel_size: tuple[float, float] = (10.0, 10.0)
    crs: str | None = None
    transform: tuple[float, float, float, float, float, float] | None = None

    @property
    def pixel_area(self) -> float:
        """Area of a pixel in square metres."""
        return self.pixel_size[0] * self.pixel_size[1]

    def hectares(self, pixels: float) -> float:
        """Area of a number of pixels in hectares.

        Example:
            >>> Grid().hectares(150)
            1.5
        """
        return pixels * self.pixel_area / 10_000

    def square_kilometres(self, pixels: float) -> float:
        """Area of a number of pixels in square kilometres."""
        return pixels * self.pixel_area / 1_000_000


UNPLACED = Grid()
"""The grid of a Landslide4Sense patch: 10 m pixels, place unknown."""


@dataclass(frozen=True, repr=False, eq=False)
class Patch:
    """A small multi-band image with, where known, its mask and its place.

    Attributes:
        values: Shape (C, H, W), float32, finite; in physical units (digital
            numbers, degrees, metres) or display values from 0 to 1.
        bands: Name of each of the C bands.
        unit: ``physical`` or ``display``.
        name: The file's full stem, without its last suffix.
        mask: Landslide pixels as 1, others 0, shape (H, W), uint8, or None.
        observed: Pixels that could be seen, shape (H, W), bool; all of them
            where None is given. What is missing, blank or under cloud is neither
            landslide nor free of it.
        grid: Size and, where known, place of the pixels.
    """

    values: np.ndarray
    bands: tuple[str, ...] = BAND_NAMES
    unit: Unit = "physical"
    name: str = "patch"
    mask: np.ndarray | None = None
    observed: np.ndarray = None  # type: ignore[assignment]  # filled in below
    grid: Grid = UNPLACED

    def __post_init__(self) -> None:
        if self.observed is None:
            object.__setattr__(self, "observed", np.ones(self.size, dtype=bool))

    def __repr__(self) -> str:
        height, width = self.size
        return (
            f"Patch({self.name!r}, {len(self.bands)} bands, {height} x {width}, {self.unit}"
            f"{', mask' if self.mask is not None else ''})"
        )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.values.shape[1], self.values.shape[2]

    def select(self, names: Sequence[str]) -> np.ndarray:
        """The named bands, shape (len(names), H, W), float32.

        Raises:
            DataError: If the patch lacks one of them; the message names it.
        """
        missing = [name for name in names if name not in self.bands]
        if missing:
            raise DataError(
                f"{self.name} has no band {', '.join(missing)}; it has {', '.join(self.bands)}."
            )
        return self.values[[self.bands.index(name) for name in names]]

    def in_unit(self, names: Sequence[str], unit: Unit) -> np.ndarray:
        """The named bands in the unit asked for, shape (len(names), H, W), float32.

        Physical true colour can be turned into display values; the reverse
        cannot be done, and no other band has display values.

        Raises:
            DataError: If a band is missing or the unit cannot be had.
        """
        if unit == "physical" and self.unit == "display":
            raise DataError(
                f"{self.name} is a true-colour picture with display values, and this model needs "
                f"physical values of {', '.join(names)}: give it the 14-band .h5 patch, "
                "or choose a model whose name ends in -rgb."
            )
        needed = names if unit == self.unit else TRUE_COLOUR
        return convert_values(self.select(needed)[None], needed, self.unit, names, unit)[0]

    def index(self, name: str) -> np.ndarray:
        """A spectral index such as ``NDVI``, shape (H, W), float32; 0 where both bands are 0.

        Raises:
            DataError: If the patch lacks a band of it, or has display values.
        """
        return normalised_difference(*self.in_unit(INDICES[name], "physical"))


def check_size(path: Path, height: int, width: int) -> None:
    """Refuse a patch that is too small or too large.

    Raises:
        DataError: If its sides or its area are out of bounds.
    """
    if min(height, width) < MIN_SIDE:
        raise DataError(
            f"{shown(path.name)} is {height} x {width} pixels; "
            f"a patch has at least {MIN_SIDE} x {MIN_SIDE}."
        )
    if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
        raise DataError(
            f"{shown(path.name)} is too large for one patch ({height} x {width}): "
            "cut it into parts of at most 2048 x 2048 pixels."
        )


def convert_values(
    values: np.ndarray,
    bands: Sequence[str],
    unit: Unit,
    to_bands: Sequence[str],
    to_unit: Unit,
) -> np.ndarray:
    """The bands asked for, in the unit asked for, shape (N, B, H, W).

    Args:
        values: Shape (N, C, H, W).
        bands: Name of each of the C bands.
        unit: Their unit.
        to_bands: Names of the bands asked for, each among ``bands``.
        to_unit: The unit asked for: that of the values, or ``display``.

    Raises:
        DataError: If a band has no display values.
    """
    if unit != to_unit:
        if not set(to_bands) <= set(TRUE_COLOUR):
            raise DataError(f"Only {', '.join(TRUE_COLOUR)} have display values.")
        places = [bands.index(name) for name in TRUE_COLOUR]
        values, bands = np.stack([display_values(image[places]) for image in values]), TRUE_COLOUR
    return values[:, [bands.index(name) for name in to_bands]]


class Fingerprint:
    """SHA-256 over patches in their order: the same digest means the same data.

    Of each patch its name, its values (C, H, W) as float32 and its mask (H, W)
    as uint8 are counted in; where its files lie, and in which format, are not.

    Example:
        >>> fingerprint = Fingerprint()
        >>> fingerprint.add(Patch(np.zeros((14, 32, 32), np.float32)))
        >>> fingerprint.hexdigest()[:8]
        '655d70ca'
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, patch: Patch) -> None:
        """Count one more patch in."""
        self._digest.update(patch.name.encode())
        self._digest.update(patch.values.astype(np.float32, copy=False).tobytes())
        if patch.mask is not None:
            self._digest.update(patch.mask.tobytes())

    def hexdigest(self) -> str:
        """The digest of all that were added, 64 hexadecimal digits."""
        return self._digest.hexdigest()
