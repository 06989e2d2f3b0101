"""What several models say together: as one predictor, and as votes on one patch."""

from __future__ import annotations

import numpy as np
import pytest
from patch_files import random_patch
from trained_model import untrained

from landslide_zoo import Patch, Prediction
from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.errors import DataError
from landslide_zoo.inference import Ensemble, join_predictions
from landslide_zoo.inference.model import TorchPredictor
from landslide_zoo.inference.predict import predict


def make_prediction(values: list[float], threshold: float) -> Prediction:
    probability = np.array([values], np.float32)
    patch = Patch(np.zeros((3, *probability.shape), np.float32))
    return Prediction(probability, probability >= 0, threshold, "model", patch)


@pytest.fixture(scope="module")
def rgb() -> TorchPredictor:
    return TorchPredictor(untrained(threshold=0.2))


@pytest.fixture(scope="module")
def bands() -> TorchPredictor:
    return TorchPredictor(untrained("unet-mobilenet_v2", seed=1, threshold=0.6))


@pytest.fixture
def patch() -> Patch:
    return random_patch(40, 56)


def test_mean_votes_and_disagreement() -> None:
    joined = join_predictions(
        [make_prediction([0.0, 1.0, 0.5], 0.5), make_prediction([1.0, 1.0, 0.5], 0.7)]
    )
    np.testing.assert_allclose(joined.mean.probability, [[0.5, 1.0, 0.5]])
    assert joined.mean.threshold == pytest.approx(0.6)
    np.testing.assert_array_equal(joined.mean.mask, [[0, 1, 0]])
    np.testing.assert_array_equal(joined.votes, [[1, 2, 1]])  # each at its own threshold
    np.testing.assert_allclose(joined.disagreement, [[0.5, 0.0, 0.0]])
    assert joined.members == 2


def test_an_ensemble_answers_the_mean_of_members_that_read_different_things(
    rgb: TorchPredictor, bands: TorchPredictor, patch: Patch
) -> None:
    ensemble = Ensemble([rgb, bands], "both")
    assert set(ensemble.config.bands) == set(bands.config.bands)
    (joined,) = predict(ensemble, [patch], clouds="keep")
    alone = [model.predict(patch, clouds="keep").probability for model in (rgb, bands)]
    np.testing.assert_allclose(joined.probability, np.mean(alone, axis=0), atol=1e-6)
    assert joined.threshold == pytest.approx(0.4) and joined.model == "both"


def test_members_that_read_pictures_take_pictures(
    rgb: TorchPredictor, bands: TorchPredictor, patch: Patch
) -> None:
    picture = Patch(patch.in_unit(TRUE_COLOUR, "display"), TRUE_COLOUR, "display")
    (joined,) = predict(Ensemble([rgb, rgb], "twice"), [picture])
    np.testing.assert_allclose(joined.probability, rgb.predict(picture).probability, atol=1e-6)
    with pytest.raises(DataError, match="true-colour picture"):
        predict(Ensemble([rgb, bands], "both"), [picture])
