"""A prediction: its mask, figures, notes and scores agree, and it is what ``predict`` says."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from patch_files import random_patch

from landslide_zoo import Patch, Prediction, read_patch
from landslide_zoo.data.checks import check_patch
from landslide_zoo.data.patch import Grid
from landslide_zoo.errors import ModelError
from landslide_zoo.inference import join_predictions, load_predictor, predict, prepare
from landslide_zoo.inference.predict import BATCH_PIXELS, LoadedPredictor
from landslide_zoo.inference.rules import DEFAULT_RULES
from landslide_zoo.models import PredictorConfig, Rule


class Brightness:
    """A predictor that takes what is bright in B2 for landslides, and notes its batches."""

    backend = "none"

    def __init__(self, scale: float = 1.0, rules: tuple[Rule, ...] = ()) -> None:
        self.config = PredictorConfig(
            name="bright", bands=["B2"], unit="physical", threshold=0.25, rules=list(rules)
        )
        self.scale, self.batches = scale, []

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        self.batches.append(values.shape)
        return np.clip(values[:, 0] * self.scale / 2000, 0, 1).astype(np.float32)


def make_prediction(
    values: list[list[float]], threshold: float = 0.5, observed: np.ndarray | None = None
) -> Prediction:
    probability = np.array(values, np.float32)
    if observed is None:
        observed = np.ones(probability.shape, bool)
    patch = Patch(np.zeros((3, *probability.shape), np.float32), grid=Grid((10, 20)))
    return Prediction(probability, observed, threshold, "model", patch)


@pytest.fixture
def patch() -> Patch:
    """A patch of 20 m pixels with a mask, whose first ten rows could not be seen."""
    observed, mask = np.ones((48, 40), bool), np.zeros((48, 40), np.uint8)
    observed[:10], mask[20:30, 5:15] = False, 1
    return random_patch(48, 40, name="scene", mask=mask, observed=observed, grid=Grid((20, 20)))


@pytest.fixture(scope="module")
def cloudy() -> Patch:
    return read_patch(Path(str(resources.files("landslide_zoo.web.samples"))) / "image_4.h5")


@pytest.fixture(scope="module")
def bundled() -> LoadedPredictor:
    return load_predictor("unet-mobilenet_v2-rgb")


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7, 1.0])
def test_a_pixel_at_the_threshold_is_landslide(threshold: float) -> None:
    at = np.float32(threshold)
    below, above = np.nextafter(at, np.float32(-1)), np.nextafter(at, np.float32(2))
    prediction = make_prediction([[below, at, above]], threshold)
    assert prediction.mask.tolist() == [[0, 1, 1]]
    assert prediction.mask.dtype == np.uint8
    assert repr(make_prediction([[0.9, 0.9, 0.1]])) == (
        "Prediction('model', 1 x 3, threshold 0.5, 0.04 ha)"
    )


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(threshold: float) -> None:
    with pytest.raises(ModelError, match="threshold"):
        predict(Brightness(), [random_patch(32, 32)], threshold)


def test_what_was_not_observed_is_no_landslide_and_not_scored() -> None:
    observed = np.array([[True, True, False, False]])
    prediction = make_prediction([[0.9, 0.1, 0.9, 0.1]], observed=observed)
    assert prediction.mask.tolist() == [[1, 0, 0, 0]]
    scores = prediction.scores(np.array([[1, 1, 0, 1]]))
    assert scores is not None
    assert (scores.true_positives, scores.false_negatives) == (1, 1)
    assert (scores.false_positives, scores.true_negatives) == (0, 0)


def test_patches_of_one_size_run_together_within_bounds_and_come_back_in_order() -> None:
    sizes = [(40, 40)] * 3 + [(48, 32), (40, 40)]
    predictor = Brightness()
    patches = [random_patch(*size, i) for i, size in enumerate(sizes)]
    predictions = predict(predictor, patches, postprocess=False)
    assert [each.probability.shape for each in predictions] == sizes
    assert [shape[0] for shape in predictor.batches] == [3, 1, 1]
    for each, alone in zip(predictions, patches, strict=True):
        (expected,) = predict(predictor, [alone], postprocess=False)
        assert np.array_equal(each.probability, expected.probability)
    predictor.batches = []
    predict(predictor, [random_patch(128, 128)] * 17 + [random_patch(600, 600)], postprocess=False)
    assert [shape[0] for shape in predictor.batches] == [16, 1, 1]
    assert BATCH_PIXELS < 600 * 600


def test_a_probability_that_is_no_number_is_an_error_and_never_no_landslides() -> None:
    with pytest.raises(ModelError, match="not finite"):
        predict(Brightness(np.nan), [random_patch(40, 40)])


def test_its_figures_are_those_of_its_mask(patch: Patch) -> None:
    (prediction,) = predict(Brightness(), [patch])
    figures = prediction.to_dict()
    pixels = int(prediction.mask.sum())
    assert json.loads(json.dumps(figures)) == figures
    assert (figures["patch"], figures["model"]) == ("scene", "bright")
    assert (figures["height"], figures["width"]) == (48, 40)
    assert figures["area_hectares"] == pytest.approx(pixels * 0.04)
    assert figures["share"] == pytest.approx(pixels / prediction.observed.sum(), abs=1e-6)
    assert figures["objects"] == len(prediction.objects)
    assert figures["truth_hectares"] == pytest.approx(4.0)
    scores = figures["scores"]
    assert scores["true_positives"] + scores["false_positives"] == pixels
    assert sum(scores[name] for name in scores if "_" in name) == prediction.observed.sum()


def test_what_is_possible_is_half_believed_and_no_part_of_the_mask(patch: Patch) -> None:
    (prediction,) = predict(Brightness(), [patch])
    half = prediction.at(prediction.threshold / 2)
    assert prediction.possible.any() and not (prediction.possible & prediction.mask).any()
    assert np.array_equal(prediction.possible | prediction.mask, half.mask | prediction.mask)
    assert "possible" not in json.dumps(prediction.to_dict())


def test_a_mask_without_a_landslide_has_no_scores(patch: Patch) -> None:
    for mask in (np.zeros((48, 40), np.uint8), None):
        (prediction,) = predict(Brightness(), [replace(patch, mask=mask)])
        assert prediction.scores() is None and "scores" not in prediction.to_dict()


def test_what_is_odd_about_the_input_is_said(patch: Patch) -> None:
    bright = replace(patch, values=np.clip(patch.values * 0 + 9, 0, 20))
    (prediction,) = predict(Brightness(), [bright])
    assert prediction.warnings == tuple(check_patch(bright)) != ()


def test_the_mean_is_ruled_as_all_models_are_else_as_any_network(patch: Patch) -> None:
    own = Rule(attribute="hectares", minimum=50.0, reason="it is small", source="a test")
    (first,), (second,) = predict(Brightness(), [patch]), predict(Brightness(2, (own,)), [patch])
    for predictions, rules in (
        ([first, second], DEFAULT_RULES),
        ([second, first], DEFAULT_RULES),
        ([second, second], (own,)),
    ):
        joined = join_predictions(predictions)
        assert joined.mean.rules == rules
        figures = joined.to_dict()
        assert figures["members"] == 2
        assert 0 <= figures["seen_by_all"] <= figures["seen_by_any"] <= 48 * 40


def test_what_needs_no_model_is_done_once_for_several(cloudy: Patch) -> None:
    prepared = prepare(cloudy)
    ((first,), (second,)) = (predict(Brightness(scale), [prepared]) for scale in (1, 2))
    assert first.clouds is second.clouds and first.patch is second.patch
    assert first.indices is second.indices
    (alone,) = predict(Brightness(), [cloudy])
    assert first.to_dict() | {"milliseconds": 0} == alone.to_dict() | {"milliseconds": 0}


def test_clouds_are_not_observed_and_rules_drop_fields(
    bundled: LoadedPredictor, cloudy: Patch, tmp_path: Path
) -> None:
    (found,), (alone,) = (predict(bundled, [cloudy], postprocess=each) for each in (True, False))
    assert found.clouds is not None and 0.1 < found.clouds.mean() < 0.25
    assert not found.mask[found.clouds].any()
    assert found.to_dict()["observed"] == pytest.approx(1 - found.clouds.mean(), abs=1e-6)
    assert "under cloud" in found.notes[0]
    assert "median_vegetation" in {each["rule"] for each in found.to_dict()["dropped"]}
    assert found.hectares < found.network.hectares < alone.hectares
    assert (alone.clouds, alone.dropped, alone.notes) == (None, [], [])
    assert found.save(tmp_path)[0].is_file()


def test_each_rule_can_be_switched_off(bundled: LoadedPredictor, cloudy: Patch) -> None:
    (every,) = predict(bundled, [cloudy])
    for name in {each.rule.attribute for each in every.dropped}:
        (fewer,) = predict(bundled, [cloudy], rules_off=[name])
        assert name not in {each.rule.attribute for each in fewer.dropped}
    with pytest.raises(ModelError, match="no rule on 'colour'"):
        predict(bundled, [cloudy], rules_off=["colour"])


def test_a_picture_says_what_cannot_be_known(bundled: LoadedPredictor) -> None:
    picture = Patch(np.full((3, 32, 32), 0.5, np.float32), ("B4", "B3", "B2"), "display")
    (prediction,) = predict(bundled, [picture])
    assert prediction.clouds is None
    assert "Clouds" in prediction.notes[0] and "median_slope" in prediction.notes[1]
