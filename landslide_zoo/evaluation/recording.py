"""What an evaluation leaves in a model's record: each look at held-out patches, and its result."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from landslide_zoo.data.folders import dataset_name
from landslide_zoo.evaluation.evaluate import Evaluation
from landslide_zoo.evaluation.labelled import ALL, LabelledSet
from landslide_zoo.models.record import Record

FREE_TO_LOOK_AT = "validation"
"""The subset that choices are made on; a look at any other is logged."""


def leak_sentence(record: Record | None, labelled: LabelledSet) -> str | None:
    """Says that a model may have been trained on patches it is measured on; None if it was not."""
    if record is None or record.data.name != labelled.dataset:
        return None
    if record.data.protocol == labelled.protocol and labelled.subset != ALL:
        return None
    return (
        f"{record.model} was trained by the {record.data.protocol} split of {labelled.dataset}, "
        f"so some of the patches measured here ({labelled.protocol} split, {labelled.subset}) may "
        "be among those it learned from: the result says nothing of new ground."
    )


def evaluation_command(evaluation: Evaluation, negatives: Sequence[Path] = ()) -> str:
    """The command that repeats an evaluation, with names in place of this machine's paths."""
    words = ["landslide-zoo", "evaluate", *evaluation.members, "--data", evaluation.dataset]
    words += ["--split", evaluation.protocol, "--subset", evaluation.subset]
    words += ["--tta"] if evaluation.augmented else []
    words += ["--ensemble"] if len(evaluation.members) > 1 else []
    for folder in negatives:
        words += ["--negatives", dataset_name(folder)]
    return shlex.join(words)


def noted(record: Record, evaluation: Evaluation, command: str, keep: bool) -> Record:
    """A record with an evaluation noted in it.

    Args:
        record: The model's record.
        evaluation: What was measured.
        command: What was run.
        keep: Whether to keep the result too; a look at held-out patches is
            logged in any case.
    """
    if evaluation.subset != FREE_TO_LOOK_AT:
        record = record.with_look(
            evaluation.dataset, evaluation.protocol, evaluation.subset, command
        )
    return record.with_result(evaluation.result(command)) if keep else record
