"""Small labelled datasets for the tests, and a predictor that needs no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from patch_files import physical_values, stored, write_h5, write_png
from PIL import Image

from landslide_zoo import Patch
from landslide_zoo.data.landslide4sense import Sample
from landslide_zoo.evaluation import LabelledPatches
from landslide_zoo.models.config import PredictorConfig


def random_mask(height: int, width: int, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((height, width)) < 0.1).astype(np.uint8)


def write_pair(
    folder: Path,
    number: int,
    subset: str = "train",
    height: int = 32,
    width: int = 32,
    kind: Literal["h5", "png"] = "h5",
) -> Sample:
    """Write a random patch and its mask in the mirrors' layout: 14 bands, or a picture."""
    image = folder / "images" / subset / f"image_{number}.{kind}"
    mask = folder / "annotations" / subset / f"mask_{number}.{kind}"
    for path in (image, mask):
        path.parent.mkdir(parents=True, exist_ok=True)
    truth = random_mask(height, width, seed=number)
    if kind == "h5":
        write_h5(image, img=stored(physical_values(height, width, seed=number)))
        write_h5(mask, mask=truth)
    else:
        write_png(image, height, width)
        Image.fromarray(truth * np.uint8(255)).save(mask)
    return Sample(number, subset, image, mask)


@dataclass(frozen=True)
class ChangedPatches(LabelledPatches):
    """Patches that are changed as they are read."""

    change: Callable[[int, Patch], Patch] = lambda index, patch: patch

    def __getitem__(self, index: int) -> Patch:
        return self.change(index, super().__getitem__(index))


def changed(patches: LabelledPatches, change: Callable[[int, Patch], Patch]) -> LabelledPatches:
    """The same patches, each changed by a function of its index and itself."""
    return ChangedPatches(**vars(patches), change=change)


class Red:
    """Takes the red band for a landslide's probability."""

    backend = "numpy"

    def __init__(self, power: float = 1.0) -> None:
        self.config = PredictorConfig(name="red", bands=["B4"], unit="physical", threshold=0.5)
        self.power = power

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        return (np.clip(values[:, 0] / 1000, 0, 1) ** self.power).astype(np.float32)
