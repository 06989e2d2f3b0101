"""A detection: its figures agree with each other, with its mask and with its patch's truth."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from landslide_zoo.inference.result import Refinement, Steps
from patch_files import random_patch
from trained_model import untrained

from landslide_zoo import LandslideModel, Patch, read_patch
from landslide_zoo.data import Grid, check_patch
from landslide_zoo.errors import ModelError
from landslide_zoo.inference import ModelResult, PreparedPatch, detect, join_detections
from landslide_zoo.inference.indices import PatchLayers, layers_of
from landslide_zoo.inference.rules import DEFAULT_RULES
from landslide_zoo.models.config import Rule

NETWORK_ALONE = Steps(clouds="keep", rules_off=("all",))


@pytest.fixture(scope="module")
def model() -> LandslideModel:
    return untrained()


@pytest.fixture
def patch() -> Patch:
    """A patch of 20 m pixels with a mask, whose first ten rows could not be seen."""
    observed, mask = np.ones((48, 40), bool), np.zeros((48, 40), np.uint8)
    observed[:10], mask[20:30, 5:15] = False, 1
    return random_patch(48, 40, name="scene", mask=mask, observed=observed, grid=Grid((20, 20)))


def test_its_figures_are_those_of_its_mask(model: LandslideModel, patch: Patch) -> None:
    detection = detect(model, patch)
    figures = detection.to_dict()
    pixels = int(detection.prediction.mask.sum())
    assert json.loads(json.dumps(figures)) == figures
    assert (figures["patch"], figures["model"]) == ("scene", "unet-mobilenet_v2-rgb")
    assert (figures["height"], figures["width"]) == (48, 40)
    assert figures["area_hectares"] == pytest.approx(pixels * 0.04)
    assert figures["share"] == pytest.approx(pixels / (38 * 40), abs=1e-6)
    assert figures["observed"] == pytest.approx(38 / 48, abs=1e-6)
    assert figures["objects"] == len(detection.objects)
    assert figures["truth_hectares"] == pytest.approx(4.0)
    scores = figures["scores"]
    assert scores["true_positives"] + scores["false_positives"] == pixels
    assert sum(scores[name] for name in scores if "_" in name) == 38 * 40


def test_another_threshold_needs_no_network(model: LandslideModel, patch: Patch) -> None:
    detection = detect(model, patch)
    assert detection.at(0).without_rules(["all"]).to_dict()["share"] == 1.0
    assert detection.at(1).to_dict()["area_hectares"] == 0.0
    assert detection.at(0).milliseconds == detection.milliseconds


def test_nothing_observed_is_no_landslide(model: LandslideModel, patch: Patch) -> None:
    figures = detect(model, replace(patch, observed=np.zeros((48, 40), bool)), 0.0).to_dict()
    assert (figures["area_hectares"], figures["share"], figures["observed"]) == (0, 0, 0)


def test_a_visitors_bands_are_not_kept(model: LandslideModel, patch: Patch) -> None:
    kept = detect(model, patch).patch
    assert (kept.bands, kept.unit) == (("B4", "B3", "B2"), "display")
    assert kept.size == patch.size and kept.grid == patch.grid


def test_a_mask_without_a_landslide_has_no_scores(model: LandslideModel, patch: Patch) -> None:
    empty = detect(model, replace(patch, mask=np.zeros((48, 40), np.uint8)))
    assert empty.scores is None and "scores" not in empty.to_dict()
    unknown = detect(model, replace(patch, mask=None))
    assert unknown.scores is None and "truth_hectares" not in unknown.to_dict()


def test_what_is_odd_about_the_input_is_said(model: LandslideModel, patch: Patch) -> None:
    bright = replace(patch, values=np.clip(patch.values * 0 + 9, 0, 20))
    assert detect(model, bright).warnings == tuple(check_patch(bright)) != ()


def test_models_that_ran_are_joined_and_one_that_failed_is_named(
    model: LandslideModel, patch: Patch
) -> None:
    other = detect(LandslideModel.from_catalog("unet-mobilenet_v2-rgb"), patch)
    failed = ModelResult("broken", error="It is broken.")
    waiting = ModelResult("waiting")
    first = ModelResult("first", detect(model, patch))
    assert (waiting.waiting, failed.waiting) == (True, False)
    assert failed.to_dict() == {"model": "broken", "error": "It is broken."}
    joined = join_detections([first, failed, ModelResult("second", other), waiting])
    assert joined is not None
    figures = joined.to_dict()
    assert figures["members"] == 2
    assert 0 <= figures["seen_by_all"] <= figures["seen_by_any"] <= 48 * 40
    assert join_detections([first, failed]) is None


def test_the_mean_is_ruled_as_all_models_are_else_as_any_network(
    model: LandslideModel, patch: Patch
) -> None:
    own = Rule(attribute="hectares", minimum=50.0, reason="it is small", source="a test")
    first = ModelResult("first", detect(model, patch))
    model_with_rules = LandslideModel(model.config.model_copy(update={"rules": [own]}))
    second = ModelResult("second", detect(model_with_rules, patch))
    for results, rules in (
        ([first, second], DEFAULT_RULES),
        ([second, first], DEFAULT_RULES),
        ([second, second], (own,)),
    ):
        joined = join_detections(results)
        assert joined is not None and joined.mean.rules == rules


def test_what_needs_no_model_is_done_once_for_several(model: LandslideModel, patch: Patch) -> None:
    prepared = PreparedPatch(patch)
    one, other = prepared.detect(model), prepared.detect(model, 0.3)
    assert one.clouds is other.clouds and one.layers is other.layers and one.patch is other.patch
    assert one.to_dict() | {"milliseconds": 0} == detect(model, patch).to_dict() | {
        "milliseconds": 0
    }


def test_layers_are_those_of_the_patch_made_when_they_are_asked_for(
    patch: Patch,
) -> None:
    layers = PatchLayers(patch)
    assert "texture" in layers and "colour" not in layers
    for name, expected in layers_of(patch).items():
        np.testing.assert_array_equal(layers[name], expected)
    assert set(layers) == set(layers_of(patch)) == set(layers.select([*layers, "colour"]))
    with pytest.raises(KeyError):
        layers["colour"]
    picture = Patch(np.full((3, 32, 32), 0.5, np.float32), ("B4", "B3", "B2"), "display")
    assert set(PatchLayers(picture)) == {"brightness", "texture"}


@pytest.fixture(scope="module")
def cloudy() -> Patch:
    return read_patch(Path(str(resources.files("landslide_zoo.web.samples"))) / "image_4.h5")


@pytest.fixture(scope="module")
def bundled() -> LandslideModel:
    return LandslideModel.from_pretrained("unet-mobilenet_v2-rgb", device="cpu")


def test_clouds_are_not_observed_and_rules_drop_fields(
    bundled: LandslideModel, cloudy: Patch
) -> None:
    found, alone = detect(bundled, cloudy), detect(bundled, cloudy, steps=NETWORK_ALONE)
    assert found.clouds is not None and 0.1 < found.clouds.share < 0.25
    assert not found.prediction.mask[found.clouds.cloud].any()
    assert found.to_dict()["observed"] == pytest.approx(1 - found.clouds.share, abs=1e-6)
    assert "under cloud" in found.notes[0]
    assert "median_vegetation" in {one["rule"] for one in found.to_dict()["dropped"]}
    assert found.prediction.hectares < found.network.hectares < alone.prediction.hectares
    assert np.array_equal(alone.prediction.mask, bundled.predict(cloudy).mask)
    assert (alone.clouds, alone.dropped, alone.notes) == (None, [], [])


def test_each_rule_can_be_switched_off(bundled: LandslideModel, cloudy: Patch) -> None:
    every = detect(bundled, cloudy)
    broken = {one.rule.attribute for one in every.dropped}
    for name in broken:
        fewer = detect(bundled, cloudy, steps=Steps(rules_off=(name,)))
        assert name not in {one.rule.attribute for one in fewer.dropped}
    with pytest.raises(ModelError, match="no rule on 'colour'"):
        detect(bundled, cloudy, steps=Steps(rules_off=("colour",)))


def test_refining_a_prediction_is_what_detecting_does(
    bundled: LandslideModel, cloudy: Patch
) -> None:
    refinement, prediction = Refinement(bundled), bundled.predict(cloudy)
    expected = detect(bundled, cloudy)
    masked = refinement.without_clouds(cloudy, prediction)
    assert np.array_equal(masked.probability, expected.network.probability)
    assert np.array_equal(masked.observed, expected.network.observed)
    assert np.array_equal(refinement.with_rules(cloudy, prediction).mask, expected.prediction.mask)
    clear = replace(cloudy, values=np.tile(cloudy.values[:, 64:, :64], (1, 2, 2)))  # another patch
    refined = refinement.with_rules(clear, bundled.predict(clear))
    assert np.array_equal(refined.mask, detect(bundled, clear).prediction.mask)


def test_a_picture_says_what_cannot_be_told(model: LandslideModel) -> None:
    picture = Patch(np.full((3, 32, 32), 0.5, np.float32), ("B4", "B3", "B2"), "display")
    found = detect(model, picture)
    assert found.clouds is None
    assert "Clouds cannot be told" in found.notes[0] and "median_slope" in found.notes[1]
