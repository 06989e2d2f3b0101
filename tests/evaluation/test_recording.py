from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from trained_model import make_record

from landslide_zoo import LandslideModel
from landslide_zoo.evaluation.evaluate import evaluate
from landslide_zoo.evaluation.labelled import LabelledSet
from landslide_zoo.evaluation.recording import evaluation_command, leak_sentence, noted


def test_a_look_at_held_out_patches_is_always_noted(
    model: LandslideModel, labelled: LabelledSet
) -> None:
    seen = evaluate(model, replace(labelled, subset="test"))
    record = noted(noted(make_record(), seen, "first", keep=False), seen, "second", keep=False)
    assert [(look.subset, look.command) for look in record.looks] == [
        ("test", "first"),
        ("test", "second"),
    ]
    assert record.results == make_record().results


def test_a_look_at_validation_is_free(model: LandslideModel, labelled: LabelledSet) -> None:
    seen = evaluate(model, replace(labelled, subset="validation"))
    assert noted(make_record(), seen, "x", keep=False) == make_record()


def test_a_kept_result_takes_the_place_of_the_earlier_one(
    model: LandslideModel, labelled: LabelledSet
) -> None:
    seen = evaluate(model, replace(labelled, dataset="l4s-rgb", subset="test"))
    record = noted(make_record(), seen, "again", keep=True)
    assert record.results == [seen.result("again")]
    other = evaluate(model, replace(labelled, dataset="another", subset="test"))
    assert noted(record, other, "x", keep=True).results == [seen.result("again"), other.result("x")]


@pytest.mark.parametrize(
    ("dataset", "protocol", "subset", "leaks"),
    [
        ("l4s-rgb", "folder", "test", False),
        ("l4s-rgb", "folder", "all", True),
        ("l4s-rgb", "random", "validation", True),
        ("another", "random", "test", False),
    ],
)
def test_patches_that_may_have_been_trained_on_are_told(
    labelled: LabelledSet, dataset: str, protocol: str, subset: str, leaks: bool
) -> None:
    named = replace(labelled, dataset=dataset, protocol=protocol, subset=subset)
    assert (leak_sentence(make_record(), named) is not None) is leaks
    assert leak_sentence(None, named) is None


def test_a_command_names_data_and_models_not_paths(
    model: LandslideModel, labelled_folder: Path
) -> None:
    seen = evaluate(model, LabelledSet.find(labelled_folder, subset="all"))
    seen = replace(seen, members=seen.members * 2, augmented=True)
    name = labelled_folder.name
    assert evaluation_command(seen, [labelled_folder]) == (
        "landslide-zoo evaluate unet-mobilenet_v2-rgb unet-mobilenet_v2-rgb "
        f"--data {name} --split folder --subset all --tta --ensemble --negatives {name}"
    )
