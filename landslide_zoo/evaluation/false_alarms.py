"""False alarms: what a model finds on ground that has no landslide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from landslide_zoo.data.bands import PIXEL_SIZE
from landslide_zoo.data.folders import dataset_name, find_samples, labelled
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.read import SUFFIXES, read_mask, read_patch
from landslide_zoo.errors import DataError
from landslide_zoo.evaluation.bootstrap import Bootstrap
from landslide_zoo.inference.objects import hectares
from landslide_zoo.models.prediction import Prediction
from landslide_zoo.models.record import FalseAlarms

SQUARE_KILOMETRES_PER_PIXEL = (PIXEL_SIZE / 1000) ** 2


def false_alarms(
    ground: str, false_pixels: np.ndarray, pixels: np.ndarray, bootstrap: Bootstrap
) -> FalseAlarms:
    """Area of false alarms by area of ground.

    Args:
        ground: Name of the ground.
        false_pixels: Pixels of each patch taken for landslides, shape (N,).
        pixels: Pixels of each patch, shape (N,); 0 for one that is no negative.
        bootstrap: Draws of the N patches.
    """

    def rate(total: np.ndarray) -> float:
        false, whole = total
        area = whole * SQUARE_KILOMETRES_PER_PIXEL
        return 100 * hectares(false) / area if area else 0.0

    counted = np.stack([false_pixels, pixels], axis=1)
    low, high = bootstrap.interval(counted, rate) or (None, None)
    return FalseAlarms(
        ground=ground,
        patches=int(np.count_nonzero(pixels)),
        square_kilometres=float(pixels.sum() * SQUARE_KILOMETRES_PER_PIXEL),
        hectares_per_100_km2=rate(counted.sum(axis=0)),
        low=low,
        high=high,
    )


def measure_negatives(
    predict: Callable[[Patch], Prediction], folder: Path, seed: int, resamples: int
) -> FalseAlarms:
    """False alarms on a folder of ground without landslides.

    Args:
        predict: Finds landslides in a patch.
        folder: A labelled dataset, of which the patches with empty masks are
            taken, or patches without masks, all of which are.
        seed: Seed of the bootstrap, over single patches.
        resamples: Its number of draws.

    Raises:
        DataError: If there is no such ground in the folder.
    """
    masks = [predict(patch).mask for patch in _negatives(folder)]
    return false_alarms(
        dataset_name(folder),
        np.array([int(mask.sum()) for mask in masks]),
        np.array([mask.size for mask in masks]),
        Bootstrap(range(len(masks)), seed, resamples),
    )


def _negatives(folder: Path) -> Iterator[Patch]:
    files = list(_negative_files(folder))
    if not files:
        raise DataError(
            f"{folder} holds no ground without landslides: give patches (.h5, .png), or a "
            "dataset some of whose masks are empty."
        )
    return map(read_patch, files)


def _negative_files(folder: Path) -> Iterable[Path]:
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder} with ground without landslides.")
    plain = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES and not path.name.startswith((".", "mask_"))
    ]
    if plain:
        return plain
    samples = labelled(find_samples(folder))
    return [s.image for s in samples if s.mask is not None and not read_mask(s.mask).any()]
