"""Networks in eight bits: their masks, and files of ranges that do not fit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from agreement import agreement, pooled_f1
from command_line import Command
from patch_files import sample_patches

from landslide_zoo import LandslideModel, read_patch
from landslide_zoo.errors import ModelError
from landslide_zoo.evaluation import LabelledPatches
from landslide_zoo.inference import load_predictor
from landslide_zoo.inference.backends.calibration import calibrate
from landslide_zoo.inference.backends.quantization import Ranges
from landslide_zoo.inference.predict import predict
from landslide_zoo.models.folder import RANGES, bundled_folders
from landslide_zoo.web.samples import samples

BUNDLED = "unet-mobilenet_v2-rgb"
ROUNDED = [name for name, folder in bundled_folders().items() if (folder / RANGES).is_file()]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a bundled model, and no compiled network yet."""
    monkeypatch.setenv("LANDSLIDE_ZOO_CACHE", str(tmp_path / "cache"))
    return shutil.copytree(bundled_folders()[BUNDLED], tmp_path / BUNDLED)


@pytest.mark.parametrize("name", ROUNDED)
def test_eight_bits_give_nearly_the_same_masks(name: str) -> None:
    folder = bundled_folders()[name]
    exact, rounded = load_predictor(folder, "torch"), load_predictor(folder, "openvino-int8")
    assert rounded.backend == "openvino int8"
    assert 0.997 < agreement(exact, rounded, sample_patches()) < 1


@pytest.mark.parametrize("name", ROUNDED)
def test_eight_bits_cost_little_f1_on_validation(name: str, real_data: Path) -> None:
    folder = bundled_folders()[name]
    patches = list(LabelledPatches.find(str(real_data / "l4s-rgb"), "folder", "validation"))
    exact, rounded = load_predictor(folder, "torch"), load_predictor(folder, "openvino-int8")
    assert pooled_f1(rounded, patches) == pytest.approx(pooled_f1(exact, patches), abs=3e-3)


def test_what_was_compiled_is_taken_again(folder: Path, tmp_path: Path) -> None:
    patch = read_patch(samples()[0].path)
    (first,) = predict(load_predictor(folder, "openvino-int8"), [patch])
    (blob,) = (tmp_path / "cache" / "compiled").iterdir()
    (again,) = predict(load_predictor(folder, "openvino-int8"), [patch])
    np.testing.assert_array_equal(again.probability, first.probability)
    assert [path.name for path in blob.parent.iterdir()] == [blob.name]
    # In other number types it is another network.
    assert load_predictor(folder, "openvino").backend != "openvino int8"


def test_the_command_line_takes_it(folder: Path, command: Command) -> None:
    patch, out = samples()[0].path, folder.parent / "out"
    options = ("--model", folder, "--output", out, "--backend", "openvino-int8")
    answer = command("predict", patch, *options)
    assert answer.status == 0 and "with openvino int8" in answer.out


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _not_finite(path: Path) -> None:
    ranges = Ranges.read(path.parent)
    key = min(ranges.tensors)
    ranges.tensors[key] = np.full_like(ranges.tensors[key], np.nan)
    ranges.write(path.parent)


def _of_no_operation(path: Path) -> None:
    ranges = Ranges.read(path.parent)
    ranges.tensors["rounded|256|100000|0"] = ranges.tensors.popitem()[1]
    ranges.write(path.parent)


def _of_another_network(path: Path) -> None:
    shutil.copy(bundled_folders()["unet-efficientnet-b0-rgb"] / RANGES, path)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Path.unlink, "no int8.safetensors in"),
        (_cut_short, "is damaged"),
        (_not_finite, "is for other weights"),
        (_of_no_operation, "is for other weights"),
        (_of_another_network, "is for other weights"),
    ],
    ids=["missing", "cut short", "not finite", "of no operation", "of another network"],
)
def test_ranges_that_do_not_fit_are_a_sentence(
    folder: Path, fault: Callable[[Path], None], sentence: str
) -> None:
    fault(folder / RANGES)
    with pytest.raises(ModelError, match=sentence):
        load_predictor(folder, "openvino-int8")
    assert load_predictor(folder, "openvino").backend.startswith("openvino")


def test_ranges_for_other_weights_are_a_sentence(folder: Path) -> None:
    changed = LandslideModel.from_folder(folder)
    next(changed.network.parameters()).data.mul_(-1)
    changed.record = None
    changed.save_pretrained(folder.parent / "changed")
    shutil.copy(folder / RANGES, folder.parent / "changed")
    with pytest.raises(ModelError, match="is for other weights"):
        load_predictor(folder.parent / "changed", "openvino-int8")


def test_ranges_are_found_in_patches(folder: Path) -> None:
    (folder / RANGES).unlink()
    calibrate(folder, [sample.path for sample in samples()]).write(folder)
    exact, rounded = load_predictor(folder, "torch"), load_predictor(folder, "openvino-int8")
    assert agreement(exact, rounded, sample_patches()) > 0.99
