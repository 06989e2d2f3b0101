"""A patch: what every reader returns and every model takes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from landslide_zoo.data.bands import BAND_NAMES, INDICES, TRUE_COLOUR, Unit, display_values
from landslide_zoo.data.grid import UNPLACED, Grid
from landslide_zoo.errors import DataError


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
        filled: How many values were missing and were filled with the median of
            their band, for the network alone: their pixels are not observed.
        notes: What its reader noticed, a sentence each.
    """

    values: np.ndarray
    bands: tuple[str, ...] = BAND_NAMES
    unit: Unit = "physical"
    name: str = "patch"
    mask: np.ndarray | None = None
    observed: np.ndarray = None  # type: ignore[assignment]  # filled in below
    grid: Grid = UNPLACED
    filled: int = 0
    notes: tuple[str, ...] = ()

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
        return INDICES[name].of(*self.in_unit(INDICES[name].bands, "physical"))


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
        values, bands = np.stack([display_values(one[places]) for one in values]), TRUE_COLOUR
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
