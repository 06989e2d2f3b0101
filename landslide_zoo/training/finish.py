"""From the best weights of a run to a publishable model: threshold, results, record, figures."""

from __future__ import annotations

import importlib.metadata
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from landslide_zoo.data.folders import dataset_name
from landslide_zoo.data.packed import PackedDataset
from landslide_zoo.evaluation.calibration import fit_temperature
from landslide_zoo.evaluation.evaluate import evaluate
from landslide_zoo.evaluation.labelled import LabelledSet
from landslide_zoo.evaluation.measure import count_pixels
from landslide_zoo.figures import curves_figure, examples_figure
from landslide_zoo.models.model import LandslideModel
from landslide_zoo.models.record import DataRecord, EncoderWeights, Record, now
from landslide_zoo.training.distillation import Teacher
from landslide_zoo.training.recipes import Recipe
from landslide_zoo.training.run import Progress
from landslide_zoo.training.settings import Settings
from landslide_zoo.version import __version__

_EXAMPLES = 4
_PACKAGES = ("torch", "segmentation-models-pytorch", "accelerate", "huggingface_hub", "numpy")


def finish(
    model: LandslideModel,
    data: PackedDataset,
    split: Mapping[str, Sequence[int]],
    progress: Progress,
    recipe: Recipe,
    settings: Settings,
    encoder: EncoderWeights,
    teachers: Sequence[Teacher],
    accelerator: Accelerator,
) -> Record:
    """Measure a trained model and write down how it came to be.

    Temperature and threshold are chosen on validation; every subset but the
    train one is measured with them.

    Args:
        model: Holds the best weights; changed in place.
        data: The packed dataset.
        split: Indices of its patches, by subset.
        progress: The run's history.
        recipe: How it was trained.
        settings: What was trained on what.
        encoder: What its encoder started from.
        teachers: The models it learned from besides the masks.
        accelerator: How it was launched.

    Returns:
        Its record; the model has it too, with temperature, threshold and the card's figures.
    """
    command = training_command(accelerator)
    launched = {
        "accumulate": settings.accumulate,
        "processes": accelerator.num_processes,
        "mixed_precision": accelerator.mixed_precision,
        "threads": torch.get_num_threads(),
    }
    taught = {"teachers": ", ".join(map(str, teachers))} if teachers else {}
    # What is measured is what is published: the weights as they will be stored.
    model.with_config(dtype=settings.dtype).round_weights()
    if recipe.tune_threshold:
        validation = _labelled(data, split, "validation", settings)
        model.with_config(temperature=fit_temperature(model, validation, settings.seed))
        counts = count_pixels(model, data, split["validation"])
        model.with_config(threshold=counts.best_threshold())
    results = [
        evaluate(model, _labelled(data, split, subset, settings)).result(command)
        for subset in split
        if subset != "train"
    ]
    model.record = Record(
        model=model.config.name,
        created=now(),
        command=command,
        seed=settings.seed,
        data=DataRecord(
            name=dataset_name(settings.data),
            fingerprint=data.fingerprint,
            protocol=settings.split,
            patches={subset: len(indices) for subset, indices in split.items()},
            synthetic=data.synthetic,
        ),
        encoder_weights=encoder,
        recipe={"recipe": settings.recipe, **recipe.as_dict(), **taught, **launched},
        versions=versions(),
        epochs=progress.epoch,
        best_epoch=progress.best_epoch,
        history=progress.history,
        results=results,
    )
    if "test" in split:
        name = dataset_name(settings.data)
        model.record = model.record.with_look(name, settings.split, "test", command)
    model.extra_files = {
        "examples.png": _examples(model, data, split["validation"]),
        "curves.png": curves_figure(progress.history),
    }
    return model.record


def training_command(accelerator: Accelerator) -> str:
    """The command line of this process, with the precision it was launched with."""
    script, *arguments = sys.argv
    if not any(word.startswith("--mixed-precision") for word in arguments):
        arguments += ["--mixed-precision", accelerator.mixed_precision]
    return shlex.join(["accelerate", "launch", Path(script).name, *arguments])


def versions() -> dict[str, str]:
    """Versions of the packages that a result depends on."""
    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"landslide-zoo": __version__, "python": sys.version.split()[0], **found}


def _labelled(
    data: PackedDataset, split: Mapping[str, Sequence[int]], subset: str, settings: Settings
) -> LabelledSet:
    name = dataset_name(settings.data)
    return LabelledSet.of_packed(data, split[subset], name, settings.split, subset)


def _examples(model: LandslideModel, data: PackedDataset, indices: Sequence[int]) -> bytes:
    """True colour, truth and prediction of patches with few to many landslide pixels."""
    order = sorted(indices, key=lambda index: int(data.masks[index].sum()))
    shares = np.linspace(0.25, 0.95, _EXAMPLES) * (len(order) - 1)
    rows = []
    for place in shares:
        index = order[int(place)]
        patch = data.patch(index)
        rows.append((patch, data.masks[index], model.predict(patch).mask))
    return examples_figure(rows)
