"""A small dataset for the tests of training."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic_patches import write_dataset

from landslide_zoo import Patch
from landslide_zoo.evaluation import LabelledPatches


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its numbers fill no batch of four: the last ones are left over, or would be repeated.

    A tenth of the last train and validation patches is missing.
    """
    counts = {"train": 13, "validation": 5, "test": 3}
    folder = write_dataset(tmp_path_factory.mktemp("dataset") / "patches", counts, size=32)
    for name in ("train/image_13.h5", "validation/image_5.h5"):
        with h5py.File(folder / "images" / name, "r+") as file:
            file["img"][:3] = np.nan
    return folder


@pytest.fixture(scope="session")
def patches(dataset: Path) -> list[Patch]:
    """Its train patches."""
    return list(LabelledPatches.find(dataset, subset="train"))
