"""Whole folders of synthetic patches, laid out as Landslide4Sense is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tqdm import tqdm

from landslide_zoo.data.landslide4sense import LAYOUTS, DividedLayout
from landslide_zoo.data.readers.hdf5 import write_mask_h5, write_patch_h5
from landslide_zoo.data.synthetic.generate import generate_patch
from landslide_zoo.errors import DataError


def write_dataset(
    folder: Path,
    train: int = 400,
    validation: int = 80,
    test: int = 80,
    seed: int = 0,
    layout: DividedLayout = "mirror",
    size: tuple[int, int] = (128, 128),
    progress: bool = False,
) -> None:
    """Write synthetic patches and their masks as a Landslide4Sense dataset.

    Each patch has a seed of its own, so that its file does not depend on how
    many others there are. A patch of 128 x 128 pixels takes 1.8 MB.

    Args:
        folder: Where to write; it must not yet hold a dataset of that layout.
        train: Number of train patches.
        validation: Number of validation patches.
        test: Number of test patches.
        seed: Seed of the whole dataset.
        layout: Names of the folders: those of the Hub's mirrors, or of the Zenodo record.
        size: Height and width of a patch in pixels.
        progress: Whether to show a progress bar on standard error.

    Raises:
        DataError: If the folder already holds patches.
    """
    counts = {"train": train, "validation": validation, "test": test}
    folders = {split: [folder / part for part in LAYOUTS[layout][split]] for split in counts}
    for parts in folders.values():
        for part in parts:
            if part.exists() and any(part.iterdir()):
                raise DataError(f"{part} already holds files: choose an empty folder.")
            part.mkdir(parents=True, exist_ok=True)
    with tqdm(total=sum(counts.values()), unit="patch", disable=not progress) as bar:
        for index, (split, count) in enumerate(counts.items()):
            images, masks = folders[split]
            for number in range(1, count + 1):
                rng = np.random.default_rng([seed, index, number])
                patch = generate_patch(rng, size, name=f"image_{number}")
                assert patch.mask is not None
                write_patch_h5(images / f"{patch.name}.h5", patch)
                write_mask_h5(masks / f"mask_{number}.h5", patch.mask)
                bar.update()
