"""A small labelled dataset and a model with random weights, for everything that is measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from labelled_data import write_pair
from patch_files import write_h5
from trained_model import untrained

from landslide_zoo import LandslideModel
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


@pytest.fixture
def dataset(labelled_folder: Path) -> LabelledPatches:
    return LabelledPatches.find(labelled_folder, subset="all")


@pytest.fixture(scope="session")
def make_model() -> Callable[..., LandslideModel]:
    """Makes models with random weights that take about half of all pixels for landslides."""

    def make(
        seed: int = 0, name: str = "unet-mobilenet_v2-rgb", **config: object
    ) -> LandslideModel:
        model = untrained(name, seed, **{"threshold": 0.5, **config})
        with torch.no_grad():
            model.network.segmentation_head[0].weight.mul_(20)
        return model

    return make


@pytest.fixture(scope="session")
def model(make_model: Callable[..., LandslideModel]) -> LandslideModel:
    return make_model()


@pytest.fixture(scope="session")
def result(model: LandslideModel, labelled_folder: Path) -> Evaluation:
    """What the model scores on the dataset."""
    return evaluate(model, LabelledPatches.find(labelled_folder, subset="all"))
