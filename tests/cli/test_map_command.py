"""``map``: scenes in, files for a GIS out; a bad scene is one sentence, the others go on."""

from __future__ import annotations

from pathlib import Path

import geopandas
import pytest
import rasterio
from command_line import Answer, Command
from scene_files import write_dem, write_scene

from landslide_zoo.mapping import map_scene


@pytest.fixture
def map_command(command: Command, model_folder: Path, tmp_path: Path) -> Command:
    """Run ``landslide-zoo map`` with a trained model; what it writes goes to ``out``."""

    def run(*arguments: object) -> Answer:
        return command("map", "--model", model_folder, "--output", tmp_path / "out", *arguments)

    return run


def test_the_files_of_a_map(map_command: Command, model_folder: Path, tmp_path: Path) -> None:
    path = write_scene(tmp_path / "valley.tif")
    dem = write_dem(tmp_path / "dem.tif")
    options = ("--rule-off", "all", "--threshold", 0.5, "--clouds", "keep")
    answer = map_command(path, "--dem", dem, "--format", "geojson", *options)
    assert (answer.status, answer.errors) == (0, [])
    out = tmp_path / "out"
    assert {file.name for file in out.iterdir() if not file.name.startswith(".")} == {
        "valley_probability.tif",
        "valley_mask.tif",
        "valley_landslides.geojson",
        "valley_mask.qml",
        "valley_report.html",
    }
    # The function gives the same files.
    found = map_scene(
        path,
        tmp_path / "again",
        model=model_folder,
        dem=dem,
        formats=["geojson"],
        rules_off=["all"],
        threshold=0.5,
        clouds="keep",
    )
    count = len(found.landslides)
    assert f"valley: {count} landslide" in answer.out
    assert f"{found.hectares:.2f} ha; 100 % observed." in answer.out
    assert f"Written to {out}." in answer.out
    assert len(geopandas.read_file(out / "valley_landslides.geojson")) == len(found.landslides)


def test_several_scenes_of_which_one_is_bad(map_command: Command, tmp_path: Path) -> None:
    first, second = (write_scene(tmp_path / f"{name}.tif", 64, 64) for name in ("one", "two"))
    bad = tmp_path / "bad.tif"
    bad.write_text("a web page that says the download failed\n")
    answer = map_command(first, bad, second)
    assert answer.status == 1
    (error,) = answer.errors
    assert "bad.tif is neither a GeoTIFF nor JPEG 2000" in error
    assert "2 of 3 scenes mapped." in answer.out
    assert {path.name for path in (tmp_path / "out").glob("*_mask.tif")} == {
        "one_mask.tif",
        "two_mask.tif",
    }


def test_several_models_are_averaged(command: Command, model_folder: Path, tmp_path: Path) -> None:
    path = write_scene(tmp_path / "scene.tif", 64, 64)
    models = ("--model", model_folder, "--model", "unet-efficientnet-b0-rgb")
    answer = command("map", path, *models, "--tta", "--output", tmp_path / "out")
    assert answer.status == 0
    with rasterio.open(tmp_path / "out" / "scene_probability.tif") as dataset:
        told = dataset.tags()["landslide_zoo"]
    assert told.count("weights_sha256") == 2
    assert "eight orientations" in told


def test_bad_usage(map_command: Command, tmp_path: Path) -> None:
    path = write_scene(tmp_path / "scene.tif", 64, 64)
    assert map_command(path, "--format", "shp").status == 2
    assert map_command(path, "--scale", "metres").status == 2
    assert map_command(path, "--memory", 0.1).status == 2
    answer = map_command(path, "--rule-off", "colour")
    assert answer.status == 1
    assert "has no rule on 'colour'" in answer.errors[0]
    assert map_command(tmp_path / "none.tif").errors == [
        f"Error: There is no file or folder {tmp_path / 'none.tif'}."
    ]
