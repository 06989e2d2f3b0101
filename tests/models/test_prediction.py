"""A prediction: its mask begins at the threshold itself and knows what was not observed."""

from __future__ import annotations

import numpy as np
import pytest

from landslide_zoo import Patch, Prediction
from landslide_zoo.data import Grid
from landslide_zoo.errors import ModelError
from landslide_zoo.inference.predict import BATCH_PIXELS, predict
from landslide_zoo.models import PredictorConfig


def make_prediction(
    values: list[list[float]], threshold: float = 0.5, observed: np.ndarray | None = None
) -> Prediction:
    probability = np.array(values, np.float32)
    seen = np.ones(probability.shape, bool) if observed is None else observed
    return Prediction(probability, seen, threshold, "model", Grid((10, 20)))


class Constant:
    """A predictor that answers one probability, and notes how many patches it is given."""

    config = PredictorConfig(name="constant", bands=["B2"], unit="physical", threshold=0.25)

    def __init__(self, probability: float) -> None:
        self.probability, self.batches = probability, []

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        self.batches.append(values.shape)
        return np.full((len(values), *values.shape[2:]), self.probability, np.float32)


def make_patch(height: int, width: int) -> Patch:
    return Patch(np.zeros((1, height, width), np.float32), ("B2",), name=f"{height}x{width}")


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.3, 0.5, 0.7, 1.0])
def test_a_pixel_at_the_threshold_is_landslide(threshold: float) -> None:
    at = np.float32(threshold)
    below, above = np.nextafter(at, np.float32(-1)), np.nextafter(at, np.float32(2))
    prediction = make_prediction([[below, at, above]], threshold)
    assert prediction.mask.tolist() == [[0, 1, 1]]
    assert prediction.mask.dtype == np.uint8


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(threshold: float) -> None:
    with pytest.raises(ModelError, match=r"threshold is .*; a probability is from"):
        predict(Constant(0.5), [make_patch(32, 32)], threshold)


def test_the_mask_follows_the_threshold_and_not_the_network() -> None:
    prediction = make_prediction([list(np.linspace(0, 1, 101))])
    areas = [prediction.at(t).mask.sum() for t in (0, 0.25, 0.5, 0.75, 1)]
    assert areas == [101, 76, 51, 26, 1]


def test_what_was_not_observed_is_no_landslide_and_not_scored() -> None:
    observed = np.array([[True, True, False, False]])
    prediction = make_prediction([[0.9, 0.1, 0.9, 0.1]], observed=observed)
    assert prediction.mask.tolist() == [[1, 0, 0, 0]]
    scores = prediction.scores(np.array([[1, 1, 0, 1]]))
    assert (scores.true_positives, scores.false_negatives) == (1, 1)
    assert (scores.false_positives, scores.true_negatives) == (0, 0)


def test_its_area_is_that_of_its_own_pixels() -> None:
    assert make_prediction([[0.9, 0.9, 0.1]]).hectares == pytest.approx(0.04)
    assert repr(make_prediction([[0.9, 0.9, 0.1]])) == (
        "Prediction('model', 1 x 3, threshold 0.5, 0.04 ha)"
    )


def test_patches_of_one_size_are_predicted_together_and_come_back_in_order() -> None:
    sizes = [(40, 40)] * 3 + [(48, 32), (40, 40)]
    predictor = Constant(0.3)
    predictions = predict(predictor, [make_patch(*size) for size in sizes])
    assert [one.probability.shape for one in predictions] == sizes
    assert [shape[0] for shape in predictor.batches] == [3, 1, 1]
    assert all(one.threshold == 0.25 and one.mask.all() for one in predictions)


def test_a_batch_is_bounded_in_pixels_and_a_large_patch_is_alone() -> None:
    predictor = Constant(0.3)
    predict(predictor, [make_patch(128, 128)] * 17 + [make_patch(600, 600)] * 2)
    assert [shape[0] for shape in predictor.batches] == [16, 1, 1, 1]
    assert BATCH_PIXELS < 600 * 600


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_probability_that_is_no_number_is_an_error_and_never_no_landslides(value: float) -> None:
    with pytest.raises(ModelError, match="constant gives probabilities that are not finite on 40x"):
        predict(Constant(value), [make_patch(40, 40)])
