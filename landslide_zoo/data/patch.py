"""A patch: what every reader returns and every model takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from landslide_zoo.data.bands import BAND_NAMES, INDICES, TRUE_COLOUR, Unit, display_values
from landslide_zoo.errors import DataError


@dataclass(frozen=True)
class Patch:
    """A small multi-band image with, where known, its mask.

    Attributes:
        values: Shape (C, H, W), float32, finite; in physical units (digital
            numbers, degrees, metres) or display values from 0 to 1.
        bands: Name of each of the C bands.
        unit: ``physical`` or ``display``.
        name: The file's full stem, without its last suffix.
        mask: Landslide pixels as 1, others 0, shape (H, W), uint8, or None.
        filled: How many values were missing (NaN or Inf) and were filled with
            the median of their band.
        synthetic: Whether the patch was generated, not observed.
    """

    values: np.ndarray
    bands: tuple[str, ...] = BAND_NAMES
    unit: Unit = "physical"
    name: str = "patch"
    mask: np.ndarray | None = None
    filled: int = 0
    synthetic: bool = False

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
        if unit == self.unit:
            return self.select(names)
        if unit == "physical":
            raise DataError(
                f"{self.name} is a true-colour picture with display values, and this model needs "
                f"physical values of {', '.join(names)}: give it the 14-band .h5 patch, "
                "or choose a model whose name ends in -rgb."
            )
        if not set(names) <= set(TRUE_COLOUR):
            raise DataError(f"Only {', '.join(TRUE_COLOUR)} have display values.")
        shown = display_values(self.select(TRUE_COLOUR))
        return shown[[TRUE_COLOUR.index(name) for name in names]]

    def index(self, name: str) -> np.ndarray:
        """A spectral index such as ``NDVI``, shape (H, W), float32; 0 where both bands are 0.

        Raises:
            DataError: If the patch lacks a band of it, or has display values.
        """
        first, second = self.in_unit(INDICES[name].bands, "physical")
        total = first + second
        return (first - second) / np.where(total == 0, 1, total)
