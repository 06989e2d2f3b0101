"""A small labelled dataset and a predictor that needs no network, for everything measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from labelled_data import write_pair
from patch_files import write_h5

from landslide_zoo.evaluation import Evaluation, LabelledPatches, evaluate
from landslide_zoo.models.config import PredictorConfig

NUMBERS = (1, 2, 3, 9, 13, 400, 3034, 3035)  # regions S1 and S2; five blocks
EMPTY = (9, 400)


class Red:
    """Takes the red band for a landslide's probability."""

    backend = "numpy"

    def __init__(self, power: float = 1.0) -> None:
        self.config = PredictorConfig(name="red", bands=["B4"], unit="physical", threshold=0.5)
        self.power = power

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        return (np.clip(values[:, 0] / 1000, 0, 1) ** self.power).astype(np.float32)


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
