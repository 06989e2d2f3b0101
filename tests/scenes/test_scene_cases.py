"""Scenes as people have them: one real scene, stored in every way, is read right or refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from scene_files import real_scene, write_dem, write_raster, write_rgb

from landslide_zoo.data.bands import BAND_NAMES, band
from landslide_zoo.errors import DataError
from landslide_zoo.scenes.products import scene_name
from landslide_zoo.scenes.scene import open_scene

BASELINE_4 = "S2A_MSIL2A_20230207T050649_N0509_R019_T43PFN_20230207T073106"
BGRN = ("B2", "B3", "B4", "B8")
CUT = np.s_[:, 340:540]


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, list[str], dict]:
    """Digital numbers of a real scene (12, 200, 200), with a gap, its bands and its place."""
    with rasterio.open(real_scene("puthumala", "s2_l2a.tif")) as dataset:
        values = dataset.read()[:, *CUT].astype(np.float64)
        values[:, :, :20] = 0
        names = [name.replace("B0", "B") for name in dataset.descriptions]
        return values, names, {"crs": dataset.crs, "transform": dataset.transform}


@pytest.fixture
def colours(sample) -> np.ndarray:
    values, names, _ = sample
    return values[[names.index(name) for name in BGRN]]


def check(
    path: Path, truth: np.ndarray, names: Sequence[str], note: str = "", **options: object
) -> None:
    """Check that a scene is read as the truth, its gaps are not observed, and it is said why."""
    with open_scene(path, **options) as scene:
        patch = scene.read(scene.whole)
    for name in set(names) & set(patch.bands):
        expected = truth[list(names).index(name)]
        found = patch.select((name,))[0]
        np.testing.assert_allclose(found[:, 20:], expected[:, 20:], atol=1, rtol=1e-3)
    assert not patch.observed[:, :20].any()
    assert patch.observed[:, 20:].all()
    assert note in " ".join(scene.notes)
    assert note or not scene.notes


REFLECTANCE = "taken for reflectance from 0 to 1"
STORED = {
    "digital numbers": ("scene", lambda dn: dn, "uint16", None, ""),
    "undone, yet named": (BASELINE_4, lambda dn: dn, "uint16", None, "not for digital numbers to"),
    "1000 added": ("scene", lambda dn: dn + 1000, "uint16", None, "to which 1000 was added"),
    "1000 added, named": (BASELINE_4, lambda dn: dn + 1000, "uint16", None, "-1000 is added, as"),
    "tags": ("scene", lambda dn: dn + 1000, "uint16", (1e-4, -0.1), "by the scale and offset in"),
    "tags left": ("scene", lambda dn: dn, "uint16", (1e-4, -0.1), "not for reflectance by the"),
    "reflectance": ("scene", lambda dn: dn / 1e4, "float32", None, REFLECTANCE),
    "reflectance, named": (BASELINE_4, lambda dn: dn / 1e4, "float32", None, REFLECTANCE),
    "scaled, tags left": ("scene", lambda dn: dn / 1e4, "float32", (1e-4, -0.1), REFLECTANCE),
    "0.1 added": ("scene", lambda dn: dn / 1e4 + 0.1, "float32", None, "to which 0.1 was added"),
    "percent": ("scene", lambda dn: dn / 100, "float32", None, "reflectance in per cent"),
    "sixteen bits": ("scene", lambda dn: dn * 6.5535, "uint16", None, "reflectance x 65,535"),
}


@pytest.mark.parametrize("kind", STORED)
@pytest.mark.parametrize("bands", ["all", "four"])
def test_values_decide_what_numbers_are(tmp_path: Path, sample, colours, kind: str, bands: str):
    stem, store, dtype, tags, note = STORED[kind]
    truth, names = (colours, BGRN) if bands == "four" else sample[:2]
    stored = np.where((truth == 0).all(axis=0), 0, store(truth))
    stored = stored if dtype == "float32" else np.rint(stored)
    path = write_raster(tmp_path / f"{stem}.tif", stored, names, dtype=dtype, **sample[2])
    if tags:
        with rasterio.open(path, "r+") as dataset:
            dataset.scales, dataset.offsets = ([tag] * len(names) for tag in tags)
    check(path, truth, names, note)


def test_values_over_divisors_are_multiplied_back(tmp_path: Path, sample):
    values, names, place = sample
    known = [name for name in names if name in BAND_NAMES]
    truth = values[[names.index(name) for name in known]]
    stored = truth / np.array([band(name).divisor for name in known])[:, None, None]
    path = write_raster(tmp_path / "scene.tif", stored, known, dtype="float32", **place)
    check(path, truth, known, "over the divisors of Landslide4Sense")


@pytest.mark.parametrize(("fill", "factor"), [(-10_000, 1), (-0.1, 1e-4), (32_767, 1)])
def test_one_number_far_from_all_others_is_not_observed(
    tmp_path: Path, sample, colours, fill: float, factor: float
):
    stored = np.where((colours == 0).all(axis=0), fill, colours * factor)
    path = write_raster(tmp_path / "scene.tif", stored, BGRN, dtype="float32", **sample[2])
    with open_scene(path) as scene:
        observed = scene.read(scene.whole).observed
    np.testing.assert_array_equal(observed, np.arange(200)[None].repeat(200, 0) >= 20)


@pytest.mark.parametrize("change", [lambda dn: dn * 1e4, lambda dn: dn[[3, 0, 1, 2]]])
def test_what_no_scale_and_order_makes_reflectance_is_refused(
    tmp_path: Path, sample, colours, change
):
    path = write_raster(
        tmp_path / "odd.tif", change(colours[[2, 1, 0, 3]]), dtype="float32", **sample[2]
    )
    with pytest.raises(DataError, match=r"odd.*--scale, --offset.*--bands"):
        open_scene(path)
    with open_scene(path, scale="DN") as scene:
        assert scene.unit == "physical"


def test_names_that_only_count_say_nothing(tmp_path: Path, sample, colours):
    names = [f"Band {i}" for i in range(1, 5)]
    path = write_raster(tmp_path / "scene.tif", colours[[2, 1, 0, 3]], names, **sample[2])
    check(path, colours, BGRN, "taken for B4, B3, B2, B8")


def test_what_gdal_knows_of_a_file_counts(tmp_path: Path, sample, colours):
    path = write_raster(tmp_path / "coloured.tif", colours, **sample[2])
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = [ColorInterp[name] for name in ("blue", "green", "red", "undefined")]
    check(path, colours, BGRN, "taken for B2, B3, B4, B8")

    path = write_raster(tmp_path / "aux.tif", colours, **sample[2])
    bands = (
        f'<PAMRasterBand band="{i}"><Description>{name}</Description></PAMRasterBand>'
        for i, name in enumerate(BGRN, 1)
    )
    Path(f"{path}.aux.xml").write_text(f"<PAMDataset>{''.join(bands)}</PAMDataset>")
    check(path, colours, BGRN)

    path = write_raster(tmp_path / "masked.tif", np.maximum(colours, 300), BGRN, **sample[2])
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(colours.any(axis=0))
    check(path, np.maximum(colours, 300), BGRN)


@pytest.mark.parametrize(
    ("factor", "dtype", "tags"),
    [(10, "int32", {"scales": [0.1]}), (1 / 0.3048, "float32", {"units": ["ft"]})],
)
def test_the_unit_of_an_elevation_raster_counts(tmp_path: Path, factor: float, dtype: str, tags):
    scene_path = write_rgb(tmp_path / "scene.tif")
    dem = write_dem(tmp_path / "dem.tif", elevation=lambda x, y: factor * (x - 619_000))
    with rasterio.open(dem) as dataset:
        values, place = dataset.read(), {"crs": dataset.crs, "transform": dataset.transform}
    write_raster(dem, np.rint(values), dtype=dtype, **place)
    with pytest.raises(DataError, match="as nowhere on Earth"):
        open_scene(scene_path, dem=dem)
    with rasterio.open(dem, "r+") as dataset:
        for name, value in tags.items():
            setattr(dataset, name, value)
    with open_scene(scene_path, dem=dem) as scene:
        slope = scene.read(scene.whole, ("slope",)).values
        assert "to be metres, as its tags say" in scene.notes[0]
    np.testing.assert_allclose(slope, 45, atol=0.5)


def test_the_database_of_another_proj_is_not_used(tmp_path: Path):
    path = write_rgb(tmp_path / "scene.tif")
    program = f"from landslide_zoo.mapping import open_scene; print(open_scene({str(path)!r}).grid)"
    environment = os.environ | {"PROJ_DATA": str(tmp_path), "PROJ_LIB": str(tmp_path)}
    printed = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert "EPSG:32643" in printed.stdout


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (["A.SAFE"], "A"),
        (["A.SAFE.zip"], "A"),
        (["A.SAFE/MTD_MSIL2A.xml"], "A"),
        (["A.SAFE/IMG_DATA/B04.jp2"], "A"),
        (["a\nb.tif"], "a_b"),
        ([".tif"], "scene"),
        (["x_B04.tif", "x_B03.tif"], "x"),
    ],
)
def test_one_function_names_a_scene(given: list[str], name: str):
    assert scene_name(*map(Path, given)) == name
