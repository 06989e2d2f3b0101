"""Whoever is asked about a patch gives one answer: the same mask, area and objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from gradio_client import Client, handle_file
from patch_files import write_h5

from landslide_zoo import LandslideModel, ModelZoo, Prediction, read_mask, read_patch
from landslide_zoo.data.landslide4sense import Sample
from landslide_zoo.evaluation import LabelledPatches, evaluate
from landslide_zoo.inference.predict import Scores
from landslide_zoo.settings import Settings
from landslide_zoo.web.samples import samples
from landslide_zoo.web.service import Service, Upload

MODEL = "unet-mobilenet_v2-rgb"
PATHS = {path.stem: path for path in (Path(str(sample.path)) for sample in samples())}
NAMES = [name for name in PATHS if name in ("image_38", "image_4")]


@pytest.fixture(scope="module")
def expected() -> dict[str, Prediction]:
    """What Python is told, as in the README."""
    model = LandslideModel.from_pretrained(MODEL)
    return {name: model.predict(PATHS[name]) for name in NAMES}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    from web.app_server import serving

    with serving(tmp_path_factory.mktemp("app")) as server:
        yield Client(server.url, verbose=False, download_files=tmp_path_factory.mktemp("files"))


def assert_same(mask: np.ndarray, figures: dict, expected: Prediction) -> None:
    """Whether a mask and its figures are those expected."""
    assert np.array_equal(mask, expected.mask)
    assert figures["area_hectares"] == pytest.approx(expected.hectares, abs=1e-4)
    assert figures["objects"] == len(expected.objects)
    assert len(figures["dropped"]) == len(expected.dropped)
    assert figures["notes"] == expected.notes


def test_the_samples_show_clouds_rules_and_landslides(expected: dict[str, Prediction]) -> None:
    assert [round(each.hectares, 2) for each in expected.values()][NAMES.index("image_4")] == 0.0
    assert expected["image_38"].objects and expected["image_4"].dropped
    assert expected["image_4"].clouds is not None and expected["image_4"].clouds.any()


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line(
    name: str, expected: dict[str, Prediction], command: Command, tmp_path: Path
) -> None:
    answer = command("predict", PATHS[name], "--output", tmp_path)
    assert f"{expected[name].hectares:.2f} ha of landslides" in answer.out
    number = name.removeprefix("image_")
    (row,) = json.loads(command("compare", PATHS[name], "--model", MODEL, "--json").out)
    assert_same(read_mask(tmp_path / f"mask_{number}.h5"), row, expected[name])


@pytest.mark.parametrize("name", NAMES)
def test_the_tabs(name: str, expected: dict[str, Prediction]) -> None:
    service = Service(ModelZoo(), Settings())
    upload = Upload(str(PATHS[name]), None, name)
    detected = service.detect(None, upload)
    *_, compared = service.compare([MODEL], upload)
    for prediction in (detected, compared[MODEL]):
        assert isinstance(prediction, Prediction)
        assert_same(prediction.mask, prediction.to_dict(), expected[name])


@pytest.mark.parametrize("name", NAMES)
def test_the_endpoints(name: str, expected: dict[str, Prediction], client: Client) -> None:
    patch = handle_file(PATHS[name])
    figures, files = client.predict(patch=patch, model=MODEL, api_name="/detect")
    (mask,) = (Path(file) for file in files if Path(file).name.startswith("mask_"))
    assert_same(read_mask(mask), figures, expected[name])
    compared, _ = client.predict(patch=patch, models=[MODEL], api_name="/compare")
    assert_same(read_mask(mask), compared["models"][0], expected[name])


@pytest.mark.parametrize("name", NAMES)
def test_an_evaluation(name: str, expected: dict[str, Prediction], tmp_path: Path) -> None:
    truth = np.zeros((128, 128), np.uint8)
    truth[40:60, 40:60] = 1
    mask = write_h5(tmp_path / "mask.h5", mask=truth)
    sample = Sample(1, "all", PATHS[name], mask)
    patches = LabelledPatches("samples", "folder", "all", (sample,), (None,))
    counted = evaluate(LandslideModel.from_pretrained(MODEL), patches).scores
    right = Scores.of_masks(expected[name].mask, truth, expected[name].observed)
    assert astuple(counted) == astuple(right)


@pytest.mark.parametrize("name", NAMES)
def test_a_map(name: str, expected: dict[str, Prediction], tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    from scene_files import write_raster

    from landslide_zoo.mapping import map_scene

    patch = read_patch(PATHS[name])
    path = write_raster(tmp_path / "scene.tif", patch.values, patch.bands, dtype="float32")
    found = map_scene(path, tmp_path / "out", model=MODEL, level="L1C")
    (file,) = (file for file in found.files if file.name.endswith("mask.tif"))
    with rasterio.open(file) as raster:
        mask = raster.read(1)
    observed = expected[name].observed
    assert np.array_equal(mask != 255, observed)
    assert np.array_equal(mask[observed], expected[name].mask[observed])
    assert len(found.landslides) == len(expected[name].objects)
    assert found.hectares == pytest.approx(expected[name].hectares, rel=0.01)
