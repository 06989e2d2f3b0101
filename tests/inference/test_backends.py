"""From a model folder to a predictor: each backend, and folders that are ensembles."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from patch_files import random_patch, write_patch
from trained_model import make_record

from landslide_zoo import LandslideModel, ModelZoo, Patch
from landslide_zoo.errors import ModelError
from landslide_zoo.evaluation import LabelledPatches
from landslide_zoo.inference import load_predictor, predict
from landslide_zoo.models import EnsembleConfig
from landslide_zoo.models.card import replace_record
from landslide_zoo.models.config import read_config
from landslide_zoo.models.folder import bundled_folders, weights_sha256

NAME, OTHER = "first-rgb", "second-rgb"
HEAVY = ("torch", "torchvision", "timm", "segmentation_models_pytorch")
LOAD = f"""
import sys
from landslide_zoo.inference import load_predictor
prediction = load_predictor(sys.argv[1], "openvino").predict(sys.argv[2])
print(prediction.mask.sum(), *[name for name in {HEAVY} if name in sys.modules])
"""


@pytest.fixture
def patch() -> Patch:
    return random_patch(64, 96)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of converted networks, empty and of this test alone."""
    monkeypatch.setenv("LANDSLIDE_ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "networks"


@pytest.mark.parametrize("name", ModelZoo().compared_names())
def test_on_real_patches_masks_do_not_differ(name: str, real_data: Path) -> None:
    folder = bundled_folders()[name]
    reference, fast = load_predictor(folder, "torch"), load_predictor(folder)
    assert reference.backend == "torch float32" and fast.backend.startswith("openvino")
    assert (fast.config, fast.record) == (reference.config, reference.record)
    patches = list(LabelledPatches.find(str(real_data / "l4s-14band"), "folder", "all"))
    masks = [
        np.stack([found.mask for found in predict(each, patches, postprocess=False)])
        for each in (fast, reference)
    ]
    assert masks[1].any() and (masks[0] == masks[1]).mean() >= 0.999


def test_pytorch_is_needed_once_and_then_no_more(
    model_folder: Path, kept: Path, tmp_path: Path
) -> None:
    patch = write_patch(tmp_path / "a.h5")
    expected = load_predictor(model_folder, "openvino").predict(patch).mask.sum()
    answer = subprocess.run(
        [sys.executable, "-c", LOAD, model_folder, patch],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == [str(expected)]
    assert len(list(kept.glob("*-f32.xml")) + list(kept.glob("*-bf16.xml"))) == 1


def test_a_file_that_is_damaged_is_made_again(model_folder: Path, kept: Path, patch: Patch) -> None:
    expected = load_predictor(model_folder, "openvino").predict(patch, clouds="keep").probability
    for path in kept.iterdir():
        content = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(content[: len(content) // 2])
    found = load_predictor(model_folder, "openvino").predict(patch, clouds="keep")
    np.testing.assert_allclose(found.probability, expected, atol=1e-6)


def test_a_cache_that_cannot_be_written_is_done_without(
    model_folder: Path, tmp_path: Path, patch: Patch, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LANDSLIDE_ZOO_CACHE", str(tmp_path / "file"))
    assert load_predictor(model_folder).predict(patch, clouds="keep").mask.shape == (64, 96)


def test_other_weights_are_never_taken_for_those_that_were_compiled(
    model_folder: Path, patch: Patch
) -> None:
    before = load_predictor(model_folder).predict(patch, postprocess=False).probability
    model = LandslideModel.from_folder(model_folder, "cpu")
    assert np.array_equal(model.predict(patch, postprocess=False).probability, before)
    next(model.network.parameters()).data.mul_(-1)
    changed = model.predict(patch, postprocess=False).probability
    assert not np.allclose(changed, before)
    model.save_pretrained(model_folder.parent / "changed")
    found = load_predictor(model_folder.parent / "changed").predict(patch, postprocess=False)
    np.testing.assert_allclose(found.probability, changed, atol=1e-3)  # stored as float16
    shutil.copy(model_folder.parent / "changed" / "model.safetensors", model_folder)
    with pytest.raises(ModelError, match="not those that record"):
        load_predictor(model_folder)


def test_a_backend_that_cannot_be_had_is_refused(model_folder: Path) -> None:
    with pytest.raises(ModelError, match="computes on cpu, not on cuda"):
        load_predictor(model_folder, "openvino", "cuda")
    with pytest.raises(ModelError, match="no device 'nonsense'"):
        load_predictor(model_folder, "auto", "nonsense")


@pytest.fixture
def ensemble_folder(model_folder: Path) -> Path:
    """An ensemble of two models that lie beside it."""
    zoo = model_folder.parent
    shutil.move(model_folder, zoo / NAME)
    model = LandslideModel.from_folder(zoo / NAME)
    next(model.network.parameters()).data.mul_(-1)
    model.save_pretrained(zoo / OTHER)
    config = EnsembleConfig(
        name="mean-rgb",
        bands=model.config.bands,
        unit="display",
        threshold=0.3,
        members=[NAME, OTHER],
    )
    folder = zoo / "mean-rgb"
    folder.mkdir()
    (folder / "config.json").write_text(config.to_json())
    digest = weights_sha256(folder)
    replace_record(folder, make_record().model_copy(update={"weights_sha256": digest}))
    return folder


def test_an_ensemble_whose_members_changed_is_refused(ensemble_folder: Path) -> None:
    weights = ensemble_folder.parent / NAME / "model.safetensors"
    shutil.copy(ensemble_folder.parent / OTHER / "model.safetensors", weights)
    with pytest.raises(ModelError, match="not those that record"):
        load_predictor(ensemble_folder)
    shutil.rmtree(weights.parent)
    with pytest.raises(ModelError, match=f"no model '{NAME}' beside it"):
        load_predictor(ensemble_folder)
    (fault,) = ModelZoo(ensemble_folder.parent).status()
    assert "no model" in fault


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"members": [NAME]}, "members"),
        ({"members": [NAME, "../elsewhere"]}, "members.1"),
    ],
)
def test_an_ensemble_that_makes_no_sense_is_refused(
    ensemble_folder: Path, changes: dict[str, object], fault: str
) -> None:
    (ensemble_folder / "record.json").unlink()
    path = ensemble_folder / "config.json"
    known = read_config(path)
    path.write_text(known.model_copy(update=changes).to_json())
    with pytest.raises(ModelError, match=fault):
        load_predictor(ensemble_folder)
