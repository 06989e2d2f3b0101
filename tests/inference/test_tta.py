"""Test-time augmentation: the mean over eight orientations, which turns with the patch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from patch_files import random_patch
from trained_model import untrained

from landslide_zoo import LandslideModel, Patch, Prediction
from landslide_zoo.inference import TestTimeAugmentation
from landslide_zoo.inference.ensembles import ORIENTATIONS


@pytest.fixture(scope="module")
def model() -> LandslideModel:
    return untrained()


@pytest.fixture(scope="module")
def patch() -> Patch:
    return random_patch(40, 56)


def predict_augmented(model: LandslideModel, patch: Patch) -> Prediction:
    return TestTimeAugmentation(model).predict(patch, postprocess=False)


@pytest.fixture(scope="module")
def augmented(model: LandslideModel, patch: Patch) -> Prediction:
    return predict_augmented(model, patch)


def turn(values: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    values = np.rot90(values, turns, axes=(-2, -1))
    return np.ascontiguousarray(values[..., ::-1] if mirrored else values)


def turn_patch(patch: Patch, turns: int, mirrored: bool) -> Patch:
    values, observed = (turn(one, turns, mirrored) for one in (patch.values, patch.observed))
    return replace(patch, values=values, observed=observed)


def test_the_orientations_are_eight_different_ones() -> None:
    corners = np.arange(6).reshape(2, 3)
    assert len({turn(corners, *orientation).tobytes() for orientation in ORIENTATIONS}) == 8


@pytest.mark.parametrize(("turns", "mirrored"), ORIENTATIONS)
def test_a_turned_patch_has_the_turned_prediction(
    model: LandslideModel, patch: Patch, augmented: Prediction, turns: int, mirrored: bool
) -> None:
    expected = turn(augmented.probability, turns, mirrored)
    found = predict_augmented(model, turn_patch(patch, turns, mirrored)).probability
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_one_prediction_alone_does_not_turn_with_the_patch(
    model: LandslideModel, patch: Patch
) -> None:
    """What the mean is for: without it the two differ."""
    found = model.predict(turn_patch(patch, 1, False), postprocess=False).probability
    assert (
        np.abs(found - np.rot90(model.predict(patch, postprocess=False).probability)).max() > 1e-4
    )


def test_it_is_the_mean_of_the_eight(
    model: LandslideModel, patch: Patch, augmented: Prediction
) -> None:
    total = np.zeros(patch.size)
    for turns, mirrored in ORIENTATIONS:
        probability = model.predict(
            turn_patch(patch, turns, mirrored), postprocess=False
        ).probability
        total += np.rot90(probability[:, ::-1] if mirrored else probability, -turns)
    np.testing.assert_allclose(augmented.probability, total / 8, atol=1e-6)
    assert (augmented.threshold, augmented.model) == (model.config.threshold, model.config.name)
