"""Each defect of the paper's own app, and that this one does not have it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect
from safetensors.torch import load_file, save_file
from synthetic_patches import make_patch
from visitor import give

from landslide_zoo import LandslideModel, ModelZoo, Patch, read_patch
from landslide_zoo.data import write_patch_h5
from landslide_zoo.errors import DataError, ModelError
from landslide_zoo.figures import enlarge, probability_picture
from landslide_zoo.inference.cache import ModelCache
from landslide_zoo.inference.result import Steps, detect
from landslide_zoo.models.catalog import CATALOG
from landslide_zoo.web.cards import card_html
from landslide_zoo.web.downloads import detection_files, write_files
from landslide_zoo.web.service import Service, Upload
from landslide_zoo.web.settings import Settings


@pytest.fixture
def given(tmp_path: Path) -> Callable[[Patch], Upload]:
    """A patch as a visitor gives it: in a file."""

    def write(patch: Patch) -> Upload:
        path = tmp_path / f"{patch.name}.h5"
        write_patch_h5(path, patch)
        return Upload(str(path), None, patch.name)

    return write


@pytest.fixture
def upload(given: Callable[[Patch], Upload]) -> Upload:
    """A made-up patch, uploaded."""
    return given(make_patch(7, 128))


@pytest.fixture(scope="module")
def service(zoo_folder: Path) -> Service:
    """What the app's tabs and endpoints share, on the trial models."""
    return Service(ModelZoo(zoo_folder), Settings())


def test_the_npy_is_a_numpy_file(service: Service, tmp_path: Path, upload: Upload) -> None:
    found = service.detect("trial-rgb", upload)
    probability = np.load(write_files(detection_files(found))[0], allow_pickle=False)
    np.testing.assert_array_equal(probability, found.network.probability)


def test_segformer_answers_at_full_resolution() -> None:
    model = LandslideModel.from_catalog("segformer-mit_b2")
    assert detect(model, make_patch(7, 128)).prediction.probability.shape == (128, 128)


def test_missing_weights_are_an_error_not_random(
    zoo_folder: Path, tmp_path: Path, upload: Upload
) -> None:
    partial = Path(shutil.copytree(zoo_folder / "trial-rgb", tmp_path / "partial"))
    weights = load_file(partial / "model.safetensors")
    weights.pop(sorted(weights)[0])
    save_file(weights, partial / "model.safetensors")
    (partial / "record.json").unlink()  # which would tell of other weights before they are read
    with pytest.raises(ModelError, match=r"does not fit its config\.json: it lacks"):
        Service(ModelZoo(tmp_path), Settings()).detect("partial", upload)


def test_pickled_weights_are_not_read(zoo_folder: Path, tmp_path: Path, upload: Upload) -> None:
    pickled = Path(shutil.copytree(zoo_folder / "trial-rgb", tmp_path / "pickled"))
    (pickled / "model.safetensors").unlink()

    class Trap:
        def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
            return (pytest.fail, ("a pickle was loaded",))  # type: ignore[return-value]

    torch.save({"weights": Trap()}, pickled / "pytorch_model.bin")
    with pytest.raises(ModelError):
        Service(ModelZoo(tmp_path), Settings()).detect("pickled", upload)


def test_true_colour_is_bands_4_3_2(service: Service, given: Callable[[Patch], Upload]) -> None:
    patch = make_patch(7, 128)
    values = patch.values.copy()
    bright = np.zeros(patch.size, bool)
    bright[:, :64] = True
    values[3] = np.where(bright, 3000, 300)  # B4 alone has a left and a right half
    picture = service.detect("trial-rgb", given(replace(patch, values=values))).picture
    assert picture[bright][:, 0].min() == 255 and picture[~bright][:, 0].max() == 0


def test_one_bright_band_does_not_darken_the_display(
    service: Service, given: Callable[[Patch], Upload]
) -> None:
    patch = make_patch(7, 128)
    values = patch.values.copy()
    values[13] = 60000  # an elevation far above every reflectance
    picture = service.detect("trial-rgb", given(replace(patch, values=values))).picture
    np.testing.assert_array_equal(picture, service.detect("trial-rgb", given(patch)).picture)


def test_a_constant_patch_divides_by_nothing(
    service: Service, given: Callable[[Patch], Upload]
) -> None:
    patch = make_patch(7, 128)
    found = service.detect(
        "trial-rgb", given(replace(patch, values=np.full_like(patch.values, 500)))
    )
    assert np.isfinite(found.prediction.probability).all()
    assert "constant in all bands" in found.warnings[0]


def test_the_scaling_is_the_models_own_and_on_record(service: Service) -> None:
    card = card_html(service.zoo.entry("trial-14"))
    scaling = service.cache.get("trial-14").config.scaling
    assert "Scaling of each channel, done by the model itself" in card
    assert f"<td>{scaling.mean[7]:.4g}</td>" in card


def test_nan_and_inf_are_counted_and_said(service: Service, patches: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(patches / "image_1.h5", tmp_path / "holes.h5"))
    with h5py.File(path, "r+") as file:
        values = file["img"][()]
        values[:40, :40, 3], values[:2, :2, 5] = np.nan, np.inf
        file["img"][...] = values
    found = service.detect("trial-14", Upload(str(path), None, "holes"))
    assert np.isfinite(found.prediction.probability).all()
    assert "1604 values of holes are missing" in found.warnings[0]


def test_any_size_key_and_axis_order_but_no_guessed_bands(
    service: Service, patches: Path, tmp_path: Path
) -> None:
    with h5py.File(patches / "image_1.h5") as file:
        values = file["img"][:100]
    values = np.concatenate([values, values[:, :12]], axis=1)  # 100 x 140
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = values.transpose(2, 0, 1)
    found = service.detect("trial-14", Upload(str(tmp_path / "other.h5"), None, "holes"))
    assert found.prediction.probability.shape == (100, 140)
    with h5py.File(tmp_path / "thirteen.h5", "w") as file:
        file["img"] = values[..., :13]
    with pytest.raises(DataError, match="14 bands"):
        read_patch(tmp_path / "thirteen.h5")


def test_the_threshold_is_the_models_own_and_can_be_moved(service: Service, upload: Upload) -> None:
    found = service.detect("trial-rgb", upload)
    assert found.prediction.threshold == 0.4
    np.testing.assert_array_equal(found.at(0.0).network.mask, found.network.observed)
    assert not found.at(1.0).prediction.mask.any()


def test_probability_has_one_scale_for_all(service: Service) -> None:
    low, high = (probability_picture(np.full((4, 4), value)) for value in (0.2, 0.8))
    assert not np.array_equal(low, high)


def test_the_overlay_leaves_the_rest_untouched(
    service: Service, tmp_path: Path, upload: Upload
) -> None:
    found = service.detect("trial-rgb", upload, steps=Steps("keep", ("all",)))
    overlay = np.asarray(Image.open(write_files(detection_files(found))[2]))
    picture = enlarge(found.picture, overlay.shape[0] // 128)
    changed = (overlay != picture).any(axis=2)
    outside = enlarge(found.prediction.mask, overlay.shape[0] // 128) == 0
    assert changed.any() and not (changed & outside).any()


def test_a_model_is_loaded_once_for_all_files(
    zoo_folder: Path, given: Callable[[Patch], Upload]
) -> None:
    zoo, loads = ModelZoo(zoo_folder), []

    def load(name: str, **options: object) -> LandslideModel:
        loads.append(name)
        return zoo.load(name, **options)

    service = Service(zoo, Settings())
    service.cache = ModelCache(load, 2**30)
    for seed in range(3):
        service.detect("trial-rgb", given(make_patch(seed, 128)))
    assert loads == ["trial-rgb"]


def test_what_could_not_be_loaded_is_tried_again(
    zoo_folder: Path, tmp_path: Path, upload: Upload
) -> None:
    model = Path(shutil.copytree(zoo_folder / "trial-rgb", tmp_path / "mended"))
    weights = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(weights[:5000])
    service = Service(ModelZoo(tmp_path), Settings())
    with pytest.raises(ModelError, match="copy or download the folder again"):
        service.detect("mended", upload)
    (model / "model.safetensors").write_bytes(weights)
    assert service.detect("mended", upload).prediction.model == "mended"


def test_the_plain_unet_is_there_and_no_network_twice() -> None:
    names = [entry.name for entry in CATALOG]
    assert "unet" in names and len(set(names)) == len(names) == 15
    assert len({(entry.architecture, entry.encoder) for entry in CATALOG}) == 15


@pytest.mark.browser
def test_a_download_makes_its_file_and_nothing_else(page: Page, patches: Path) -> None:
    give(page, [patches / "image_1.h5"])
    button = page.locator("#lz-downloads").get_by_text("Probability .npy")
    expect(button).to_be_enabled()
    expect(page.locator("#lz-downloads").get_by_text("All .zip")).to_be_enabled(timeout=15_000)
    posts: list[str] = []
    page.on("request", lambda one: posts.append(one.url) if one.method == "POST" else None)
    result = page.locator(".lz-detection").inner_html()
    with page.expect_download() as started:
        button.click()
    started.value.path()
    assert len(posts) == 1  # one event, which writes the file
    assert page.locator(".lz-detection").inner_html() == result


@pytest.mark.browser
def test_nothing_says_done_where_nothing_was(page: Page, tmp_path: Path) -> None:
    bad = tmp_path / "notes.h5"
    bad.write_text("no HDF5")
    give(page, [bad])
    expect(page.locator("#lz-result .lz-problems")).to_be_visible()
    expect(page.locator(".lz-tiles")).to_have_count(0)
    expect(page.locator("#lz-downloads")).to_be_hidden()
