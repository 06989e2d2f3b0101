"""Augmentation of patches and their masks, drawn from a generator that is passed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from landslide_zoo.data.bands import Unit, band
from landslide_zoo.data.clouds import lay_clouds


@dataclass(frozen=True)
class Augmentation:
    """Random changes that leave the landslides what they are.

    Strengths are relative; 0 switches a change off. Optical bands are changed,
    terrain is only turned.

    Attributes:
        flips: Whether to flip and turn by quarters, all eight ways alike (by halves, four
            ways, where a patch is no square).
        brightness: Largest change of all optical bands together.
        contrast: Largest change of the optical bands' spread about their mean.
        colour: Largest change of each optical band by itself.
        haze: Largest share of a veil: optical values move towards a bright level.
        clouds: Probability that clouds are laid over the patch, with their shadows.
    """

    flips: bool = True
    brightness: float = 0.0
    contrast: float = 0.0
    colour: float = 0.0
    haze: float = 0.0
    clouds: float = 0.0

    def __call__(
        self,
        values: np.ndarray,
        mask: np.ndarray,
        bands: Sequence[str],
        unit: Unit,
        random: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Change a patch's values (C, H, W) and mask (H, W); neither is changed in place."""
        if self.flips:
            turns, flip = int(random.integers(4)), bool(random.integers(2))
            if mask.shape[0] != mask.shape[1]:
                turns -= turns % 2  # the patches of a batch keep one shape
            values = np.rot90(values, turns, axes=(1, 2))
            mask = np.rot90(mask, turns)
            if flip:
                values, mask = values[:, :, ::-1], mask[:, ::-1]
        # Drawn only where it is asked for: other recipes keep their draws.
        if self.clouds and random.uniform() < self.clouds:
            values, mask = lay_clouds(values, mask, bands, unit, random)
        values = values.astype(np.float32, copy=True)
        optical = [i for i, name in enumerate(bands) if band(name).unit == "DN"]
        values[optical] = self._light(values[optical], unit, random)
        return values, np.ascontiguousarray(mask)

    def _light(self, optical: np.ndarray, unit: Unit, random: np.random.Generator) -> np.ndarray:
        def factor(strength: float, shape: tuple[int, ...] = ()) -> np.ndarray:
            return 1 + strength * random.uniform(-1, 1, shape).astype(np.float32)

        count = len(optical)
        centre = optical.mean(axis=(1, 2), keepdims=True)
        optical = (optical - centre) * factor(self.contrast) + centre
        optical = optical * factor(self.brightness) * factor(self.colour, (count, 1, 1))
        veil = self.haze * np.float32(random.uniform())
        # The level of thin cloud: the brightest a picture can be, or the patch's own bright end.
        level = 1.0 if unit == "display" else optical.max(axis=(1, 2), keepdims=True)
        optical = (1 - veil) * optical + veil * level
        return np.clip(optical, 0, 1) if unit == "display" else np.maximum(optical, 0)


@dataclass(frozen=True)
class Mixing:
    """Parts of another patch, pasted in with their mask.

    Attributes:
        copy_paste: Probability of pasting the other's landslides in (Ghiasi et al. 2021,
            "Simple Copy-Paste is a Strong Data Augmentation Method for Instance Segmentation").
        cutmix: Probability of pasting a rectangle of it in (Yun et al. 2019, "CutMix:
            Regularization Strategy to Train Strong Classifiers with Localizable Features"). The
            network sees two grounds in one patch, and cannot go by the look of the whole.
    """

    copy_paste: float = 0.0
    cutmix: float = 0.0

    def __call__(
        self,
        values: np.ndarray,
        mask: np.ndarray,
        draw_other: Callable[[], tuple[np.ndarray, np.ndarray]],
        random: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mix a patch's values (C, H, W) and mask (H, W) with those of others of its size."""
        for probability, choose in ((self.copy_paste, _landslides), (self.cutmix, _rectangle)):
            if random.uniform() < probability:
                other, its_mask = draw_other()
                pasted = choose(its_mask, random)
                values, mask = np.where(pasted, other, values), np.where(pasted, its_mask, mask)
        return values, mask


def _landslides(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return mask > 0


def _rectangle(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A rectangle (H, W), each side of it 0.3 to 0.8 of the patch's, anywhere within it."""
    inside = np.zeros(mask.shape, dtype=bool)
    height, width = (int(length * random.uniform(0.3, 0.8)) for length in mask.shape)
    top = random.integers(mask.shape[0] - height + 1)
    left = random.integers(mask.shape[1] - width + 1)
    inside[top : top + height, left : left + width] = True
    return inside
