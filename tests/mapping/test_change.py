"""Before and after: an earlier scene is laid on a later one, and old scars are dropped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from mapped_scenes import Slope, found_on
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from scene_files import PLACE, real_scene, scene_values, write_raster
from scipy import ndimage

from landslide_zoo.errors import DataError
from landslide_zoo.inference.rules import DEFAULT_RULES
from landslide_zoo.mapping import map_scene
from landslide_zoo.mapping.change import FRESH, Earlier, align, rules_with_change
from landslide_zoo.mapping.landslides import Landslides
from landslide_zoo.mapping.probabilities import Probabilities
from landslide_zoo.scenes.rasters import Window
from landslide_zoo.scenes.scene import Scene, open_scene

FRESH_PLACE = (slice(20, 40), slice(20, 40))
OLD_PLACE = (slice(20, 40), slice(80, 100))
NDVI_OF_SCAR, NDVI_OF_FOREST = (1800 - 1150) / (1800 + 1150), (2500 - 450) / (2500 + 450)


def clear(window: Window) -> np.ndarray:
    return np.zeros((window.height, window.width), dtype=bool)


def two_dates(height: int = 128, width: int = 128) -> tuple[Slope, Slope]:
    """Before, with an old scar, and after, with a fresh one beside it."""
    before, after = Slope(height, width), Slope(height, width)
    before.put(*OLD_PLACE)
    after.put(*OLD_PLACE)
    after.put(*FRESH_PLACE)
    return before, after


def opened(slope: Slope, folder: Path, **options: object) -> Scene:
    return open_scene(slope.write(folder, name="before", **options))


def compare(
    before: Slope,
    after: Slope,
    folder: Path,
    cloud: np.ndarray | None = None,
    **options: object,
) -> Landslides:
    scene, probabilities = after.open(folder)
    covered = np.zeros(scene.size, dtype=bool) if cloud is None else cloud
    with scene, opened(before, folder) as earlier:
        return found_on(
            scene,
            probabilities,
            rules=rules_with_change(DEFAULT_RULES),
            before=Earlier(earlier, lambda window: covered[window.slices]),
            **options,
        )


def test_an_old_scar_is_dropped_and_a_fresh_one_kept(tmp_path: Path) -> None:
    found = compare(*two_dates(), tmp_path)
    (fresh,), (old,) = found.table.itertuples(), found.dropped.itertuples()
    assert (fresh.row, fresh.column) == (29.5, 29.5)
    assert fresh.ndvi_drop == pytest.approx(NDVI_OF_FOREST - NDVI_OF_SCAR, abs=0.02)
    assert old.rule == FRESH.attribute
    assert "as bare before" in old.why
    assert (found.mask == 1).sum() == 400


def test_clouds_of_the_earlier_date_are_not_observed(tmp_path: Path) -> None:
    cloud = np.zeros((128, 128), dtype=bool)
    cloud[:, 30:] = True
    found = compare(*two_dates(), tmp_path, cloud)
    assert (found.mask[:, 30:] == 255).all()
    (fresh,) = found.table.itertuples()
    assert fresh.area_m2 == 20_000
    assert fresh.hidden_share == pytest.approx(22 / 64, abs=1e-3)
    seen = found.coverage
    assert (seen.observed, seen.unseen_before) == (128 * 30, 128 * 98)


def test_a_scene_without_near_infrared_cannot_be_compared(tmp_path: Path) -> None:
    before, after = two_dates()
    with (
        opened(before, tmp_path, bands=("B4", "B3", "B2")) as earlier,
        pytest.raises(DataError, match=r"before has no B8: scenes before and after are compared"),
    ):
        Earlier(earlier, clear)
    scene, probabilities = after.open(tmp_path, bands=("B4", "B3", "B2"))
    with (
        scene,
        opened(before, tmp_path) as earlier,
        pytest.raises(DataError, match=r"slope has no B8"),
    ):
        found_on(scene, probabilities, rules=(), before=Earlier(earlier, clear))


def bare_ground(scene: Scene, folder: Path) -> Probabilities:
    """What a network says that takes whatever is least green for a landslide."""
    ndvi = scene.read(scene.whole, ("B8", "B4")).index("NDVI")
    found = Probabilities(folder / "bare.npy", scene.size, scene.grid)
    seen = np.ones(scene.size, dtype=bool)
    bare = (ndvi < np.percentile(ndvi, 10)).astype(np.float32)
    found.write(bare, seen, ~seen)
    return found


def test_nothing_is_fresh_where_nothing_slid(real_data: Path, tmp_path: Path) -> None:
    slovenia = real_data / "scenes" / "slovenia"
    later = slovenia / "S2_L1C_2015-09-09_13bands.tif"
    with (
        open_scene(later, dem=slovenia / "DEM.tif") as scene,
        align(slovenia / "S2_L1C_2015-07-11_13bands.tif", scene) as earlier,
    ):
        probabilities = bare_ground(scene, tmp_path)
        alone, compared = (
            found_on(scene, probabilities, rules=rules, before=before)
            for rules, before in (((), None), ((FRESH,), Earlier(earlier, clear)))
        )
    assert len(alone.table) > 10
    assert alone.area > 100_000
    # Small ones appear: at two months' distance some edge of a field is.
    assert compared.area < 0.02 * alone.area


def test_options_of_reading_count_for_both_scenes(model_folder: Path, tmp_path: Path) -> None:
    values = scene_values(64, 64, ("B4", "B3", "B2", "B8"))
    path = write_raster(tmp_path / "percent.tif", values / 100, dtype="float32")
    options = {"bands": ["B4", "B3", "B2", "B8"], "scale": "percent", "clouds": "keep"}
    found = map_scene(
        path, tmp_path, model=model_folder, before=path, threshold=0.2, write=False, **options
    )
    assert len(found.landslides) == 0
    assert found.dropped.ndvi_drop.abs().max() == 0


BANDS = ("B4", "B3", "B2", "B8")
SIZE = 300, 360


def _write(path: Path, values: np.ndarray, rows: float = 0, columns: float = 0, **options) -> Path:
    """A scene whose file says that it lies this many rows and columns further than it does."""
    transform = PLACE @ Affine.translation(columns, rows)
    return write_raster(path, values, BANDS, transform=transform, **options)


@pytest.fixture(scope="module")
def ground() -> np.ndarray:
    """Ground with detail of a few pixels."""
    values = scene_values(*SIZE, BANDS)
    noise = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal(SIZE), 1.2)
    return np.clip(values + 600 * noise, 1, None)


@pytest.fixture
def later(tmp_path: Path, ground):
    with open_scene(_write(tmp_path / "after.tif", ground)) as scene:
        yield scene


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (2.4, 1.7), (12, 9)])
def test_a_shifted_scene_is_put_where_it_belongs(tmp_path: Path, ground, later, rows, columns):
    dimmer = np.rint(0.7 * ground + 90)
    with align(_write(tmp_path / "before.tif", dimmer, rows, columns), later) as before:
        patch = before.read(before.whole, ("B4",))

    assert (before.grid, before.size) == (later.grid, later.size)
    assert bool(rows or columns) == any("was shifted by" in note for note in before.notes)
    aligned = patch.values[0][patch.observed]
    off = np.abs(aligned - dimmer[0][patch.observed])
    assert np.median(off) < 0.02 * dimmer[0].mean()
    assert patch.observed[20:-20, 20:-20].all()


def test_a_scene_in_another_projection_is_put_where_it_belongs(tmp_path: Path, ground, later):
    path = _write(tmp_path / "utm.tif", ground, rows=4, columns=-3)
    with (
        rasterio.open(path) as dataset,
        WarpedVRT(dataset, crs="EPSG:4326", resampling=Resampling.cubic) as degrees,
    ):
        write_raster(
            tmp_path / "before.tif",
            degrees.read(),
            BANDS,
            crs="EPSG:4326",
            transform=degrees.transform,
        )
    with align(tmp_path / "before.tif", later) as before:
        patch = before.read(before.whole, ("B4",))

    assert before.grid == later.grid
    [shift] = [note for note in before.notes if "was shifted" in note]
    assert "up" in shift
    assert "right" in shift
    correlation = np.corrcoef(patch.values[0][patch.observed], ground[0][patch.observed])[0, 1]
    assert correlation > 0.97


def test_clouds_of_either_date_do_not_mislead(tmp_path: Path, ground, later):
    clouded = ground.copy()
    clouded[:, :200, :150] = 9000 + 2000 * ndimage.gaussian_filter(
        np.random.default_rng(2).standard_normal((200, 150)), 5
    )
    with align(_write(tmp_path / "before.tif", clouded, 3, 2), later) as before:
        [shift] = [note for note in before.notes if "was shifted" in note]

    assert "3.0 pixels up and 2.0 pixels left" in shift


def test_a_scene_that_shows_other_ground_is_not_shifted(tmp_path: Path, later):
    other = scene_values(*SIZE, BANDS, seed=9)
    with align(_write(tmp_path / "before.tif", other), later) as before:
        assert any("could not be told how far" in note for note in before.notes)
        np.testing.assert_array_equal(before.read(before.whole, BANDS).values, other)


def test_how_much_of_the_later_scene_is_covered_is_said(tmp_path: Path, ground, later):
    half = write_raster(tmp_path / "half.tif", ground[:, :, :180], BANDS)
    with align(half, later) as before:
        patch = before.read(before.whole)

    assert any("half covers 50 % of after" in note for note in before.notes)
    np.testing.assert_array_equal(patch.observed, np.arange(360)[None].repeat(300, 0) < 180)


def test_real_dates_are_aligned_unless_one_is_cloudy():
    july, august, september = (
        real_scene("slovenia", f"S2_L1C_2015-{day}_13bands.tif")
        for day in ("07-11", "08-20", "09-09")
    )
    with open_scene(september) as scene:
        with align(july, scene) as before:
            assert any("25 of 25 windows" in note for note in before.notes)
        with align(august, scene) as before:
            assert any("could not be told how far" in note for note in before.notes)
