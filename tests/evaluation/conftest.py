"""A small labelled dataset, for everything measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from labelled_data import Red, write_pair
from patch_files import write_h5

from landslide_zoo.evaluation import Evaluation, LabelledPatches, evaluate

NUMBERS = (1, 2, 3, 9, 13, 400, 3034, 3035)  # regions S1 and S2; five blocks
EMPTY = (9, 400)


@pytest.fixture(scope="session")
def labelled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight patches in the flat layout, two of them without a landslide."""
    folder = tmp_path_factory.mktemp("labelled")
    for number in NUMBERS:
        sample = write_pair(folder, number, subset="", height=40, width=48)
        if number in EMPTY:
            assert sample.mask is not None
            write_h5(sample.mask, mask=np.zeros((40, 48), np.uint8))
    return folder


@pytest.fixture(scope="session")
def dataset(labelled_folder: Path) -> LabelledPatches:
    return LabelledPatches.find(labelled_folder, subset="all")


@pytest.fixture(scope="session")
def result(dataset: LabelledPatches) -> Evaluation:
    """What the red band scores on the dataset."""
    return evaluate(Red(), dataset, postprocess=False)
