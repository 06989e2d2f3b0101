"""The numbers hold: masks and objects of real patches by every bundled model, and a real map.

``golden/`` was made once from the real data. A change of library or layout may move a pixel in a
thousand; what moves more is another product.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from landslide_zoo import Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.inference import load_predictor, predict
from landslide_zoo.inference.predict import prepare
from landslide_zoo.mapping import map_scene
from landslide_zoo.models.folder import bundled_folders

GOLDEN = Path(__file__).with_name("golden")
FIGURES = json.loads((GOLDEN / "figures.json").read_text())
MASKS = np.load(GOLDEN / "masks.npz")
DIFFERENT = 0.001
"""Share of the pixels of all patches that may differ."""


@cache
def prepared(path: Path) -> Patch:
    """A patch whose clouds are found once for all models."""
    return prepare(read_patch(path))


def unpacked(key: str, shape: tuple[int, int]) -> np.ndarray:
    return np.unpackbits(MASKS[key], axis=1)[:, : shape[1]].astype(bool)


def same_places(objects: list[list], golden: list[list]) -> bool:
    """Whether objects (pixels, row, column) are the golden ones, to a few pixels."""
    return len(objects) == len(golden) and all(
        abs(a[0] - b[0]) <= max(3, 0.05 * b[0]) and abs(a[1] - b[1]) < 2 and abs(a[2] - b[2]) < 2
        for a, b in zip(objects, golden, strict=True)
    )


@pytest.mark.parametrize("name", bundled_folders())
def test_patches(name: str, real_data: Path) -> None:
    model = load_predictor(bundled_folders()[name])
    different = network_different = pixels = 0
    area = golden_area = 0.0
    other_objects = []
    for key, golden in FIGURES.items():
        if not key.startswith(f"{name}/"):
            continue
        (detection,) = predict(model, [prepared(real_data / golden["path"])])
        mask = detection.mask.astype(bool)
        pixels += mask.size
        different += int((mask != unpacked(key, mask.shape)).sum())
        network = detection.network.mask.astype(bool)
        network_different += int((network != unpacked(f"{key}/network", mask.shape)).sum())
        area += detection.hectares
        golden_area += golden["hectares"]
        assert abs(int(detection.observed.sum()) - golden["observed"]) <= 20
        objects = [[x.pixels, x.row, x.column] for x in detection.objects]
        if not same_places(objects, golden["objects"]):
            other_objects.append(key)
    assert pixels and different <= DIFFERENT * pixels and network_different <= DIFFERENT * pixels
    assert area == pytest.approx(golden_area, rel=0.01)
    assert len(other_objects) <= 1, other_objects


def test_map(real_data: Path, tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    golden = FIGURES["puthumala"]
    result = map_scene(real_data / golden["scene"], tmp_path, dem=real_data / golden["dem"])
    (path,) = (file for file in result.files if file.name.endswith("_mask.tif"))
    with rasterio.open(path) as raster:
        mask = raster.read(1)
    for key, here in (("landslide", mask == 1), ("observed", mask != 255)):
        assert (here != unpacked(f"puthumala/{key}", mask.shape)).sum() <= DIFFERENT * mask.size
    assert result.hectares == pytest.approx(golden["hectares"], rel=0.01)
    pixels = [round(area / 100) for area in result.landslides.area_m2]
    assert pixels == pytest.approx(
        [golden_object[0] for golden_object in golden["objects"]], rel=0.01
    )
