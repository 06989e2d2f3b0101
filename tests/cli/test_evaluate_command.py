"""``evaluate``: the same figures as the library, reports and records."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command_line import Command
from labelled_data import write_pair

from landslide_zoo import LandslideModel
from landslide_zoo.evaluation import LabelledPatches, evaluate
from landslide_zoo.models.record import Record


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A dataset of its own subsets, named as the one that the model was trained on."""
    folder = tmp_path / "l4s-rgb"
    for subset, numbers in {"train": [1, 2], "validation": [90], "test": [500, 510]}.items():
        for number in numbers:
            write_pair(folder, number, subset)
    return folder


@pytest.fixture
def other_folder(model_folder: Path) -> Path:
    """A second model, with another threshold."""
    folder = Path(shutil.copytree(model_folder, model_folder.with_name("other")))
    LandslideModel.from_pretrained(folder).update_config(threshold=0.5).save_pretrained(folder)
    return folder


def accesses(folder: Path) -> list[str]:
    return [access.subset for access in Record.read(folder / "record.json").test_accesses]


def test_models_have_rows_their_difference_and_reports_that_lie_apart(
    command: Command, model_folder: Path, other_folder: Path, data: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    answer = command("evaluate", model_folder, other_folder, "--data", data, "--output", output)
    header, *rows = answer.out.splitlines()
    assert answer.status == 0 and header.startswith("model") and "false alarms" in header
    names = [row.partition("  ")[0] for row in rows]
    for i, folder in enumerate((model_folder, other_folder)):
        assert names[2 * i : 2 * i + 2] == [str(folder), f"{folder}, network alone"]
    assert rows[-2].startswith(f"F1 of {model_folder} minus F1 of {other_folder}: ")
    reports = sorted(path.name for path in output.iterdir())
    assert reports == ["unet-mobilenet_v2-rgb", "unet-mobilenet_v2-rgb.2"]
    together = command("evaluate", model_folder, other_folder, "--data", data, "--ensemble")
    assert together.out.splitlines()[1].startswith("mean of unet-mobilenet_v2-rgb and unet-")
    assert accesses(model_folder) == accesses(other_folder) == ["test", "test"]


def test_json_holds_what_the_library_measures(
    command: Command, model_folder: Path, data: Path
) -> None:
    negatives = data / "images" / "train"
    options = ("--negatives", negatives, "--tta", "--clouds", "keep", "--json")
    answer = command("evaluate", model_folder, "--data", data, *options)
    (figures,) = json.loads(answer.out)["evaluations"]
    assert figures["model"].endswith("test-time augmentation")
    assert [alarms["negatives"] for alarms in figures["false_alarms"]] == ["train"]
    answer = command("evaluate", model_folder, "--data", data, "--json")
    (figures,) = json.loads(answer.out)["evaluations"]
    expected = evaluate(LandslideModel.from_pretrained(model_folder), LabelledPatches.find(data))
    assert figures["f1"] == pytest.approx(expected.scores.f1, abs=1e-3)
    assert figures["fingerprint"] == expected.fingerprint


def test_record_keeps_the_result_in_record_and_card(
    command: Command, model_folder: Path, data: Path
) -> None:
    before = (model_folder / "model.safetensors").read_bytes()
    command("evaluate", model_folder, "--data", data, "--subset", "validation")
    assert accesses(model_folder) == []
    answer = command("evaluate", model_folder, "--data", data, "--record", "--json")
    (figures,) = json.loads(answer.out)["evaluations"]
    record = Record.read(model_folder / "record.json")
    (result,) = record.results
    assert result.f1 == figures["network"]["f1"] and accesses(model_folder) == ["test"]
    assert str(data) not in record.to_json()
    assert f"{result.f1:.4f}" in (model_folder / "README.md").read_text()
    assert (model_folder / "model.safetensors").read_bytes() == before


def test_a_result_that_leaks_is_warned_of_and_not_kept(
    command: Command, model_folder: Path, data: Path
) -> None:
    before = (model_folder / "record.json").read_bytes()
    kept = command("evaluate", model_folder, "--data", data, "--subset", "all", "--record")
    assert kept.status == 1 and "its own split" in kept.errors[0]
    assert "may be among those it learned from" in kept.err
    assert (model_folder / "record.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--data", "nowhere"), "There is no folder nowhere"),
        (("--split", "region:S9"), "region S9"),
        (("--negatives", "nowhere"), "nowhere"),
    ],
)
def test_bad_input_is_one_sentence(
    command: Command,
    model_folder: Path,
    data: Path,
    tmp_path: Path,
    options: tuple[str, ...],
    sentence: str,
) -> None:
    output = tmp_path / "out"
    answer = command("evaluate", model_folder, "--data", data, *options, "--output", output)
    (error,) = answer.errors
    assert answer.status == 1 and sentence in error and not output.exists()
    assert accesses(model_folder) == []
