"""A model's pixel counts: those of its own predictions, however many processes share the work."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from labelled_data import packed_pairs

from landslide_zoo.data.packed import PackedDataset
from landslide_zoo.errors import ModelError
from landslide_zoo.evaluation.counts import PixelCounts
from landslide_zoo.evaluation.measure import count_pixels
from landslide_zoo.models.model import LandslideModel


@pytest.fixture(scope="module")
def model() -> LandslideModel:
    torch.manual_seed(0)
    return LandslideModel.from_catalog("unet-mobilenet_v2")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    return packed_pairs(tmp_path_factory.mktemp("measure"), 7)


def test_counts_are_those_of_the_models_own_predictions(
    model: LandslideModel, data: PackedDataset
) -> None:
    expected = PixelCounts()
    for index in (1, 2, 4):
        patch = data.patch(index)
        assert patch.mask is not None
        expected.add(model.predict(patch).probability, patch.mask)
    counts = count_pixels(model, data, [1, 2, 4], batch_size=1)
    np.testing.assert_array_equal(counts.histogram, expected.histogram)


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_the_sum_over_processes_is_the_same_to_the_last_pixel(
    processes: int, model: LandslideModel, data: PackedDataset
) -> None:
    indices = list(range(7))
    whole = count_pixels(model, data, indices, batch_size=2)
    shares = [
        count_pixels(model, data, indices, batch_size=2, process=i, processes=processes)
        for i in range(processes)
    ]
    np.testing.assert_array_equal(sum(share.histogram for share in shares), whole.histogram)


def test_answers_that_are_no_numbers_are_refused(data: PackedDataset) -> None:
    broken = LandslideModel.from_catalog("unet-mobilenet_v2")
    with torch.no_grad():
        next(broken.network.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="unet-mobilenet_v2 answers values that are no numbers"):
        count_pixels(broken, data, [0])
