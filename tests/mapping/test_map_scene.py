"""From a scene to its files: what ``detect`` finds in a patch, without seams, always the same."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from scene_files import PLACE, scene_values, write_raster

from landslide_zoo import LandslideModel
from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR
from landslide_zoo.data.readers import read_patch
from landslide_zoo.errors import DataError, ModelError
from landslide_zoo.mapping import map_scene
from landslide_zoo.mapping.maps import SceneMap
from landslide_zoo.mapping.probabilities import State

BUNDLED = "unet-mobilenet_v2-rgb"
IDS = (1, 2, 4, 16, 27, 28, 38, 40, 41)


@pytest.fixture(scope="module")
def model() -> LandslideModel:
    return LandslideModel.from_pretrained(BUNDLED, device="cpu")


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def named(found: SceneMap) -> dict[str, Path]:
    return {path.name.removeprefix(f"{found.name}_"): path for path in found.files}


@pytest.fixture(scope="module")
def side_by_side(real_data: Path) -> np.ndarray:
    """Nine real patches in three rows, shape (14, 384, 384)."""
    patches = [read_patch(real_data / f"l4s-14band/images/image_{one}.h5").values for one in IDS]
    return np.concatenate([np.concatenate(patches[i : i + 3], axis=2) for i in (0, 3, 6)], axis=1)


def test_mapped_again_the_network_does_not_run(
    model: LandslideModel, side_by_side: np.ndarray, tmp_path: Path
) -> None:
    path = write_raster(tmp_path / "scene.tif", side_by_side, BAND_NAMES, dtype="float32")
    map_scene(path, tmp_path / "warm", model=model)  # a module is compiled when first used
    steps: list[State] = []
    first = map_scene(path, tmp_path / "out", model=model, progress=steps.append)
    assert list(dict.fromkeys(state.step for state in steps))[:2] == ["clouds", "network"]
    assert steps[-1].step == "files"
    assert steps[-1].done == steps[-1].total
    steps.clear()
    again = map_scene(
        path, tmp_path / "out", model=model, threshold=0.9, rules_off=["all"], progress=steps.append
    )
    assert not {"clouds", "network"} & {state.step for state in steps}
    fresh = map_scene(path, tmp_path / "new", model=model, threshold=0.9, rules_off=["all"])
    assert again.landslides.equals(fresh.landslides)  # as a run from nothing gives it
    assert first.threshold == model.config.threshold
    assert again.hectares > 0


def test_files_say_where_they_come_from(
    model: LandslideModel, side_by_side: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "S2B_MSIL1C_20180907T043659_N0206_R033_T45.tif"
    write_raster(path, side_by_side, BAND_NAMES, dtype="float32")
    found = map_scene(path, tmp_path / "out", model=model, minimum_area=0.5)
    files = named(found)
    assert set(files) == {
        "probability.tif",
        "mask.tif",
        "landslides.gpkg",
        "mask.qml",
        "report.html",
    }
    assert found.landslides.area_m2.min() >= 5000
    with rasterio.open(files["probability.tif"]) as dataset:
        told = json.loads(dataset.tags()["landslide_zoo"])
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (dataset.dtypes, dataset.nodata) == (("uint8",), 255)
        assert dataset.scales == (pytest.approx(1 / 254),)
        assert (dataset.crs, dataset.transform) == ("EPSG:32643", PLACE)
        scaled = dataset.read(1) * dataset.scales[0]
    assert scaled[pixels(files["mask.tif"]) == 1].min() >= model.config.threshold - 1 / 254
    assert told["acquired"] == "2018-09-07"
    assert told["model"] == BUNDLED
    assert told["networks"][0]["weights_sha256"] == model.record.weights_sha256
    assert {"attribute": "hectares", "minimum": 0.5} in told["rules"]
    table = geopandas.read_file(files["landslides.gpkg"], layer="landslides")
    assert len(table) == len(found.landslides)


def test_what_cannot_be_asked_for(model: LandslideModel, tmp_path: Path) -> None:
    values = scene_values(64, 64, TRUE_COLOUR)
    path = write_raster(tmp_path / "scene.tif", values, TRUE_COLOUR)
    with pytest.raises(ModelError, match="has no rule on 'colour'"):
        map_scene(path, tmp_path / "out", model=model, rules_off=["colour"])
    with pytest.raises(DataError, match=r"0.5 GB of memory to map"):
        map_scene(path, tmp_path / "out", model=model, memory=0.1)
    found = map_scene(path, tmp_path / "out", model=model)
    assert any("Clouds cannot be found without B8" in note for note in found.notes)
