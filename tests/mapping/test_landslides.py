"""Landslides of a scene: those of a patch, whole wherever they lie, judged by rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine
from mapped_scenes import FIELD, Slope, found_on, where
from rasterio.features import rasterize

from landslide_zoo.data.patch import Grid, Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.inference.indices import layers_of
from landslide_zoo.inference.predict import Prediction
from landslide_zoo.inference.rules import DEFAULT_RULES, LISTED
from landslide_zoo.mapping.landslides import Ground, crown_to_toe, find_landslides
from landslide_zoo.mapping.probabilities import Probabilities, State
from landslide_zoo.models.config import Rule
from landslide_zoo.scenes.rasters import Window

MIDDLE = (slice(50, 70), slice(40, 60))
UTM = Grid((10.0, 10.0), "EPSG:32643", (10, 0, 600_000, 0, -10, 1_270_000))
DEGREES = Grid((11.06, 10.82), "EPSG:4326", (1e-4, 0, 76.1, 0, -1e-4, 11.5))
SIZE = (200, 300)


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


@pytest.mark.parametrize("number", [1, 27, 28, 150, 3645])
def test_a_patch_is_judged_as_a_prediction_is(number: int, real_data: Path, tmp_path: Path) -> None:
    patch = read_patch(next(real_data.rglob(f"image_{number}.h5")))
    observed = patch.observed.copy()
    observed[20:60, 30:80] = False
    patch = replace(patch, observed=observed)
    red = patch.select(("B4",))[0]
    probability = np.clip(red / np.median(red) / 4, 0, 1).astype(np.float32)
    indices = layers_of(patch)
    expected = Prediction(probability, observed, 0.4, "bright", patch, indices, DEFAULT_RULES)
    probabilities = Probabilities(tmp_path / "patch.npy", patch.size, patch.grid)
    probabilities.write(probability, observed, ~observed)
    found = find_landslides(PatchScene(patch), probabilities, threshold=0.4, rules=DEFAULT_RULES)
    assert np.array_equal(found.mask == 1, expected.mask > 0)
    assert np.array_equal(found.mask == 255, ~observed)
    listed = [item for item in expected.dropped if item.object.pixels >= LISTED]
    for table, objects in (
        (found.table, expected.objects),
        (found.dropped, [item.object for item in listed]),
    ):
        columns = zip(table.row, table.column, table.area_m2, table.elongation, strict=True)
        assert [tuple(values) for values in columns] == [
            (item.row, item.column, 100 * item.pixels, item.attributes["elongation"])
            for item in objects
        ]
    assert list(found.dropped.why) == [item.why for item in listed]


def test_the_mask_is_that_of_the_outlines(tmp_path: Path) -> None:
    slope = Slope(600, 700)
    for row, column in np.random.default_rng(1).integers(5, [570, 670], (40, 2)):
        slope.put(slice(row, row + 12), slice(column, column + 18))
    slope.put(slice(500, 530), slice(500, 530), surface=FIELD)
    slope.put(where(slope, lambda r, c: np.abs(r - 0.8 * c - 20) < 4))
    slope.observed[:10] = slope.observed[300:340, 200:300] = False
    slope.cloud[300:340, 200:300] = True
    states: list[State] = []
    found = slope.find(tmp_path, progress=states.append)
    assert np.array_equal(found.mask == 255, ~slope.observed)
    transform = Affine(*found.ground.grid.transform)
    burnt = rasterize(found.table.geometry, found.mask.shape, transform=transform)
    assert np.array_equal(burnt == 1, found.mask == 1)
    assert found.area == 100 * (found.mask == 1).sum()
    assert len(found.table) > 10
    assert len(found.dropped) >= 1
    seen = found.coverage
    assert (seen.total, seen.cloud, seen.missing) == (420_000, 4000, 7000)
    assert states[-1].done == states[-1].total


def test_a_landslide_that_winds_through_the_whole_scene(tmp_path: Path) -> None:
    slope = Slope(1100, 1080)
    frame = where(slope, lambda r, c: (r < 12) | (c > 1070) | ((r > 1080) & (c > 300)))
    slope.put(frame)
    slope.observed[200:300, 1060:1065] = False
    scene, probabilities = slope.open(tmp_path)
    with scene:
        found = found_on(scene, probabilities, rules=())
        ndvi = scene.read(scene.whole).index("NDVI")
    (landslide,) = found.table.itertuples()
    assert np.array_equal(found.mask == 1, frame)
    assert landslide.area_m2 == 100 * frame.sum()
    assert landslide.mean_ndvi == pytest.approx(ndvi[frame].mean(), abs=1e-4)
    assert landslide.geometry.is_valid
    assert 90 < landslide.azimuth_deg < 180  # from the upper left to the lower right


def test_rules_drop_and_say_why(tmp_path: Path) -> None:
    slope = Slope()
    slope.put(*MIDDLE)
    slope.put(slice(5, 25), slice(90, 110), surface=FIELD)
    found = slope.find(tmp_path)
    (scar,), (field,) = found.table.itertuples(), found.dropped.itertuples()
    assert (scar.id, field.id, field.rule) == (1, 1, "median_vegetation")
    assert field.why.startswith("Median vegetation is 0.7")
    assert found.mask[5:25, 90:110].sum() == 0
    assert len(slope.find(tmp_path, rules=()).table) == 2
    rule = Rule(attribute="elongation", minimum=2.0, reason="it is round", source="a test")
    assert list(slope.find(tmp_path, rules=[rule]).dropped.rule) == ["elongation", "elongation"]


def test_a_smallest_area_takes_the_place_of_the_rules_own(tmp_path: Path) -> None:
    slope = Slope()
    slope.put(*MIDDLE)  # 4 ha
    slope.put(slice(10, 15), slice(10, 15))  # 0.25 ha
    slope.put(slice(100, 102), slice(100, 102))  # 0.04 ha
    usual, larger, every = (slope.find(tmp_path, minimum_area=area) for area in (None, 1, 0))
    assert (list(usual.table.area_m2), usual.specks) == ([40_000, 2500], 1)
    assert (list(larger.table.area_m2), larger.specks) == ([40_000], 1)
    assert "0.25, below 1" in larger.dropped.why[0]
    assert (list(every.table.area_m2), every.specks) == ([40_000, 2500, 400], 0)


def test_a_landslide_has_its_place_and_its_measures(tmp_path: Path) -> None:
    slope = Slope(fall=7.0)
    slope.put(slice(50, 60), slice(30, 70))
    slope.observed[:, 70:] = False
    slope.cloud[:, 70:] = True
    (landslide,) = slope.find(tmp_path).table.itertuples()
    assert landslide.area_m2 == 40_000
    assert (landslide.length_m, landslide.width_m) == pytest.approx((400, 100))
    assert landslide.azimuth_deg == pytest.approx(90)
    assert landslide.elevation_range_m == pytest.approx(39 * 7, abs=0.1)
    assert landslide.mean_slope_deg == pytest.approx(35, abs=0.1)
    assert landslide.mean_ndvi == pytest.approx(0.22, abs=0.02)
    assert landslide.hidden_share == pytest.approx(12 / 104, abs=1e-3)
    # 50 columns and 55 rows from the upper left corner, in the zone of 75 degrees east.
    place = landslide.longitude, landslide.latitude
    assert place == pytest.approx((76.096, 11.504), abs=0.01)


def test_where_the_elevation_is_missing_its_rules_do_not_judge(tmp_path: Path) -> None:
    slope = Slope(fall=0.3)  # too flat for landslides
    slope.put(*MIDDLE)
    slope.put(slice(50, 70), slice(100, 120))
    assert list(slope.find(tmp_path).dropped.rule) == ["median_slope", "median_slope"]
    slope.dem[:, 90:] = slope.slope[:, 90:] = np.nan
    (landslide,) = slope.find(tmp_path).table.itertuples()
    assert landslide.column == 109.5
    assert np.isnan([landslide.mean_slope_deg, landslide.azimuth_deg]).all()


def test_nothing_found_and_nothing_seen(tmp_path: Path) -> None:
    empty = Slope().find(tmp_path)
    assert (len(empty.table), len(empty.dropped), empty.area) == (0, 0, 0)
    assert not empty.mask.any()
    slope = Slope()
    slope.put(*MIDDLE)
    scene, _ = slope.open(tmp_path)
    slope.observed[:] = False
    with scene:
        unseen = found_on(scene, slope.probabilities(tmp_path, scene))
    assert (unseen.mask == 255).all()
    assert unseen.coverage.observed == 0


def square(top: int, left: int, height: int, width: int) -> shapely.MultiPolygon:
    return shapely.MultiPolygon([shapely.box(left, top, left + width, top + height)])


def test_areas_on_the_ground() -> None:
    rows = np.array([5])
    assert Ground(UTM, SIZE).pixel_areas(rows) == 100
    # A degree at 11.5 degrees north is 110.64 km long and 109.10 km wide (WGS 84).
    degrees = Ground(DEGREES, SIZE).pixel_areas(rows)
    assert degrees == pytest.approx(11.064 * 10.910, rel=1e-3)
    stretched = Grid((5.0, 5.0), "EPSG:3857", (10, 0, 0, 0, -10, 8_399_738))  # 60 degrees north
    assert Ground(stretched, SIZE).pixel_areas(rows) == pytest.approx(25, rel=0.02)


@pytest.mark.parametrize(
    ("right", "down", "azimuth", "length", "width"),
    [
        (0, 1, 180, 300, 80),
        (1, 0, 90, 80, 300),  # it slid across its longer side: it is wider than long
        (-1, 0, 270, 80, 300),
        (0, 0, np.nan, 300, 80),  # flat ground
    ],
)
def test_length_lies_between_crown_and_toe(
    right: int, down: int, azimuth: float, length: float, width: float
) -> None:
    rows, columns = (axis.ravel() for axis in np.indices((30, 8)))
    fall = crown_to_toe(rows, columns, 1000.0 - 5 * (right * columns + down * rows))
    extent = Ground(UTM, SIZE).extent(square(0, 0, 30, 8), 15, fall)
    assert extent == pytest.approx((length, width, azimuth), nan_ok=True)
