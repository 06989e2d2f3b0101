"""``compare``: several models on one patch; one that fails does not stop the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from patch_files import write_h5, write_patch, write_png

from landslide_zoo import LandslideModel

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


def test_a_model_that_fails_is_named_and_the_others_go_on(compare: Command, tmp_path: Path) -> None:
    answer = compare(write_png(tmp_path / "view.png"))
    assert answer.status == 1
    assert len(answer.out.splitlines()) == 2
    (error,) = answer.errors
    assert "all-bands: view is a true-colour picture" in error
