"""``compare``: several models on one patch; one that fails does not stop the others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from patch_files import write_h5, write_patch, write_png

from landslide_zoo import LandslideModel
from landslide_zoo.inference.predict import Scores

FIGURES = ["model", "threshold", "area_hectares", "share", "objects", "milliseconds", "backend"]
SCORES = ["precision", "recall", "f1", "iou"]


@pytest.fixture
def models(model_folder: Path) -> list[Path]:
    """A true-colour model and one that needs all bands."""
    other = model_folder.with_name("all-bands")
    LandslideModel.from_catalog("unet-mobilenet_v2").save_pretrained(other)
    return [model_folder, other]


@pytest.fixture
def compare(command: Command, models: list[Path]) -> Command:
    options = [option for model in models for option in ("--model", model)]
    return lambda *arguments: command("compare", *options, *arguments)


def test_each_model_is_a_row(compare: Command, tmp_path: Path) -> None:
    answer = compare(write_patch(tmp_path / "a.h5"))
    assert answer.status == 0
    header, *rows = answer.out.splitlines()
    assert header.split() == FIGURES
    assert len(rows) == 2
    mask = write_h5(tmp_path / "mask.h5", mask=np.zeros((48, 48), np.uint8))
    header, *rows = compare(tmp_path / "a.h5", "--mask", mask).out.splitlines()
    assert header.split() == FIGURES + SCORES
    assert rows[0].split()[-4:] == ["-"] * 4  # a mask without a landslide has no scores


def test_scores_against_a_mask_are_those_of_the_library(
    compare: Command, models: list[Path], tmp_path: Path
) -> None:
    truth = np.zeros((48, 48), np.uint8)
    truth[10:30, 10:30] = 1
    path = write_patch(tmp_path / "a.h5")
    mask = write_h5(tmp_path / "mask.h5", mask=truth)
    plain = ("--clouds", "keep", "--rule-off", "all")  # the network alone
    rows = json.loads(compare(path, "--mask", mask, *plain, "--json").out)
    for row, folder in zip(rows, models, strict=True):
        found = LandslideModel.from_pretrained(folder, device="cpu").predict(
            path, postprocess=False
        )
        scores = Scores.of_masks(found.mask, truth)
        assert row["scores"]["f1"] == pytest.approx(scores.f1, abs=1e-4)
        assert row["scores"]["true_positives"] == scores.true_positives
        assert row["area_hectares"] == pytest.approx(found.hectares, abs=0.01)
        assert (row["model"], row["warnings"]) == (str(folder), [])
        assert row["threshold"] == pytest.approx(found.threshold)
        assert row["milliseconds"] > 0 and row["backend"].startswith("openvino")


def test_a_model_that_fails_is_named_and_the_others_go_on(compare: Command, tmp_path: Path) -> None:
    answer = compare(write_png(tmp_path / "view.png"))
    assert answer.status == 1
    assert len(answer.out.splitlines()) == 2
    (error,) = answer.errors
    assert "all-bands: view is a true-colour picture" in error
