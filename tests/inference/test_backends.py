"""From a model folder to a predictor: each backend, and folders that are ensembles."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from patch_files import physical_values
from trained_model import make_record

from landslide_zoo import LandslideModel, ModelZoo, Patch
from landslide_zoo.errors import ModelError
from landslide_zoo.inference import Ensemble, detect, load_predictor
from landslide_zoo.models import EnsembleConfig, ModelConfig
from landslide_zoo.models.card import replace_record
from landslide_zoo.models.files import ensemble_sha256

NAME, OTHER = "first-rgb", "second-rgb"


@pytest.fixture
def patch() -> Patch:
    return Patch(physical_values(64, 96).astype(np.float32))


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
    digest = ensemble_sha256(folder, config.members)
    replace_record(folder, make_record().model_copy(update={"weights_sha256": digest}))
    return folder


def test_a_folder_without_a_network_is_the_mean_of_its_members(
    ensemble_folder: Path, patch: Patch
) -> None:
    ensemble = load_predictor(ensemble_folder, "torch")
    assert isinstance(ensemble, Ensemble) and ensemble.record is not None
    found = detect(ensemble, patch)
    members = [LandslideModel.from_folder(ensemble_folder.parent / name) for name in (NAME, OTHER)]
    alone = [member.predict(patch).probability for member in members]
    assert not np.array_equal(*alone)
    np.testing.assert_allclose(found.network.probability, np.mean(alone, axis=0), atol=1e-6)
    assert found.network.threshold == 0.3 and found.network.model == "mean-rgb"
    assert found.to_dict()["backend"] == "torch float32"


def test_the_zoo_lists_and_loads_an_ensemble(ensemble_folder: Path) -> None:
    zoo = ModelZoo(ensemble_folder.parent)
    assert zoo.names() == [NAME, "mean-rgb", OTHER] and not zoo.status()
    entry = zoo.entry("mean-rgb")
    assert entry.size == zoo.entry(NAME).size + zoo.entry(OTHER).size
    assert entry.f1 == 0.6 and entry.paper_f1 is None and NAME in entry.summary
    assert isinstance(zoo.load("mean-rgb", backend="auto"), Ensemble)


def test_an_ensemble_whose_members_changed_is_refused(ensemble_folder: Path) -> None:
    weights = ensemble_folder.parent / NAME / "model.safetensors"
    shutil.copy(ensemble_folder.parent / OTHER / "model.safetensors", weights)
    with pytest.raises(ModelError, match="written for other members"):
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
        ({"members": [NAME, NAME]}, "twice"),
        ({"members": [NAME, "../elsewhere"]}, "members.1"),
        ({"bands": ["B4", "B3", "B99"]}, "unknown band"),
        ({"bands": ["B4"]}, "reads B4, B3, B2"),
        ({"members": [NAME, "mean-rgb"]}, "is an ensemble itself"),
    ],
)
def test_an_ensemble_that_makes_no_sense_is_refused(
    ensemble_folder: Path, changes: dict[str, object], fault: str
) -> None:
    (ensemble_folder / "record.json").unlink()
    path = ensemble_folder / "config.json"
    known = EnsembleConfig.read(path)
    path.write_text(known.model_copy(update=changes).to_json())
    with pytest.raises(ModelError, match=fault):
        load_predictor(ensemble_folder)


def test_an_ensemble_is_no_model_with_weights_of_its_own(ensemble_folder: Path) -> None:
    with pytest.raises(ModelError, match="is an ensemble"):
        LandslideModel.from_pretrained(ensemble_folder)
    with pytest.raises(ModelError, match="is an ensemble"):
        ModelConfig.read(ensemble_folder / "config.json")
