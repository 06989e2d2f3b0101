"""Scenes through networks: what a patch gives, resumed after a kill, used again."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scene_files import scene_values, write_raster, write_safe
from scipy import ndimage

from landslide_zoo import LandslideModel
from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import DataError, ModelError
from landslide_zoo.inference import Ensemble, TestTimeAugmentation
from landslide_zoo.mapping.network import compute_probabilities
from landslide_zoo.mapping.probabilities import SceneWindow
from landslide_zoo.models.config import ModelConfig, PredictorConfig, catalog_config
from landslide_zoo.scenes.scene import open_scene


class Smooth:
    """A predictor without a network: brightness of B4, blurred, with a count of its tiles."""

    backend = "numpy"
    record = SimpleNamespace(weights_sha256="0" * 64)

    def __init__(self, unit: str = "display", name: str = "smooth") -> None:
        self.config = PredictorConfig(name=name, bands=list(TRUE_COLOUR), unit=unit)
        self.scale = 1.0 if unit == "display" else 2000.0
        self.tiles = 0
        self.stop_after: int | None = None

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        if self.stop_after is not None and self.tiles >= self.stop_after:
            raise KeyboardInterrupt
        self.tiles += len(values)
        blurred = ndimage.gaussian_filter(values[:, 0] / self.scale, (0, 2, 2), mode="nearest")
        return np.clip(blurred, 0, 1).astype(np.float32)


def run(path: Path, predictor, folder: Path, clouds="keep", progress=None) -> SceneWindow:
    with open_scene(path) as scene:
        found = compute_probabilities(scene, predictor, folder, clouds=clouds, progress=progress)
        return found.read(scene.whole)


def same(first: SceneWindow, second: SceneWindow) -> bool:
    parts = ("probability", "observed", "cloud")
    return all(
        np.array_equal(getattr(first, part), getattr(second, part), equal_nan=True)
        for part in parts
    )


@pytest.fixture
def long_scene(tmp_path: Path) -> Path:
    """A scene of four rows of one tile each, partly blank."""
    values = scene_values(1500, 64, TRUE_COLOUR)
    values[:, 40:60, 10:30] = 0
    return write_raster(tmp_path / "long.tif", values, TRUE_COLOUR)


@pytest.mark.parametrize("size", [(128, 128), (20, 17), (33, 100), (160, 96)])
def test_a_small_scene_is_one_tile(
    tmp_path: Path, size: tuple[int, int], model_folder: Path
) -> None:
    values = scene_values(*size)
    path = write_raster(tmp_path / "scene.tif", values, BAND_NAMES)
    model = LandslideModel.from_pretrained(model_folder, device="cpu")
    found = run(path, model, tmp_path / "work")
    assert found.observed.all()
    edge = [(0, 0), (0, max(0, 32 - size[0])), (0, max(0, 32 - size[1]))]
    padded = np.pad(values, edge, mode="edge").astype(np.float32)
    expected = model.predict(Patch(padded, BAND_NAMES), clouds="keep")
    expected = expected.probability[: size[0], : size[1]]
    if max(size) <= 128:  # light of a larger scene is its own in every part
        assert np.allclose(found.probability, expected, atol=1e-5)
    else:
        assert found.probability.shape == size


def test_what_is_blank_stays_blank(long_scene: Path, tmp_path: Path) -> None:
    found = run(long_scene, Smooth(), tmp_path / "work")
    blank = np.zeros((1500, 64), dtype=bool)
    blank[40:60, 10:30] = True
    assert np.array_equal(found.observed, ~blank)
    assert not found.cloud.any()
    assert np.isfinite(found.probability[~blank]).all()


def test_work_that_broke_off_starts_over(long_scene: Path, tmp_path: Path) -> None:
    broken, again = Smooth(), Smooth()
    broken.stop_after = 0
    with pytest.raises(KeyboardInterrupt):
        run(long_scene, broken, tmp_path / "work")
    assert not (tmp_path / "work").exists()
    whole = run(long_scene, again, tmp_path / "work")
    assert again.tiles == 4
    assert same(whole, run(long_scene, Smooth(), tmp_path / "whole"))


def test_probabilities_are_used_again_and_only_for_the_same_work(
    long_scene: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    first, second = Smooth(), Smooth()
    found = run(long_scene, first, folder)
    assert same(run(long_scene, second, folder), found)
    assert (first.tiles, second.tiles) == (4, 0)
    assert len(list(folder.iterdir())) == 1

    # Another threshold is the same work; another predictor or scene is not.
    bolder = Smooth()
    bolder.config = bolder.config.model_copy(update={"threshold": 0.9})
    run(long_scene, bolder, folder)
    assert bolder.tiles == 0
    other = Smooth("physical")
    run(long_scene, other, folder)
    assert other.tiles == 4
    os.utime(long_scene, ns=(1, 1))
    run(long_scene, other, folder)
    assert other.tiles == 8
    run(long_scene, Smooth("physical"), folder)  # what was there before stays
    assert len(list(folder.iterdir())) == 3


def test_ensembles_and_augmentation(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "scene.tif", scene_values(300, 600, TRUE_COLOUR), TRUE_COLOUR)
    display, physical = Smooth("display", "one"), Smooth("physical", "two")
    one, two = (run(path, each, tmp_path / each.config.name) for each in (display, physical))
    both = run(path, Ensemble([display, physical], "both"), tmp_path / "both")
    # Each member sees the scene in its own unit, as if it were alone.
    mean = (one.probability + two.probability) / 2
    assert np.allclose(both.probability, mean, atol=1e-6)
    turned = run(
        path, TestTimeAugmentation(Ensemble([display, physical], "both")), tmp_path / "turned"
    )
    assert np.allclose(turned.probability, mean, atol=1e-4)  # a blur looks alike from all sides


def test_a_network_that_scales_by_the_patch_sees_patches(tmp_path: Path) -> None:
    class ByPatch(Smooth):
        sides: set[tuple[int, ...]]

        def probabilities(self, values: np.ndarray) -> np.ndarray:
            self.sides.add(values.shape[2:])
            return super().probabilities(values)

    predictor = ByPatch("physical")
    predictor.sides = set()
    config = catalog_config("unet-mobilenet_v2-rgb").model_dump()
    config["scaling"]["statistics"] = "patch"
    predictor.config = ModelConfig.model_validate(config)
    path = write_raster(tmp_path / "scene.tif", scene_values(200, 300, TRUE_COLOUR), TRUE_COLOUR)
    run(path, predictor, tmp_path / "work")
    assert predictor.sides == {(128, 128)}


def test_what_a_product_classifies_as_cloud_is_not_observed(tmp_path: Path) -> None:
    classes = np.full((60, 90), 4)
    classes[10:30, 20:50] = 9
    path = write_safe(tmp_path, classes=classes)
    found = run(path, Smooth(), tmp_path / "work", clouds="mask")
    cloud = np.zeros((120, 180), dtype=bool)
    cloud[20:60, 40:100] = True
    assert np.array_equal(found.cloud, cloud)
    assert np.array_equal(found.observed, ~cloud)
    kept = run(path, Smooth(), tmp_path / "kept", clouds="keep")
    assert kept.observed.all()


def test_a_scene_that_lacks_what_a_network_reads(tmp_path: Path) -> None:
    few = write_raster(tmp_path / "few.tif", scene_values(64, 64, ("B4", "B3")), ("B4", "B3"))
    with pytest.raises(DataError, match=r"few has no B2; it has B3, B4: choose a model"):
        run(few, Smooth(), tmp_path / "work")
    picture = np.random.default_rng(0).integers(1, 255, (3, 64, 64))
    shown = write_raster(tmp_path / "shown.tif", picture, TRUE_COLOUR, dtype="uint8")
    with pytest.raises(DataError, match=r"shown is a true-colour picture"):
        run(shown, Smooth("physical"), tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_a_damaged_network_is_no_answer(long_scene: Path, tmp_path: Path) -> None:
    class Broken(Smooth):
        def probabilities(self, values: np.ndarray) -> np.ndarray:
            return np.full_like(super().probabilities(values), np.nan)

    with pytest.raises(ModelError, match="not finite"):
        run(long_scene, Broken(), tmp_path / "work")
