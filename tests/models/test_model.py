"""Every network of the zoo builds, trains, saves, loads and predicts, at any size from 32."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from patch_files import physical_values, write_png
from torch.nn import functional

from landslide_zoo import LandslideModel, Patch, read_patch
from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.errors import DataError, ModelError
from landslide_zoo.models import catalog
from landslide_zoo.models.model import choose_device

SMALL = "unet-mobilenet_v2"
SIZES = [(128, 128), (100, 140)]


def patch_of(height: int, width: int, seed: int = 0) -> Patch:
    return Patch(physical_values(height, width, seed).astype(np.float32))


@pytest.fixture(scope="module")
def small() -> LandslideModel:
    torch.manual_seed(0)
    return LandslideModel.from_catalog(SMALL).eval()


@pytest.mark.parametrize("name", list(catalog.names()))
def test_build_train_save_load_predict(name: str) -> None:
    torch.manual_seed(0)
    model = LandslideModel.from_catalog(name).train()
    patches = [patch_of(64, 64, seed) for seed in (1, 2)]
    values = torch.from_numpy(
        np.stack([p.in_unit(model.config.bands, "physical") for p in patches])
    )
    truth = (values[:, -1:] > values[:, -1:].median()).float()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    logits = model(values)
    assert logits.shape == (2, 1, 64, 64)
    loss = functional.binary_cross_entropy_with_logits(logits, truth)
    loss.backward()
    optimiser.step()
    assert loss.isfinite()
    after = list(model.parameters())
    assert all(parameter.isfinite().all() for parameter in after)
    changed = [not torch.equal(one, two) for one, two in zip(before, after, strict=True)]
    assert sum(changed) > 0.9 * len(changed)

    with tempfile.TemporaryDirectory() as folder:  # pytest would keep 2 GB of weights
        model.save_pretrained(folder)
        again = LandslideModel.from_pretrained(Path(folder), device="cpu")
    assert again.config == model.config
    for size in SIZES:
        predictions = [one.predict(patch_of(*size)) for one in (model, again)]
        probability = predictions[0].probability
        assert probability.shape == size and probability.dtype == np.float32
        assert 0 <= probability.min() < probability.max() <= 1
        assert np.array_equal(probability, predictions[1].probability)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (65, 32)])
@pytest.mark.parametrize(
    "name", [SMALL, "unet", "deeplabv3plus-resnet50", "segformer-mit_b2", "upernet-resnet34"]
)
def test_any_size_is_predicted_whole(name: str, size: tuple[int, int]) -> None:
    prediction = LandslideModel.from_catalog(name).predict(patch_of(*size))
    assert prediction.probability.shape == prediction.mask.shape == size
    assert np.isfinite(prediction.probability).all()


@pytest.mark.parametrize("factor", [2, 4])
def test_an_enlarged_input_comes_back_at_its_own_size(factor: int) -> None:
    model = LandslideModel.from_catalog(SMALL).with_config(upsample=factor)
    assert model.predict(patch_of(33, 47)).probability.shape == (33, 47)


def test_a_prediction_does_not_depend_on_the_batch_or_an_earlier_one(
    small: LandslideModel,
) -> None:
    one, two = patch_of(64, 64, 1), patch_of(64, 64, 2)
    first = small.predict(one).probability
    small.predict(two)
    assert np.array_equal(small.predict(one).probability, first)
    with torch.inference_mode():
        both = small(torch.from_numpy(np.stack([one.values, two.values])))
    assert np.allclose(torch.sigmoid(both)[0, 0], first, atol=1e-5)


def test_predicting_leaves_training_mode() -> None:
    trained = LandslideModel.from_catalog(SMALL).train()
    patch = patch_of(64, 64)
    statistics = [buffer.clone() for buffer in trained.buffers()]
    trained.predict(patch)
    assert not trained.training
    assert all(torch.equal(a, b) for a, b in zip(statistics, trained.buffers(), strict=True))


def test_bands_are_found_by_name_whatever_their_order(small: LandslideModel) -> None:
    patch = patch_of(64, 64)
    shuffled = Patch(patch.values[::-1].copy(), bands=BAND_NAMES[::-1])
    assert np.array_equal(small.predict(shuffled).probability, small.predict(patch).probability)


def test_a_patch_without_a_band_is_refused_and_the_band_named(small: LandslideModel) -> None:
    patch = Patch(patch_of(64, 64).values[:13], bands=BAND_NAMES[:13], name="scene")
    with pytest.raises(DataError, match="scene has no band DEM"):
        small.predict(patch)


def test_a_picture_given_to_a_14_band_model_says_what_to_do(
    small: LandslideModel, tmp_path: Path
) -> None:
    picture = read_patch(write_png(tmp_path / "view.png"))
    with pytest.raises(DataError) as refused:
        small.predict(picture)
    for words in ("view is a true-colour picture", "14-band .h5 patch", "ends in -rgb"):
        assert words in str(refused.value)


def test_a_true_colour_model_reads_a_14_band_patch_as_its_picture(tmp_path: Path) -> None:
    model = LandslideModel.from_catalog(f"{SMALL}-rgb")
    patch = patch_of(48, 48)
    shown = Patch(patch.in_unit(model.config.bands, "display"), ("B4", "B3", "B2"), "display")
    assert np.array_equal(model.predict(patch).probability, model.predict(shown).probability)


def test_the_models_own_threshold_unless_another_is_given(small: LandslideModel) -> None:
    model = LandslideModel(small.config).with_config(threshold=0.25)
    patch = patch_of(48, 48)
    assert model.predict(patch).threshold == 0.25
    assert model.predict(patch, threshold=0.75).threshold == 0.75
    assert model.predict(patch, threshold=0.0).mask.all()


def test_temperature_softens_and_does_not_move_one_half(small: LandslideModel) -> None:
    patch = patch_of(48, 48)
    sharp = small.predict(patch)
    soft = LandslideModel(small.config).with_config(temperature=4.0)
    soft.network = small.network
    softened = soft.predict(patch)
    assert np.abs(softened.probability - 0.5).max() < np.abs(sharp.probability - 0.5).max()
    assert np.array_equal(softened.probability > 0.5, sharp.probability > 0.5)


def test_an_unknown_device_is_refused() -> None:
    for name in ("gpu", "cuda:99"):
        with pytest.raises(ModelError, match=f"no device '{name}'"):
            choose_device(name)


def test_names_of_models_that_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("./runs/unet", "/no/such/folder", tmp_path / "unet"):
        with pytest.raises(ModelError, match="There is no model folder"):
            LandslideModel.from_pretrained(name)
    with pytest.raises(ModelError, match="no folder and not bundled"):
        LandslideModel.from_pretrained("unet-resnet99")


def test_a_folder_of_the_working_directory_wins_over_the_hub(
    small: LandslideModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small.save_pretrained("mine")
    small.save_pretrained("runs/mine")
    for name in ("mine", "runs/mine"):
        assert LandslideModel.from_pretrained(name).config == small.config
