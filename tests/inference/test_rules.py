"""Rules keep landslides and drop what only looks like one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.inference.indices import layers_of
from landslide_zoo.inference.predict import Prediction
from landslide_zoo.inference.rules import DEFAULT_RULES, rules_of
from landslide_zoo.models.config import Rule, catalog_config

# Digital numbers of B1 to B12 as Landslide4Sense has them, and the slope.
FOREST = (1200, 880, 740, 450, 760, 2000, 2450, 2500, 760, 10, 1300, 590, 35)
SCAR = (1350, 1150, 1100, 1150, 1350, 1600, 1750, 1800, 700, 10, 2000, 1500, 35)
FIELD = (1300, 1100, 1050, 1000, 1400, 2100, 2450, 2600, 900, 10, 3000, 2000, 25)
FLAT_SCAR = (*SCAR[:12], 4)


def scene(**places: tuple[slice, slice]) -> tuple[Patch, Prediction]:
    """Forest with surfaces at places, all of which a network takes for landslides."""
    surfaces = {"scar": SCAR, "field": FIELD, "village": FLAT_SCAR, "wood": FOREST}
    values = np.empty((14, 64, 64), dtype=np.float32)
    values[:] = np.array([*FOREST, 1000.0])[:, None, None]
    probability = np.zeros((64, 64), dtype=np.float32)
    for name, (rows, columns) in places.items():
        values[:13, rows, columns] = np.array(surfaces[name])[:, None, None]
        probability[rows, columns] = 0.9
    patch = Patch(values, BAND_NAMES)
    return patch, Prediction(probability, patch.observed, 0.5, "model", patch)


def apply_rules(
    prediction: Prediction,
    indices: dict[str, np.ndarray],
    rules: Sequence[Rule] = DEFAULT_RULES,
) -> Prediction:
    return replace(prediction, indices=indices, rules=tuple(rules))


A, B, C = (slice(5, 20), slice(5, 20)), (slice(5, 20), slice(40, 55)), (slice(40, 55), slice(5, 20))


def test_a_scar_is_kept_a_dry_field_and_a_village_are_not() -> None:
    patch, prediction = scene(scar=A, field=B, village=C)
    ruled = apply_rules(prediction, layers_of(patch))
    assert ruled.mask[A].all()
    assert ruled.mask.sum() == ruled.mask[A].sum() == ruled.objects[0].pixels
    assert {one.rule.attribute for one in ruled.dropped} == {"median_vegetation", "median_slope"}
    assert ruled.notes == []


def test_what_was_dropped_is_listed_with_the_rule_and_why() -> None:
    patch, prediction = scene(scar=A, village=C)
    (dropped,) = apply_rules(prediction, layers_of(patch)).dropped
    assert dropped.object.pixels == 225
    assert dropped.why == (
        "Median slope is 4, below 8: the ground is too flat: a river bed, a field or a village."
    )


def test_trees_are_cut_out_of_an_outline() -> None:
    patch, prediction = scene(scar=A)
    prediction.probability[5:20, 20:24] = 0.8  # the network's outline reaches into the forest
    ruled = apply_rules(prediction, layers_of(patch))
    assert ruled.objects[0].right == 19
    (cut,) = ruled.dropped
    assert (cut.rule.attribute, cut.object.pixels) == ("vegetation", 60)


def test_a_rule_whose_bands_are_missing_says_so() -> None:
    patch, prediction = scene(scar=A, field=B)
    bare = Patch(patch.select(("B4", "B3", "B2")) / 4000, ("B4", "B3", "B2"), "display")
    ruled = apply_rules(prediction, layers_of(bare))
    assert np.array_equal(ruled.mask, prediction.mask)
    (note,) = ruled.notes
    skipped = [rule.attribute for rule in DEFAULT_RULES if rule.attribute in note]
    assert len(skipped) == len(DEFAULT_RULES) - 1  # all but the one on area


@pytest.mark.parametrize("gain", [0.6, 1.6])
def test_rules_do_not_depend_on_the_light(gain: float) -> None:
    patch, prediction = scene(scar=A, field=B, village=C)
    values = patch.values.copy()
    values[:12] *= gain
    ruled = apply_rules(prediction, layers_of(Patch(values, BAND_NAMES)))
    assert np.array_equal(ruled.mask > 0, apply_rules(prediction, layers_of(patch)).mask > 0)


def test_a_beach_is_not_kept() -> None:
    patch, prediction = scene(scar=A)
    values = patch.values.copy()
    values[:12, :, 20:] = np.array([1300, 900, 700, 400, 300, 250, 220, 200, 150, 10, 100, 70])[
        :, None, None
    ]
    (dropped,) = apply_rules(prediction, layers_of(Patch(values, BAND_NAMES))).dropped
    assert dropped.rule.attribute == "water_contact"


def test_a_rule_of_a_model_is_applied_in_place_of_the_defaults() -> None:
    rule = Rule(attribute="hectares", minimum=3.0, reason="it is small", source="a test")
    config = catalog_config("unet")
    assert rules_of(config) == DEFAULT_RULES
    own = rules_of(config.model_copy(update={"rules": [rule]}))
    patch, prediction = scene(scar=A)
    (dropped,) = apply_rules(prediction, layers_of(patch), own).dropped
    assert dropped.why == "Area in hectares is 2.25, below 3: it is small."


def test_a_bound_that_is_exceeded_by_less_than_attributes_are_rounded_to_is_named() -> None:
    patch, prediction = scene(scar=A)
    patch.values[12][A] = 35.00002
    rule = Rule(attribute="slope", maximum=35.0, reason="it is steep", source="a test")
    (dropped,) = apply_rules(prediction, layers_of(patch), [rule]).dropped
    assert dropped.why == "Slope is 35, above 35: it is steep."


def test_a_patch_without_vegetation_keeps_its_scars() -> None:
    _, prediction = scene(scar=A)
    everywhere = np.array([*SCAR, 1000.0], dtype=np.float32)[:, None, None]
    rock = Patch(np.tile(everywhere, (1, 64, 64)), BAND_NAMES)
    assert apply_rules(prediction, layers_of(rock)).mask[A].all()


def test_the_pale_fields_of_a_real_patch_are_dropped(real_data: Path) -> None:
    folder = real_data / "l4s-14band"
    patch = read_patch(next(folder.rglob("image_27.h5")), mask=next(folder.rglob("mask_27.h5")))
    # A network that marks whatever is bright: scars, and pale fields more than six times as large.
    red = patch.select(("B4",))[0]
    probability = (red > 2 * np.median(red)).astype(np.float32)
    before = Prediction(probability, patch.observed, 0.5, "bright", patch)
    after = apply_rules(before, layers_of(patch))
    assert before.scores(patch.mask).f1 < 0.25
    assert after.scores(patch.mask).f1 > 0.6
