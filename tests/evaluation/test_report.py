"""What an evaluation leaves behind: reports, and notes in a model's record."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from trained_model import make_record

from landslide_zoo import LandslideModel, Patch
from landslide_zoo.evaluation import (
    Evaluation,
    LabelledPatches,
    evaluate,
    evaluation_command,
    keep_in_record,
    leak_warning,
    write_report,
)
from landslide_zoo.inference.predict import Prediction


def test_the_network_alone_and_further_steps_stand_side_by_side(
    model: LandslideModel, dataset: LabelledPatches, tmp_path: Path
) -> None:
    def with_rules(patch: Patch, prediction: Prediction) -> Prediction:
        return prediction.at(0.9)

    result = evaluate(model, dataset, refine={"with rules": with_rules})
    write_report(result, tmp_path)
    found = json.loads((tmp_path / "evaluation.json").read_text())
    alone, refined = found["f1"], found["refined"]["with rules"]["f1"]
    (row,) = [
        line
        for line in (tmp_path / "evaluation.md").read_text().splitlines()
        if line.startswith("| F1 |")
    ]
    assert row.index(f"{alone:.4f}") < row.index(f"{refined:.4f}")


def test_access_to_held_out_patches_is_always_noted(result: Evaluation) -> None:
    seen = replace(result, subset="test")
    record = make_record()
    for command in ("first", "second"):
        record = keep_in_record(record, seen, command, result=False)
    assert [(one.subset, one.command) for one in record.test_accesses] == [
        ("test", "first"),
        ("test", "second"),
    ]
    assert record.results == make_record().results
    validated = replace(result, subset="validation")
    assert keep_in_record(make_record(), validated, "x", result=False) == make_record()


def test_a_kept_result_takes_the_place_of_the_earlier_one(result: Evaluation) -> None:
    again = replace(result, dataset="l4s-rgb", subset="test")
    record = keep_in_record(make_record(), again, "again", result=True)
    assert record.results == [again.result("again")]
    other = replace(result, dataset="another", subset="test")
    record = keep_in_record(record, other, "x", result=True)
    assert record.results == [again.result("again"), other.result("x")]


@pytest.mark.parametrize(
    ("dataset_name", "protocol", "subset", "leaks"),
    [
        ("l4s-rgb", "folder", "test", False),
        ("l4s-rgb", "folder", "all", True),
        ("l4s-rgb", "random", "validation", True),
        ("another", "random", "test", False),
    ],
)
def test_patches_that_may_have_been_trained_on_are_told(
    dataset: LabelledPatches, dataset_name: str, protocol: str, subset: str, leaks: bool
) -> None:
    named = replace(dataset, dataset=dataset_name, protocol=protocol, subset=subset)
    assert (leak_warning(make_record(), named) is not None) is leaks
    assert leak_warning(None, named) is None


def test_a_command_names_data_and_models_not_paths(
    result: Evaluation, labelled_folder: Path
) -> None:
    seen = replace(result, members=result.members * 2, augmented=True)
    name = labelled_folder.name
    assert evaluation_command(seen, [labelled_folder]) == (
        "landslide-zoo evaluate unet-mobilenet_v2-rgb unet-mobilenet_v2-rgb "
        f"--data {name} --split folder --subset all --tta --ensemble --negatives {name}"
    )
