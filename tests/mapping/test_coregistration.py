"""An earlier scene on the grid of a later one, aligned to within a pixel."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from scene_files import PLACE, UTM, real_scene, scene_values, write_raster, write_safe
from scipy import ndimage

from landslide_zoo.errors import DataError
from landslide_zoo.mapping.change import align
from landslide_zoo.mapping.scenes import open_scene

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


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (3, -2), (2.4, 1.7), (12, 9)])
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


def test_a_scene_of_another_place_or_without_one_is_refused(tmp_path: Path, ground, later):
    with pytest.raises(DataError, match=r"far\.tif has no ground in common with the scene"):
        align(_write(tmp_path / "far.tif", ground, columns=4_000), later)
    nowhere = write_raster(tmp_path / "nowhere.tif", ground, BANDS, crs=None, transform=None)
    with pytest.raises(DataError, match="all of them with a projection"):
        align(nowhere, later)


def test_scenes_without_a_place_are_aligned_pixel_by_pixel(tmp_path: Path, ground):
    nowhere = {"crs": None, "transform": None}
    after = write_raster(tmp_path / "after.tif", ground[:, 5:, 4:], BANDS, **nowhere)
    before = write_raster(tmp_path / "before.tif", ground[:, :-5, :-4], BANDS, **nowhere)
    with open_scene(after) as scene, align(before, scene) as aligned:
        patch = aligned.read(aligned.whole, ("B4",))

    assert any("5.0 pixels up and 4.0 pixels left" in note for note in aligned.notes)
    np.testing.assert_array_equal(
        patch.values[0][:-6, :-5], ground[0, 5:, 4:].astype("uint16")[:-6, :-5]
    )


def test_scenes_without_a_band_in_common_are_refused(tmp_path: Path, later):
    before = write_raster(tmp_path / "before.tif", scene_values(*SIZE, ("B11",)), ("B11",))
    with pytest.raises(DataError, match="have none of B4, B3, B2, B8 in common"):
        align(before, later)


def test_a_product_can_be_laid_onto_a_geotiff(tmp_path: Path):
    product = write_safe(tmp_path, height=240, width=240)
    with open_scene(product) as scene:
        values = scene.read(scene.whole, BANDS).values
    with (
        open_scene(_write(tmp_path / "after.tif", values)) as later,
        align(product, later) as before,
    ):
        np.testing.assert_array_equal(before.read(before.whole, BANDS).values, values)
        assert before.classified
        assert any("The offset of -1000" in note for note in before.notes)


def test_the_real_scene_is_aligned_to_itself_shifted(tmp_path: Path):
    path = real_scene("puthumala", "s2_l2a.tif")
    with rasterio.open(path) as dataset:
        moved = dataset.transform @ Affine.translation(-3.4, 2.2)
        write_raster(
            tmp_path / "before.tif",
            dataset.read(),
            dataset.descriptions,
            crs=UTM,
            transform=moved,
            nodata=0,
        )
    with open_scene(path) as scene, align(tmp_path / "before.tif", scene) as before:
        now, then = (each.read(scene.whole, ("B4",)) for each in (scene, before))

    both = now.observed & then.observed
    assert np.corrcoef(now.values[0][both], then.values[0][both])[0, 1] > 0.999
    assert both.mean() > 0.97


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
