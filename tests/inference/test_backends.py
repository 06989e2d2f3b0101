"""From a model folder to a predictor: each backend, and folders that are ensembles."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from agreement import agreement, pooled_f1
from command_line import Command
from labelled_data import write_pair
from patch_files import random_patch, sample_patches, write_patch
from safetensors.numpy import load_file, save_file
from trained_model import make_record, untrained

from landslide_zoo import LandslideModel, ModelZoo, Patch
from landslide_zoo.errors import ModelError
from landslide_zoo.evaluation import LabelledPatches
from landslide_zoo.inference import Ensemble, detect, load_predictor
from landslide_zoo.inference.backends.compiled import CompiledCache
from landslide_zoo.inference.backends.graphs import Graph
from landslide_zoo.inference.backends.openvino import OpenVinoPredictor
from landslide_zoo.inference.backends.torch import TorchPredictor
from landslide_zoo.models import EnsembleConfig, ModelConfig
from landslide_zoo.models.card import replace_record
from landslide_zoo.models.config import read_config
from landslide_zoo.models.folder import bundled_folders, weights_sha256
from landslide_zoo.models.record import Record

NAME, OTHER = "first-rgb", "second-rgb"
HEAVY = ("torch", "torchvision", "timm", "segmentation_models_pytorch")
LOAD = f"""
import sys
from pathlib import Path
from landslide_zoo.inference import load_predictor
found = load_predictor(Path(sys.argv[1]), "openvino").predict(sys.argv[2])
print(found.mask.sum(), *[name for name in {HEAVY} if name in sys.modules])
"""


@pytest.fixture
def patch() -> Patch:
    return random_patch(64, 96)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of compiled networks, empty and of this test alone."""
    monkeypatch.setenv("LANDSLIDE_ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "compiled"


def load_elsewhere(folder: Path, patch: Path) -> list[str]:
    """Predict in a new process: how many pixels it found, and the heavy modules it imported."""
    answer = subprocess.run(
        [sys.executable, "-c", LOAD, folder, patch], capture_output=True, text=True, check=True
    )
    return answer.stdout.split()


@pytest.mark.parametrize("name", bundled_folders())
def test_openvino_gives_the_masks_of_pytorch(name: str) -> None:
    folder = bundled_folders()[name]
    reference, fast = load_predictor(folder, "torch"), load_predictor(folder)
    assert reference.backend == "torch float32" and fast.backend.startswith("openvino")
    assert (fast.config, fast.record) == (reference.config, reference.record)
    patches = sample_patches()
    assert agreement(fast, reference, patches) >= 0.999
    assert detect(fast, patches[0]).to_dict()["backend"] == fast.backend


@pytest.mark.parametrize("name", ModelZoo().compared_names())
def test_on_real_patches_neither_masks_nor_f1_differ(name: str, real_data: Path) -> None:
    folder = bundled_folders()[name]
    reference, fast = load_predictor(folder, "torch"), load_predictor(folder)
    for dataset, subset, step in (("l4s-14band", "all", 1), ("l4s-rgb", "validation", 4)):
        patches = list(LabelledPatches.find(str(real_data / dataset), "folder", subset))[::step]
        assert agreement(fast, reference, patches) >= 0.999
        assert pooled_f1(fast, patches) == pytest.approx(pooled_f1(reference, patches), abs=1e-3)


def test_a_faster_number_type_is_used_only_where_it_gives_the_same_masks() -> None:
    # Untrained, it is undecided about every pixel: the last bits decide.
    model = untrained("unet-mobilenet_v2")
    exact = OpenVinoPredictor.from_model(model)
    assert exact.backend == "openvino float32"
    assert agreement(exact, model, sample_patches()) >= 0.999


def test_no_pytorch_is_needed_to_predict(model_folder: Path, kept: Path, tmp_path: Path) -> None:
    patch = write_patch(tmp_path / "a.h5")
    found = load_elsewhere(model_folder, patch)
    assert found == [str(load_predictor(model_folder, "openvino").predict(patch).mask.sum())]
    (blob,) = kept.iterdir()
    assert load_elsewhere(model_folder, patch) == found
    assert [path.name for path in kept.iterdir()] == [blob.name]


def test_a_network_without_a_graph_is_converted_by_pytorch(
    model_folder: Path, kept: Path, tmp_path: Path
) -> None:
    model = LandslideModel.from_folder(model_folder)
    scaling = {**model.config.scaling.model_dump(), "statistics": "both"}
    model.update_config(scaling=scaling).save_pretrained(tmp_path / "both")
    assert Graph.of(model.config) is None
    patch = write_patch(tmp_path / "a.h5")
    # In another process again, so that the one that predicts never holds PyTorch.
    assert load_elsewhere(tmp_path / "both", patch) == [str(model.predict(patch).mask.sum())]
    assert len(list(kept.iterdir())) == 1


@pytest.mark.parametrize("fault", ["missing", "shape", "not finite", "cut short"])
def test_weights_that_do_not_fit_are_the_sentence_of_pytorch(
    model_folder: Path, kept: Path, fault: str
) -> None:
    (model_folder / "record.json").unlink()
    weights = model_folder / "model.safetensors"
    tensors = load_file(weights)
    name = "segmentation_head.0.bias"
    if fault == "cut short":
        weights.write_bytes(weights.read_bytes()[:-100])
    else:
        value = {"shape": np.zeros(2, np.float16), "not finite": np.full(1, np.nan, np.float16)}
        given = {name: value[fault]} if fault in value else {}
        save_file({key: one for key, one in tensors.items() if key != name} | given, weights)
    sentences = []
    for backend in ("torch", "openvino"):
        with pytest.raises(ModelError) as raised:
            load_predictor(model_folder, backend)  # type: ignore[arg-type]
        sentences.append(str(raised.value))
    assert sentences[0] == sentences[1]
    assert not kept.exists()


def test_a_damaged_or_foreign_file_is_made_again(
    model_folder: Path, kept: Path, patch: Patch
) -> None:
    expected = load_predictor(model_folder, "openvino").predict(patch).probability
    (blob,) = kept.iterdir()
    whole = blob.read_bytes()
    blob.write_bytes(whole[: len(whole) // 2])
    found = load_predictor(model_folder, "openvino").predict(patch)
    np.testing.assert_allclose(found.probability, expected, atol=1e-6)
    (blob,) = kept.iterdir()
    CompiledCache(kept).write(blob.name.partition(".")[0], b"what no OpenVINO can read")
    found = load_predictor(model_folder, "openvino").predict(patch)
    np.testing.assert_allclose(found.probability, expected, atol=1e-6)


def test_two_processes_at_once_make_one_file(
    model_folder: Path, kept: Path, tmp_path: Path
) -> None:
    patch = write_patch(tmp_path / "a.h5")
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: load_elsewhere(model_folder, patch)[0], range(2))
    assert one == other
    assert load_elsewhere(model_folder, patch) == [one]


def test_other_weights_are_never_taken_for_those_that_were_compiled(
    model_folder: Path, kept: Path
) -> None:
    load_predictor(model_folder, "openvino")
    changed = LandslideModel.from_folder(model_folder)
    next(changed.network.parameters()).data.mul_(-1)
    changed.record = None
    changed.save_pretrained(model_folder.parent / "changed")
    shutil.copy(model_folder.parent / "changed" / "model.safetensors", model_folder)
    with pytest.raises(ModelError, match="not those that record"):
        load_predictor(model_folder, "openvino")
    (model_folder / "record.json").unlink()
    load_predictor(model_folder, "openvino")
    assert len(list(kept.iterdir())) == 2


def test_several_threads_share_a_network(model_folder: Path, patch: Patch) -> None:
    predictor = load_predictor(model_folder, "openvino")
    patches = [Patch(np.roll(patch.values, turn, axis=2)) for turn in range(8)]
    alone = [predictor.predict(one).probability for one in patches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda one: predictor.predict(one).probability, patches))
    np.testing.assert_array_equal(together, alone)


def test_pytorch_with_channels_last_gives_the_same_masks(model_folder: Path, patch: Patch) -> None:
    found = TorchPredictor.from_folder(model_folder, "cpu").predict(patch)
    expected = load_predictor(model_folder, "torch").predict(patch)
    np.testing.assert_allclose(found.probability, expected.probability, atol=1e-5)


def test_a_backend_that_cannot_be_had_is_a_sentence(model_folder: Path) -> None:
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


def test_an_ensemble_is_evaluated_compared_and_used_by_its_name(
    ensemble_folder: Path,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANDSLIDE_ZOO", str(ensemble_folder.parent))
    for subset, number in (("train", 1), ("test", 500), ("test", 510)):
        write_pair(tmp_path / "l4s-rgb", number, subset)
    answer = command("evaluate", "mean-rgb", "--data", tmp_path / "l4s-rgb", "--record")
    assert (answer.status, answer.err) == (0, "")
    record = Record.read(ensemble_folder / "record.json")
    (access,) = record.test_accesses
    assert access.command.startswith("landslide-zoo evaluate mean-rgb --data l4s-rgb")
    assert record.headline is not None and record.headline.f1 != 0.6
    card = (ensemble_folder / "README.md").read_text()
    assert f"| Members | {NAME}, {OTHER} |" in card and f"{record.headline.f1:.4f}" in card

    patch = write_patch(tmp_path / "image_7.h5")
    answer = command("compare", patch, "--json", "--model", "mean-rgb", "--model", NAME)
    assert [row["model"] for row in json.loads(answer.out)] == ["mean-rgb", NAME]
    answer = command("predict", patch, "--model", "mean-rgb", "--output", tmp_path / "out")
    assert answer.status == 0 and "(model mean-rgb)" in answer.out


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
    known = read_config(path)
    path.write_text(known.model_copy(update=changes).to_json())
    with pytest.raises(ModelError, match=fault):
        load_predictor(ensemble_folder)


def test_an_ensemble_is_no_model_with_weights_of_its_own(ensemble_folder: Path) -> None:
    with pytest.raises(ModelError, match="is an ensemble"):
        LandslideModel.from_pretrained(ensemble_folder)
    with pytest.raises(ModelError, match="is an ensemble"):
        ModelConfig.read(ensemble_folder / "config.json")
