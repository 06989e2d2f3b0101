"""A publishable model from the best weights: threshold, results, record and figures."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from accelerate import Accelerator

from landslide_zoo.evaluation import LabelledPatches, evaluate, fit_temperature
from landslide_zoo.figures.charts import curves_figure, examples_figure
from landslide_zoo.inference.model import LandslideModel
from landslide_zoo.io import public_command, public_name
from landslide_zoo.models.folder import TRAIN_CONFIG
from landslide_zoo.models.record import DataRecord, EncoderWeights, Record, now
from landslide_zoo.training.config import TrainConfig
from landslide_zoo.training.run import Progress

_EXAMPLES = 4
_PACKAGES = ("torch", "segmentation-models-pytorch", "accelerate", "huggingface_hub", "numpy")
_RECORDED_ELSEWHERE = frozenset(
    ["model", "data", "bands", "split", "encoder_weights", "teacher", "seed", "dtype"]
)
"""Settings that the record holds outside its recipe."""


def build_record(
    model: LandslideModel,
    split: Mapping[str, LabelledPatches],
    progress: Progress,
    config: TrainConfig,
    encoder: EncoderWeights,
    teachers: Sequence[str],
    accelerator: Accelerator,
    version: str,
) -> Record:
    """Measure a trained model and record how it was trained.

    Temperature and threshold are chosen on validation; every subset but the
    train one is measured with them.

    Args:
        model: Holds the best weights; changed in place.
        split: The patches by subset.
        progress: The run's history.
        config: All settings of the model.
        encoder: What its encoder started from.
        teachers: The models it was distilled from, each with the SHA-256 of its weights.
        accelerator: How it was launched.
        version: Version of this package.

    Returns:
        Its record. The model has it too, with temperature, threshold, the
        card's figures and the settings to train it again.
    """
    command = public_command("accelerate", "launch", public_name(sys.argv[0]))
    if "--mixed-precision" not in command:
        command += f" --mixed-precision {accelerator.mixed_precision}"
    name, validation = public_name(config.data), split["validation"]
    # What is measured is what is published: the weights as they will be stored.
    model.update_config(dtype=config.dtype).round_weights()
    if config.tune_threshold:
        temperature = fit_temperature(model, validation, config.seed)
        model.update_config(temperature=temperature)
        counts = evaluate(model, validation, postprocess=False).pixel_counts
        model.update_config(threshold=counts.best_threshold())
    settings = config.settings()
    record = Record(
        model=model.config.name,
        created=now(),
        command=command,
        seed=config.seed,
        data=DataRecord(
            name=name,
            fingerprint=progress.fingerprint,
            protocol=config.split,
            patches={subset: len(patches) for subset, patches in split.items()},
        ),
        encoder_weights=encoder,
        recipe={
            **{name: value for name, value in settings.items() if name not in _RECORDED_ELSEWHERE},
            **({"teachers": ", ".join(teachers)} if teachers else {}),
            "processes": accelerator.num_processes,
            "threads": torch.get_num_threads(),
        },
        versions={
            "landslide-zoo": version,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
        },
        epochs=progress.epoch,
        best_epoch=progress.best_epoch,
        history=progress.history,
        results=[
            evaluate(model, patches, postprocess=False).result(command)
            for subset, patches in split.items()
            if subset != "train"
        ],
    )
    if "test" in split:
        record = record.with_test_access(name, config.split, "test", command)
    model.record = record
    model.extra_files = {
        TRAIN_CONFIG: config.to_json().encode(),
        "examples.png": _examples(model, validation),
        "curves.png": curves_figure(progress.history),
    }
    return record


def _examples(model: LandslideModel, patches: LabelledPatches) -> bytes:
    """True colour, truth and prediction of patches with few to many landslide pixels."""
    areas = [0 if patch.mask is None else int(patch.mask.sum()) for patch in patches]
    shares = np.linspace(0.25, 0.95, _EXAMPLES) * (len(patches) - 1)
    rows = []
    for index in np.argsort(areas, kind="stable")[shares.astype(int)]:
        patch = patches[int(index)]
        assert patch.mask is not None
        rows.append((patch, patch.mask, model.predict(patch, postprocess=False).mask))
    return examples_figure(rows)
