"""Made-up patches with known masks, for tests: plausible values, bare scars on steep ground.

They look enough like Landslide4Sense for a network to learn from them in a few
epochs and for no check to object. Nothing measured on them says anything about
real ground.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.data.checks import slope_of
from landslide_zoo.data.hdf5 import write_mask_h5, write_patch_h5
from landslide_zoo.data.landslide4sense import LAYOUTS
from landslide_zoo.data.patch import Patch

# Digital numbers of B1 to B12 as a satellite sees them through the air.
FOREST = np.array([950, 730, 610, 380, 640, 1700, 2100, 2100, 800, 12, 1150, 500], float)
MEADOW = np.array([980, 790, 720, 560, 900, 2000, 2350, 2400, 850, 12, 1650, 850], float)
BARE = np.array([1050, 950, 1000, 1150, 1300, 1700, 1900, 2000, 780, 12, 2100, 1600], float)

SCAR_SHARE = 0.05
"""Share of a patch that landslides take, if it has any."""


def make_patch(
    seed: int, size: int | tuple[int, int] = 64, landslide: bool = True, name: str | None = None
) -> Patch:
    """A patch of fourteen bands in physical units, whole numbers all, with its mask.

    Args:
        seed: One seed gives one patch.
        size: Side in pixels, or height and width.
        landslide: Whether there are landslides on it. The ground is the same without.
        name: Name of the patch; made from the seed where None.
    """
    random = np.random.default_rng(seed)
    shape = (size, size) if isinstance(size, int) else size

    relief = _noise(random, shape, 10.0) + 0.15 * _noise(random, shape, 3.0)
    rise = np.hypot(*np.gradient(relief, 10.0)).mean()
    steepness = np.tan(np.radians(random.uniform(24, 32))) / rise
    dem = random.uniform(500, 2500) + steepness * (relief - relief.min())
    slope = slope_of(dem)

    # Landslides: where it is steep and patchy noise is high. Bare flats are no landslides.
    patchy = _noise(random, shape, 2.5)
    score = patchy + 1.5 * (slope - slope.mean()) / slope.std()
    scar = score > np.quantile(score, 1 - SCAR_SHARE)
    flat = _noise(random, shape, 3.0) - 1.5 * (slope - slope.mean()) / slope.std()
    gravel = flat > np.quantile(flat, 0.98)
    green = np.clip(0.5 + 0.5 * _noise(random, shape, 4.0), 0, 1)

    cover = FOREST[:, None, None] * green + MEADOW[:, None, None] * (1 - green)
    bare = gravel | scar if landslide else gravel
    cover = np.where(bare, BARE[:, None, None] * (1 + 0.05 * patchy), cover)
    south, east = np.gradient(dem, 10.0)
    light = np.clip(1 - 0.25 * (south + east), 0.6, 1.4)  # a morning sun in the south-east
    optical = gaussian_filter(cover * light, (0, 0.5, 0.5))
    optical *= random.normal(1, 0.03, optical.shape)

    values = np.rint(np.concatenate([optical, slope[None], dem[None]])).clip(0, 65535)
    return Patch(
        values.astype(np.float32),
        name=name or f"synthetic_{seed}",
        mask=(scar & landslide).astype(np.uint8),
    )


def write_true_colour(path: Path, patch: Patch) -> None:
    """Write a patch's true colour as the public pictures were made: 8-bit RGB."""
    shown = patch.in_unit(TRUE_COLOUR, "display")
    Image.fromarray(np.rint(255 * shown).astype(np.uint8).transpose(1, 2, 0)).save(path)


def write_dataset(
    folder: Path,
    patches: Mapping[str, int] | None = None,
    layout: Literal["mirror", "zenodo", "flat"] = "mirror",
    kind: Literal["h5", "png"] = "h5",
    size: int | tuple[int, int] = 64,
    seed: int = 0,
) -> Path:
    """Write a small dataset of patches and their masks, every fourth without a landslide.

    Args:
        folder: Where to write.
        patches: How many, by subset (8 train, 4 validation, 4 test where None); the flat
            layout numbers them all through.
        layout: Names of the folders.
        kind: Fourteen bands, or true-colour pictures.
        size: Side in pixels, or height and width.
        seed: Seed of the whole dataset. A patch does not depend on how many others there are.

    Returns:
        The folder.
    """
    counts = {"train": 8, "validation": 4, "test": 4} if patches is None else patches
    flat_number = 0
    for place, (subset, count) in enumerate(counts.items()):
        parts = LAYOUTS[layout]["all" if layout == "flat" else subset]
        images, masks = (folder / part for part in parts)
        for each in (images, masks):
            each.mkdir(parents=True, exist_ok=True)
        for number in range(1, count + 1):
            flat_number += 1
            written = flat_number if layout == "flat" else number
            patch = make_patch(100_000 * seed + 10_000 * place + number, size, number % 4 > 0)
            image, mask = images / f"image_{written}.{kind}", masks / f"mask_{written}.{kind}"
            assert patch.mask is not None
            if kind == "h5":
                write_patch_h5(image, patch)
                write_mask_h5(mask, patch.mask)
            else:
                write_true_colour(image, patch)
                Image.fromarray(patch.mask * np.uint8(255)).save(mask)
    return folder


def _noise(random: np.random.Generator, shape: tuple[int, int], width: float) -> np.ndarray:
    """A smooth random field of mean 0 and deviation 1; features are some pixels wide."""
    field = gaussian_filter(random.normal(size=shape), width, mode="reflect")
    return (field - field.mean()) / field.std()
