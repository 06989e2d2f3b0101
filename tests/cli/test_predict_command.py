"""``predict``: files that open elsewhere under the input's name; bad input is one sentence each."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from command_line import Answer, Command
from patch_files import (
    BAD_PATCHES,
    write_bad_patch,
    write_h5,
    write_patch,
)
from PIL import Image

from landslide_zoo import LandslideModel


@pytest.fixture
def predict(command: Command, model_folder: Path, tmp_path: Path) -> Command:
    """Run ``landslide-zoo predict`` with a trained model; what it writes goes to ``out``."""

    def run(*arguments: object) -> Answer:
        return command("predict", "--model", model_folder, "--output", tmp_path / "out", *arguments)

    return run


def test_the_files_of_a_prediction(predict: Command, model_folder: Path, tmp_path: Path) -> None:
    path = write_patch(tmp_path / "image_7.h5", 64, 96)
    answer = predict(path)
    assert (answer.status, answer.err) == (0, "")
    model = LandslideModel.from_pretrained(model_folder, device="cpu")
    expected = model.predict(path)

    out = tmp_path / "out"
    assert {file.name for file in out.iterdir()} == {
        "image_7.npy",
        "mask_7.h5",
        "image_7_overlay.png",
    }
    probability = np.load(out / "image_7.npy")
    assert probability.dtype == np.float32
    assert np.array_equal(probability, expected.probability)
    with h5py.File(out / "mask_7.h5") as file:
        assert (file["mask"].dtype, file["mask"].shape) == (np.uint8, (64, 96))
        assert np.array_equal(file["mask"][()], expected.mask)
        assert np.array_equal(file["observed"][()] == 1, expected.observed)
    assert Image.open(out / "image_7_overlay.png").size == (5 * 96, 5 * 64)

    hectares = expected.mask.sum() / 100
    assert f"1 of 1 patches written, {hectares:.2f} ha of landslides" in answer.out
    assert " with openvino " in answer.out


def test_every_bad_input_is_a_sentence_of_its_own_and_the_others_are_written(
    predict: Command, tmp_path: Path
) -> None:
    good = [write_patch(tmp_path / f"good_{i}.h5", seed=i) for i in range(2)]
    loop = tmp_path / "loop.h5"
    loop.symlink_to(loop)
    bad = [write_bad_patch(kind, tmp_path) for kind in BAD_PATCHES]
    answer = predict(good[0], *bad, loop, good[1])
    assert answer.status == 1
    assert f"2 of {len(bad) + 2} patches written" in answer.out  # a folder is no patch
    assert {file.stem for file in (tmp_path / "out").glob("*.npy")} == {"good_0", "good_1"}
    assert len(answer.errors) == len(bad) + 1
    assert f"Error: There is no file {loop}." in answer.errors
    for path, (_, pattern) in zip(bad, BAD_PATCHES.values(), strict=True):
        (error,) = [error for error in answer.errors if re.search(rf"(?<![\w-]){path.name}", error)]
        assert re.search(pattern, error)


def test_two_inputs_of_one_name_are_refused_before_anything_is_written(
    predict: Command, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    first, second = (write_patch(tmp_path / place / "image_1.h5") for place in (".", "other"))
    answer = predict(first, second)
    assert answer.status == 1
    assert "would both be written as image_1.npy" in answer.errors[0]
    assert not (tmp_path / "out").exists()
    assert predict(first, first).status == 0


def test_no_input_and_no_true_mask_is_replaced(
    command: Command, model_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    path = write_patch(tmp_path / "images" / "image_1.h5")
    (tmp_path / "annotations").mkdir()
    truth = write_h5(tmp_path / "annotations" / "mask_1.h5", mask=np.ones((48, 48), np.uint8))
    before = truth.read_bytes()
    for place, words in (("images", "holds image_1.h5 itself"), ("annotations", "no true mask")):
        answer = command("predict", path, "--model", model_folder, "--output", tmp_path / place)
        assert answer.status == 1
        assert words in answer.errors[0]
        assert len(list((tmp_path / place).iterdir())) == 1
    assert truth.read_bytes() == before


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--model", "unet-resnet99", "There is no model 'unet-resnet99'"),
        ("--model", "./no/such/folder", "no model folder './no/such/folder'"),
        ("--device", "tpu", "There is no device 'tpu'"),
    ],
)
def test_a_model_or_device_that_is_not_there(
    option: str, value: str, sentence: str, predict: Command, tmp_path: Path
) -> None:
    answer = predict(write_patch(tmp_path / "a.h5"), option, value)
    assert answer.status == 1
    assert answer.errors == [next(e for e in answer.errors if sentence in e)]
    assert not (tmp_path / "out").exists()


def test_names_and_text_outside_ascii_under_any_locale(model_folder: Path, tmp_path: Path) -> None:
    """Text is UTF-8 everywhere: Python warns of every file opened in the locale's encoding."""
    model = LandslideModel.from_pretrained(model_folder, device="cpu")
    assert model.record is not None
    model.record = model.record.model_copy(update={"command": "train --data daten_ü_数据"})
    model.save_pretrained(model_folder)
    path = write_patch(tmp_path / "Bergsturz_ü_数据.h5")
    environment = os.environ | {
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "PYTHONWARNDEFAULTENCODING": "1",
        "LANDSLIDE_ZOO": str(model_folder.parent),
    }
    code = (
        "import warnings, sys; from landslide_zoo.cli import main; "
        "warnings.filterwarnings('error', category=EncodingWarning, module='landslide_zoo'); main()"
    )

    def run(*arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, *arguments],
            env=environment,
            capture_output=True,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode("ascii")

    run("predict", path, "--model", model_folder, "--output", tmp_path / "out")
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        f"{path.stem}{end}" for end in (".npy", "_mask.h5", "_overlay.png")
    }
    assert model_folder.name in run("models")
