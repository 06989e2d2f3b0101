"""Sample inputs: synthetic patches, made on first use in a folder of this process."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from landslide_zoo.data.hdf5 import write_mask_h5, write_patch_h5
from landslide_zoo.data.synthetic import generate_patch
from landslide_zoo.figures import true_colour

_SEEDS = {"Forest": 7, "Farmland": 1, "Storm": 20, "No landslide": 13}


@dataclass(frozen=True)
class Sample:
    """A patch to try the app with.

    Attributes:
        title: What the page calls it.
        patch: File of the patch.
        mask: File of its mask.
        thumbnail: True colour, shape (H, W, 3), uint8.
    """

    title: str
    patch: Path
    mask: Path
    thumbnail: np.ndarray


@cache
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="landslide-zoo-samples-")


@cache
def samples() -> tuple[Sample, ...]:
    """The samples, all of them synthetic; made once."""
    return tuple(_make(title, seed) for title, seed in _SEEDS.items())


def sample(title: str) -> Sample:
    """The sample of that title."""
    return next(one for one in samples() if one.title == title)


def _make(title: str, seed: int) -> Sample:
    made = generate_patch(seed, name=f"synthetic_{title.lower().replace(' ', '_')}")
    assert made.mask is not None, "generated patches have a mask"
    folder = Path(_folder().name)
    files = folder / f"{made.name}.h5", folder / f"{made.name}_mask.h5"
    write_patch_h5(files[0], made)
    write_mask_h5(files[1], made.mask)
    return Sample(title, *files, thumbnail=true_colour(made))
