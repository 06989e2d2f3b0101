"""A model: what it takes, what it answers, and where it is loaded from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from patch_files import random_patch, write_patch
from trained_model import untrained

from landslide_zoo import LandslideModel, Patch, read_patch
from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.errors import DataError, ModelError
from landslide_zoo.inference.model import choose_device

SMALL = "unet-mobilenet_v2"


@pytest.fixture(scope="module")
def small() -> LandslideModel:
    return untrained(SMALL)


def test_predicting_leaves_a_model_in_training_as_it_is() -> None:
    trained = LandslideModel.from_catalog(SMALL).train()
    patch = random_patch(64, 64)
    statistics = [buffer.clone() for buffer in trained.buffers()]
    before = trained.predict(patch).probability
    assert trained.training
    assert all(torch.equal(a, b) for a, b in zip(statistics, trained.buffers(), strict=True))
    torch.nn.init.zeros_(trained.network.segmentation_head[0].weight)
    assert not np.allclose(trained.predict(patch).probability, before)


def test_bands_are_found_by_name_whatever_their_order(small: LandslideModel) -> None:
    patch = random_patch(64, 64)
    shuffled = Patch(patch.values[::-1].copy(), bands=BAND_NAMES[::-1])
    assert np.array_equal(small.predict(shuffled).probability, small.predict(patch).probability)


def test_temperature_softens_and_does_not_move_one_half(small: LandslideModel) -> None:
    patch = random_patch(48, 48)
    sharp = small.predict(patch)
    soft = LandslideModel(small.config).update_config(temperature=4.0)
    soft.network = small.network
    softened = soft.predict(patch)
    assert np.abs(softened.probability - 0.5).max() < np.abs(sharp.probability - 0.5).max()
    assert np.array_equal(softened.probability > 0.5, sharp.probability > 0.5)


def test_a_path_a_patch_or_several_of_either(small: LandslideModel, tmp_path: Path) -> None:
    path = write_patch(tmp_path / "image_1.h5", 48, 48)
    patch = read_patch(path)
    alone = small.predict(path)
    for source in (str(path), patch):
        assert np.array_equal(small.predict(source).probability, alone.probability)
    several = small.predict([path, random_patch(33, 47), patch], threshold=0.9)
    assert [each.probability.shape for each in several] == [(48, 48), (33, 47), (48, 48)]
    assert {each.threshold for each in several} == {0.9}
    assert np.allclose(several[2].probability, alone.probability, atol=1e-5)
    with pytest.raises(DataError, match=r"image_2\.h5"):
        small.predict([path, tmp_path / "image_2.h5"])


def test_an_unknown_device_is_refused() -> None:
    for name in ("gpu", "cuda:99"):
        with pytest.raises(ModelError, match=f"no device '{name}'"):
            choose_device(name)


def test_names_of_models_that_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("./runs/unet", "/no/such/folder", tmp_path / "unet"):
        with pytest.raises(ModelError, match="no model folder"):
            LandslideModel.from_pretrained(name)
    for name in ("unet-resnet99", "x" * 5000, "x\n" * 500):
        with pytest.raises(ModelError, match="neither a folder nor bundled") as refused:
            LandslideModel.from_pretrained(name)
        assert len(str(refused.value)) < 400 and "\n" not in str(refused.value)


def test_a_folder_of_the_working_directory_wins_over_the_hub(
    small: LandslideModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small.save_pretrained("mine")
    small.save_pretrained("runs/mine")
    for name in ("mine", "runs/mine"):
        assert LandslideModel.from_pretrained(name).config == small.config
