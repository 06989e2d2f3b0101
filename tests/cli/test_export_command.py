"""``export``: one file for another program, or one sentence."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from command_line import Command

from landslide_zoo.models import EnsembleConfig

BUNDLED = "unet-mobilenet_v2-rgb"


def test_the_bundled_model_as_a_file(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = command("export", BUNDLED)
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.startswith(f"{BUNDLED}.onnx written: it takes B4, B3, B2 (display values)")
    assert [path.name for path in tmp_path.iterdir()] == [f"{BUNDLED}.onnx"]


def test_an_ensemble_is_refused(command: Command, model_folder: Path, tmp_path: Path) -> None:
    for name in ("first-rgb", "second-rgb"):
        shutil.copytree(model_folder, tmp_path / name)
    config = EnsembleConfig(
        name="both", bands=["B4", "B3", "B2"], unit="display", members=["first-rgb", "second-rgb"]
    )
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "config.json").write_text(config.to_json())
    answer = command("export", tmp_path / "both", "--output", tmp_path / "both.onnx")
    assert answer.status == 1
    assert "is an ensemble: export its members" in answer.errors[0]
    assert not (tmp_path / "both.onnx").exists()


def test_without_onnx_a_sentence_says_what_to_install(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)  # what an import finds where it is missing
    answer = command("export", BUNDLED, "--output", tmp_path / "model.onnx")
    assert answer.status == 1
    (sentence,) = answer.errors
    assert "pip install 'landslide-zoo[export]'" in sentence
