"""``evaluate``: the same figures as the library, reports, records, and the leaderboard."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from labelled_data import write_pair
from loopback_hub import LoopbackHub
from PIL import Image
from trained_model import make_record

from landslide_zoo import LandslideModel
from landslide_zoo.evaluation import LabelledPatches, evaluate
from landslide_zoo.models.record import Record
from landslide_zoo.zoo.leaderboard import Results


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
    return [one.subset for one in Record.read(folder / "record.json").test_accesses]


def test_two_models_have_a_row_each_their_difference_and_reports_that_lie_apart(
    command: Command,
    model_folder: Path,
    other_folder: Path,
    data: Path,
    tmp_path: Path,
) -> None:
    output = tmp_path / "out"
    answer = command("evaluate", model_folder, other_folder, "--data", data, "--output", output)
    header, *rows = answer.out.splitlines()
    assert answer.status == 0
    assert header.startswith("model") and "F1" in header and "false alarms" in header
    assert {str(model_folder), str(other_folder)} <= {row.partition("  ")[0] for row in rows}
    assert rows[-2].startswith(f"F1 of {model_folder} minus F1 of {other_folder}: ")
    assert rows[-1] == f"Written to {output}."
    names = sorted(path.name for path in output.iterdir())
    assert names == ["unet-mobilenet_v2-rgb", "unet-mobilenet_v2-rgb.2"]


def test_the_report_holds_json_markdown_table_and_figures_as_the_library_measures_them(
    command: Command, model_folder: Path, data: Path, tmp_path: Path
) -> None:
    output = tmp_path / "report"
    answer = command("evaluate", model_folder, "--data", data, "--output", output, "--json")
    (folder,) = output.iterdir()
    assert folder.name == "unet-mobilenet_v2-rgb"
    written = {path.name for path in folder.iterdir()}
    pictures = {"reliability.png", "precision_recall.png", "groups.png"}
    assert written == {"evaluation.json", "evaluation.md", "patches.csv", *pictures}
    for name in pictures:
        assert np.asarray(Image.open(folder / name)).std() > 0
    found = json.loads((folder / "evaluation.json").read_text())
    assert json.loads(answer.out)["evaluations"] == [found]
    expected = evaluate(LandslideModel.from_pretrained(model_folder), LabelledPatches.find(data))
    assert found["f1"] == expected.scores.f1
    assert found["average_precision"] == expected.average_precision
    assert found["fingerprint"] == expected.fingerprint
    assert {"slope", "elevation", "NDVI"} == set(found["strata"])
    with (folder / "patches.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["patch"] for row in rows] == ["image_500", "image_510"]
    assert sum(int(row["true_positives"]) for row in rows) == found["true_positives"]
    text = (folder / "evaluation.md").read_text()
    assert f"| F1 | {found['f1']:.4f} |" in text
    assert "## By slope" in text and "## Landslides by size" in text


def test_an_ensemble_is_one_row_and_an_access_for_each_member(
    command: Command, model_folder: Path, other_folder: Path, data: Path
) -> None:
    answer = command("evaluate", model_folder, other_folder, "--data", data, "--ensemble")
    assert answer.out.splitlines()[1].startswith("mean of 2 models")
    assert accesses(model_folder) == accesses(other_folder) == ["test"]


def test_a_stratum_and_negatives_of_ones_own(
    command: Command, model_folder: Path, data: Path, tmp_path: Path
) -> None:
    rain, coast = tmp_path / "rain", tmp_path / "coast"
    rain.mkdir()
    for number in (500, 510):
        np.save(rain / f"image_{number}.npy", np.full((32, 32), number))
    shutil.copytree(data / "images" / "train", coast)
    options = ("--stratum", f"rain={rain}@505", "--negatives", coast, "--tta", "--json")
    answer = command("evaluate", model_folder, "--data", data, *options)
    (found,) = json.loads(answer.out)["evaluations"]
    assert found["test_time_augmentation"] is True
    assert [group["name"] for group in found["strata"]["rain"]] == ["below 505", "505 and more"]
    assert [(one["negatives"], one["patches"]) for one in found["false_alarms"]] == [("coast", 2)]


def test_every_access_to_test_is_logged_and_validation_is_free(
    command: Command, model_folder: Path, data: Path
) -> None:
    before = (model_folder / "model.safetensors").read_bytes()
    command("evaluate", model_folder, "--data", data, "--subset", "validation")
    assert accesses(model_folder) == []
    for _ in range(2):
        command("evaluate", model_folder, "--data", data)
    assert accesses(model_folder) == ["test", "test"]
    record = Record.read(model_folder / "record.json")
    assert record.results[0].f1 == 0.6  # access alone keeps no result
    assert str(data) not in record.to_json()
    assert "landslide-zoo evaluate" in (model_folder / "README.md").read_text()
    assert (model_folder / "model.safetensors").read_bytes() == before


def test_record_keeps_the_result_in_record_and_card(
    command: Command, model_folder: Path, data: Path
) -> None:
    answer = command("evaluate", model_folder, "--data", data, "--record", "--json")
    (found,) = json.loads(answer.out)["evaluations"]
    (result,) = Record.read(model_folder / "record.json").results
    assert result.f1 == found["f1"]
    assert result.details.calibration_error == found["calibration_error"]
    assert f"{result.f1:.4f}" in (model_folder / "README.md").read_text()
    LandslideModel.from_pretrained(model_folder)  # still whole


def test_a_result_that_leaks_is_told_and_not_kept(
    command: Command, model_folder: Path, data: Path
) -> None:
    before = (model_folder / "record.json").read_bytes()
    options = ("--data", data, "--subset", "all")
    kept = command("evaluate", model_folder, *options, "--record")
    assert kept.status == 1
    assert "its own split" in kept.errors[0]
    assert (model_folder / "record.json").read_bytes() == before
    shown = command("evaluate", model_folder, *options)
    assert shown.status == 0
    assert "may be among those it learned from" in shown.err


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--data", "DATA", "--tta", "--record"),
        ("--data", "DATA", "--ensemble", "--record"),
        ("--data", "DATA", "--subset", "train"),
        ("--data", "DATA", "--stratum", "rain"),
        ("--data", "DATA", "--stratum", "rain=FOLDER@a,b"),
    ],
)
def test_bad_usage_exits_with_2(
    command: Command, model_folder: Path, data: Path, options: tuple[str, ...]
) -> None:
    given = [str(data) if option == "DATA" else option for option in options]
    assert command("evaluate", model_folder, *given).status == 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--data", "nowhere"), "There is no folder nowhere"),
        (("--split", "official"), "The official split has"),
        (("--split", "region:S9"), "There is no region 'S9'"),
        (("--negatives", "nowhere"), "There is no folder nowhere"),
        (("--stratum", "rain=nowhere"), "for the stratum 'rain'"),
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
    assert answer.status == 1
    (error,) = answer.errors
    assert sentence in error
    assert not output.exists()
    assert accesses(model_folder) == []


def test_a_record_on_the_hub_is_not_said_to_be_kept(
    command: Command, hub: LoopbackHub, model_folder: Path, data: Path
) -> None:
    repo_id = f"{hub.namespace}/trial-rgb"
    LandslideModel.from_pretrained(model_folder).push_to_hub(repo_id, token=hub.token)
    answer = command("evaluate", repo_id, "--data", data, "--record")
    assert (answer.status, answer.out) == (1, "")
    assert f"{repo_id} is on a Hub, where its record stays as it is" in answer.errors[0]


def test_an_untrained_model_has_no_record_to_keep_anything_in(
    command: Command, data: Path, tmp_path: Path
) -> None:
    LandslideModel.from_catalog("unet-mobilenet_v2-rgb").save_pretrained(tmp_path / "new")
    answer = command("evaluate", tmp_path / "new", "--data", data, "--record")
    assert answer.status == 1
    assert "has no record to keep a result in" in answer.errors[0]


def test_the_leaderboard_is_filled_from_a_zoo(
    command: Command, model_folder: Path, data: Path, tmp_path: Path
) -> None:
    """All models are evaluated; each folder's record and the leaderboard's agree."""
    cards, zoo, network = tmp_path / "cards", model_folder.parent, "unet-mobilenet_v2-rgb"
    (zoo / "broken").mkdir()
    (zoo / "broken" / "config.json").write_text("{}")
    second = LandslideModel.from_catalog("unet-rgb")
    second.record = make_record().model_copy(update={"model": "unet-rgb"})
    second.save_pretrained(zoo / "second")
    answer = command("evaluate", "--zoo", zoo, "--data", data, "--output", cards)
    assert answer.status == 0, answer.err
    results = Results.read(cards)
    assert [model.name for model in results.models] == [network, "unet-rgb"]
    for model, folder in zip(results.models, (model_folder, zoo / "second"), strict=True):
        record = Record.read(folder / "record.json")
        assert model.record == record
        assert accesses(folder) == ["test"]
        assert f"{record.results[0].f1:.4f}" in (cards / f"{model.name}.md").read_text()


def test_the_best_by_validation_stands_for_its_network(
    command: Command, model_folder: Path, other_folder: Path, tmp_path: Path
) -> None:
    """Whatever the order they come in, and what either scores on test."""
    for folder, f1, sha256 in ((model_folder, 0.7, "7" * 64), (other_folder, 0.8, "8" * 64)):
        record = Record.read(folder / "record.json")
        record = record.model_copy(update={"weights_sha256": sha256})
        result = record.results[0].model_copy(update={"subset": "validation", "f1": f1})
        (folder / "record.json").write_text(record.with_result(result).to_json())
    for order in ((model_folder, other_folder), (other_folder, model_folder)):
        cards = tmp_path / order[0].name
        for folder in order:
            assert command("evaluate", "--zoo", folder, "--output", cards).status == 0
        (model,) = Results.read(cards).models
        assert model.record == Record.read(other_folder / "record.json")


def test_without_data_the_leaderboard_takes_what_records_hold(
    command: Command, model_folder: Path, tmp_path: Path
) -> None:
    LandslideModel.from_catalog("unet-mobilenet_v2-rgb").save_pretrained(
        model_folder.with_name("untrained")
    )
    cards = tmp_path / "cards"
    answer = command("evaluate", "--zoo", model_folder.parent, "--output", cards)
    assert answer.status == 1
    assert "untrained is not trained" in answer.errors[0]
    (model,) = Results.read(cards).models
    assert model.record.results[0].f1 == 0.6
    assert accesses(model_folder) == []
