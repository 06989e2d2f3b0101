"""Augmentation of patches and their masks, drawn from a generator that is passed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from landslide_zoo.data.bands import Unit, band


@dataclass(frozen=True)
class Augmentation:
    """Random changes that leave the landslides what they are.

    Attributes:
        flips: Whether to flip and turn by quarters, all eight ways alike (by halves, four
            ways, where a patch is no square).
        brightness: Largest relative change of all optical bands together; 0 for none.
            Terrain is only turned.
    """

    flips: bool = True
    brightness: float = 0.0

    def __call__(
        self,
        values: np.ndarray,
        mask: np.ndarray,
        bands: Sequence[str],
        unit: Unit,
        random: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Change a patch and its mask; neither is changed in place.

        Args:
            values: Shape (C, H, W).
            mask: Shape (H, W), of any number type, which it keeps.
            bands: Names of the C bands.
            unit: Unit of the values; display values stay within 0 and 1.
            random: Source of the randomness.

        Returns:
            Values (C, H, W), float32, and the mask (H, W).
        """
        if self.flips:
            turns, flip = int(random.integers(4)), bool(random.integers(2))
            if mask.shape[0] != mask.shape[1]:
                turns -= turns % 2  # the patches of a batch keep one shape
            values = np.rot90(values, turns, axes=(1, 2))
            mask = np.rot90(mask, turns)
            if flip:
                values, mask = values[:, :, ::-1], mask[:, ::-1]
        values = values.astype(np.float32, copy=True)
        if self.brightness:
            optical = [i for i, name in enumerate(bands) if band(name).unit == "DN"]
            brighter = values[optical] * np.float32(1 + self.brightness * random.uniform(-1, 1))
            values[optical] = brighter.clip(0, 1) if unit == "display" else brighter
        return values, np.ascontiguousarray(mask)
