from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from patch_files import write_patch

from landslide_zoo import LandslideModel, Patch, read_patch
from landslide_zoo.inference.test_time import (
    ORIENTATIONS,
    predict_all_orientations,
    predict_jointly,
)


@pytest.fixture(scope="module")
def model() -> LandslideModel:
    torch.manual_seed(0)
    return LandslideModel.from_catalog("unet-mobilenet_v2-rgb")


@pytest.fixture
def patch(tmp_path: Path) -> Patch:
    return read_patch(write_patch(tmp_path / "image_1.h5", 40, 56))


def turned(patch: Patch, turns: int, mirrored: bool) -> Patch:
    values = np.rot90(patch.values, turns, axes=(1, 2))
    values = values[:, :, ::-1] if mirrored else values
    return replace(patch, values=np.ascontiguousarray(values))


def test_the_orientations_are_eight_different_ones() -> None:
    corners = np.arange(6).reshape(2, 3)
    seen = {
        (np.rot90(corners, turns)[:, ::-1] if mirrored else np.rot90(corners, turns)).tobytes()
        for turns, mirrored in ORIENTATIONS
    }
    assert len(seen) == 8


@pytest.mark.parametrize(("turns", "mirrored"), ORIENTATIONS)
def test_a_turned_patch_has_the_turned_prediction(
    model: LandslideModel, patch: Patch, turns: int, mirrored: bool
) -> None:
    expected = np.rot90(predict_all_orientations(model, patch).probability, turns)
    expected = expected[:, ::-1] if mirrored else expected
    found = predict_all_orientations(model, turned(patch, turns, mirrored)).probability
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_one_prediction_alone_does_not_turn_with_the_patch(
    model: LandslideModel, patch: Patch
) -> None:
    """What the mean is for: without it the two differ."""
    found = model.predict(turned(patch, 1, False)).probability
    assert np.abs(found - np.rot90(model.predict(patch).probability)).max() > 1e-4


def test_it_is_the_mean_of_the_eight(model: LandslideModel, patch: Patch) -> None:
    total = np.zeros(patch.size)
    for turns, mirrored in ORIENTATIONS:
        probability = model.predict(turned(patch, turns, mirrored)).probability
        total += np.rot90(probability[:, ::-1] if mirrored else probability, -turns)
    found = predict_all_orientations(model, patch)
    np.testing.assert_allclose(found.probability, total / 8, atol=1e-6)
    assert found.threshold == model.config.threshold


def test_one_model_alone_gives_its_own_prediction(model: LandslideModel, patch: Patch) -> None:
    own = model.predict(patch)
    np.testing.assert_array_equal(predict_jointly([model], patch).probability, own.probability)
    twice = predict_jointly([model, model], patch)
    np.testing.assert_array_equal(twice.probability, own.probability)
