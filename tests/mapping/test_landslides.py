"""Landslides of a scene: those of a patch, whole over the borders of blocks, judged by rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from mapped_scenes import FIELD, Slope, found_on, mask_of, where

from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.inference.indices import layers_of
from landslide_zoo.inference.objects import describe
from landslide_zoo.inference.predict import Prediction
from landslide_zoo.inference.rules import DEFAULT_RULES, LISTED
from landslide_zoo.mapping.landslides import Landslides, find_landslides
from landslide_zoo.mapping.probabilities import Probabilities, State
from landslide_zoo.mapping.rasters import Window
from landslide_zoo.models.config import Rule

SMALL_BLOCKS = 1  # byte of memory: the smallest blocks there are, 256 x 256
MIDDLE = (slice(50, 70), slice(40, 60))


class PatchScene:
    """A patch that is read window by window, as a scene is."""

    def __init__(self, patch: Patch) -> None:
        self.patch = patch
        self.name, self.bands, self.unit = patch.name, patch.bands, patch.unit
        self.size, self.grid, self.notes = patch.size, patch.grid, ()

    def read(self, window: Window, bands: Sequence[str] | None = None) -> Patch:
        names = self.bands if bands is None else tuple(bands)
        values = self.patch.select(names)[:, *window.slices]
        return Patch(values, names, self.unit, observed=self.patch.observed[window.slices])


def same(one: Landslides, other: Landslides) -> bool:
    return all(
        [(a.object, a.why, a.area, a.extent, a.outline) for a in some]
        == [(a.object, a.why, a.area, a.extent, a.outline) for a in others]
        for some, others in ((one.objects, other.objects), (one.dropped, other.dropped))
    )


@pytest.mark.parametrize("number", [1, 27, 28, 150, 3645])
def test_a_patch_is_judged_as_detect_judges_it(
    number: int, real_data: Path, tmp_path: Path
) -> None:
    patch = read_patch(next(real_data.rglob(f"image_{number}.h5")))
    observed = patch.observed.copy()
    observed[20:60, 30:80] = False
    patch = replace(patch, observed=observed)
    red = patch.select(("B4",))[0]
    probability = np.clip(red / np.median(red) / 4, 0, 1).astype(np.float32)
    indices = layers_of(patch)
    expected = Prediction(probability, observed, 0.4, "bright", patch, indices, DEFAULT_RULES)
    probabilities = Probabilities(tmp_path, patch.size)
    probabilities.create()
    probabilities.write(0, probability, observed, ~observed)
    found = find_landslides(PatchScene(patch), probabilities, threshold=0.4, rules=DEFAULT_RULES)
    assert np.array_equal(mask_of(found) == 1, expected.mask > 0)
    assert np.array_equal(mask_of(found) == 255, ~observed)
    assert [one.object for one in found.objects] == expected.objects
    listed = [one for one in expected.dropped if one.object.pixels >= LISTED]
    assert [(one.object, one.why) for one in found.dropped] == [
        (one.object, one.why) for one in listed
    ]


def crossing_scene() -> Slope:
    """Scars inside blocks of 256, on their borders and corners, and a chain over many."""
    slope = Slope(600, 700)
    random = np.random.default_rng(1)
    for row, column in random.integers(5, [570, 670], (40, 2)):
        slope.put(slice(row, row + 12), slice(column, column + 18))
    slope.put(slice(250, 262), slice(240, 270))
    slope.put(slice(500, 530), slice(500, 530), surface=FIELD)
    slope.put(slice(252, 258), slice(508, 516), surface=FIELD)
    slope.put(where(slope, lambda r, c: np.abs(r - 0.8 * c - 20) < 4))
    slope.observed[300:340, 200:300] = False
    slope.cloud[300:340, 200:300] = True
    return slope


def test_landslides_do_not_depend_on_blocks(tmp_path: Path) -> None:
    slope = crossing_scene()
    small = slope.find(tmp_path, memory=SMALL_BLOCKS)
    large = slope.find(tmp_path)
    assert len(small.objects) > 10
    assert len(small.dropped) >= 2
    assert same(small, large)
    assert np.array_equal(mask_of(small), mask_of(large))
    assert small.coverage == large.coverage


def test_the_mask_is_that_of_the_objects(tmp_path: Path) -> None:
    slope = crossing_scene()
    found = slope.find(tmp_path, memory=SMALL_BLOCKS)
    mask = mask_of(found)
    assert set(np.unique(mask)) == {0, 1, 255}
    assert np.array_equal(mask == 255, ~slope.observed)
    assert (mask == 1).sum() == sum(one.object.pixels for one in found.objects)
    assert (mask == 1).sum() == sum(one.outline.area for one in found.objects)
    part = Window(200, 190, 150, 333)
    assert np.array_equal(found.mask(part), mask[part.slices])


def test_how_much_was_seen(tmp_path: Path) -> None:
    slope = crossing_scene()
    slope.observed[:10] = False  # without data, and not under cloud
    seen = slope.find(tmp_path, memory=SMALL_BLOCKS).coverage
    assert (seen.total, seen.cloud, seen.missing) == (420_000, 4000, 7000)
    assert seen.observed == 420_000 - 11_000


def test_what_is_larger_than_a_window_is_described_in_pieces(tmp_path: Path) -> None:
    slope = Slope(1100, 1080)
    frame = where(slope, lambda r, c: (r < 12) | (c > 1070) | ((r > 1080) & (c > 300)))
    slope.put(frame)
    slope.observed[200:300, 1060:1065] = False
    scene, probabilities = slope.open(tmp_path)
    with scene:
        found = found_on(scene, probabilities, rules=())
        patch = scene.read(scene.whole)
    (one,) = found.objects
    layers = layers_of(patch, {"ndvi", "slope", "elevation", "ndwi", "brightness"})
    labels = frame.astype(np.int32)
    (expected,) = describe(labels, slope.probability, slope.observed, scene.grid, layers)
    ours = {name: one.object.attributes[name] for name in expected.attributes}
    assert ours == pytest.approx(expected.attributes, abs=2e-3)
    assert replace(one.object, attributes={}) == replace(expected, attributes={})
    assert one.outline.area == frame.sum()
    assert one.outline.is_valid
    assert np.array_equal(mask_of(found) == 1, frame)
    assert 90 < one.extent.azimuth < 180  # from the upper left to the lower right


def test_rules_drop_and_say_why(tmp_path: Path) -> None:
    slope = Slope()
    slope.put(*MIDDLE)
    slope.put(slice(5, 25), slice(90, 110), surface=FIELD)
    found = slope.find(tmp_path)
    (scar,), (field,) = found.objects, found.dropped
    assert (scar.object.number, scar.rule, scar.why) == (1, None, None)
    assert field.object.number == 1
    assert field.rule.attribute == "median_vegetation"
    assert field.why.startswith("Median vegetation is 0.7")
    assert field.why.endswith(", above 0.65: most of it is covered by plants, as a pale field is.")
    assert mask_of(found)[5:25, 90:110].sum() == 0


def test_a_rule_that_is_switched_off_drops_nothing(tmp_path: Path) -> None:
    slope = Slope()
    slope.put(slice(5, 25), slice(90, 110), surface=FIELD)
    assert len(slope.find(tmp_path, rules=()).objects) == 1


def test_a_smallest_area_takes_the_place_of_the_rules_own(tmp_path: Path) -> None:
    slope = Slope()
    slope.put(*MIDDLE)  # 4 ha
    slope.put(slice(10, 15), slice(10, 15))  # 0.25 ha
    slope.put(slice(100, 102), slice(100, 102))  # 0.04 ha
    usual = slope.find(tmp_path)
    assert [one.object.pixels for one in usual.objects] == [400, 25]
    assert usual.specks == 1
    larger = slope.find(tmp_path, minimum_area=1)
    assert [one.object.pixels for one in larger.objects] == [400]
    assert [one.why for one in larger.dropped] == [
        "Area in hectares is 0.25, below 1: it is smaller than was asked for."
    ]
    assert larger.specks == 1
    every = slope.find(tmp_path, minimum_area=0)
    assert [one.object.pixels for one in every.objects] == [400, 25, 4]
    assert every.specks == 0


def test_a_landslide_has_its_place_and_its_measures(tmp_path: Path) -> None:
    slope = Slope(fall=7.0)
    slope.put(slice(50, 60), slice(30, 70))
    (one,) = slope.find(tmp_path).objects
    assert one.area == 400 * 100
    assert (one.extent.length, one.extent.width) == pytest.approx((400, 100))
    assert one.extent.azimuth == pytest.approx(90)
    attributes = one.object.attributes
    assert attributes["elevation_range"] == pytest.approx(39 * 7, abs=0.1)
    assert attributes["mean_slope"] == pytest.approx(35, abs=0.1)
    assert attributes["mean_ndvi"] == pytest.approx(0.22, abs=0.02)
    assert attributes["median_texture"] >= 0
    # 50 columns and 55 rows from the upper left corner, in the zone of 75 degrees east.
    assert one.place == pytest.approx((76.096, 11.504), abs=0.01)


def test_a_rim_under_cloud_is_told(tmp_path: Path) -> None:
    slope = Slope()
    slope.put(*MIDDLE)
    slope.observed[:, 60:] = False
    slope.cloud[:, 60:] = True
    (one,) = slope.find(tmp_path).objects
    assert one.object.attributes["hidden_contact"] == pytest.approx(22 / 84, abs=1e-3)


def test_where_the_elevation_is_missing_its_rules_do_not_judge(tmp_path: Path) -> None:
    slope = Slope(fall=0.3)  # too flat for landslides
    slope.put(*MIDDLE)
    slope.put(slice(50, 70), slice(100, 120))
    flat = slope.find(tmp_path)
    assert [one.rule.attribute for one in flat.dropped] == ["median_slope", "median_slope"]
    slope.dem[:, 90:] = slope.slope[:, 90:] = np.nan
    found = slope.find(tmp_path)
    (one,) = found.objects
    assert one.object.left == 100
    assert "median_slope" not in one.object.attributes
    assert one.extent.azimuth is None


def test_rules_that_bands_do_not_allow_are_named(tmp_path: Path) -> None:
    slope = Slope()
    slope.put(*MIDDLE)
    found = slope.find(tmp_path, {"bands": ("B4", "B3", "B2")})
    assert len(found.objects) == 1
    assert found.skipped[0] == "The rule on vegetation needs B4, B8, B11, B12, not given here."
    assert len(found.skipped) == len(DEFAULT_RULES) - 1


def test_nothing_found_and_nothing_seen(tmp_path: Path) -> None:
    slope = Slope()
    empty = slope.find(tmp_path)
    assert (empty.objects, empty.dropped, empty.area) == ([], [], 0)
    assert not mask_of(empty).any()
    slope.observed[:] = False
    slope.put(*MIDDLE)
    scene, probabilities = Slope().open(tmp_path)
    probabilities.write(0, slope.probability, slope.observed, slope.cloud)
    with scene:
        unseen = found_on(scene, probabilities)
    assert (mask_of(unseen) == 255).all()
    assert unseen.coverage.observed == 0


def test_vegetation_is_measured_nearby(tmp_path: Path) -> None:
    """What a rule takes from the vegetation around does not change with what lies far away."""
    near, far = Slope(256, 1024), Slope(256, 1024)
    for slope in (near, far):
        slope.put(slice(50, 70), slice(40, 60))
    far.optical[7, :, 600:] *= 0.4  # hardly any green 5 km away
    ours, theirs = near.find(tmp_path), far.find(tmp_path)
    assert [one.object for one in ours.objects] == [one.object for one in theirs.objects]


def test_progress_tells_every_block(tmp_path: Path) -> None:
    states: list[State] = []
    crossing_scene().find(tmp_path, memory=SMALL_BLOCKS, progress=states.append)
    assert [s.done for s in states if s.step == "landslides"] == list(range(10))
    borders = [s for s in states if s.step == "borders"]
    assert borders[-1].done == borders[-1].total > 0


def test_a_whole_scene_that_is_one_landslide_is_summed_up_by_a_sample(tmp_path: Path) -> None:
    slope = Slope(1030, 1030)
    slope.put(slice(None), slice(None))
    slope.optical[7, :500] = 2500  # greener in its upper half
    scene, probabilities = slope.open(tmp_path, bands=("B4", "B8"))
    with scene:
        (one,) = found_on(scene, probabilities, rules=()).objects
        ndvi = scene.read(scene.whole).index("NDVI")
    assert one.object.pixels == 1030 * 1030
    assert one.object.attributes["mean_ndvi"] == pytest.approx(float(ndvi.mean()), abs=2e-3)
    assert one.object.attributes["median_ndvi"] == pytest.approx(float(np.median(ndvi)), abs=2e-2)
    assert one.outline.bounds == (0, 0, 1030, 1030)
    assert one.object.attributes["hidden_contact"] == 0


def test_rules_may_be_any(tmp_path: Path) -> None:
    slope = Slope()
    slope.put(*MIDDLE)
    slope.put(slice(5, 25), slice(5, 65))
    rule = Rule(attribute="elongation", maximum=2.0, reason="it is long", source="a test")
    found = slope.find(tmp_path, rules=[rule])
    assert [one.object.pixels for one in found.objects] == [400]
    assert [one.rule for one in found.dropped] == [rule]


def test_hectares_of_a_grid_in_degrees_are_those_on_the_ground(tmp_path: Path) -> None:
    slope = Slope()
    slope.put(*MIDDLE)
    transform = Affine(18e-5, 0, 76, 0, -9e-5, 60)
    scene, probabilities = slope.open(tmp_path, crs="EPSG:4326", transform=transform)
    with scene:
        found = found_on(scene, probabilities)
    (one,) = found.objects
    # Sixty degrees north these are 10.03 m from north to south, 10.04 m from west to east.
    assert one.area == pytest.approx(400 * 10.03 * 10.04, rel=1e-3)
    assert one.area != 400 * scene.grid.pixel_area
    assert one.object.hectares == one.area / 10_000
