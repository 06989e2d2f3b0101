"""Which mean of some models is best on validation, written as a model folder of its own.

Every combination of at least two is measured, each at the threshold that is best on
validation. The folder is written if its mean beats the best single model there::

    python experiments/ensemble.py FOLDER DATASET MODEL MODEL...
"""

from __future__ import annotations

import itertools
import shlex
import sys
from pathlib import Path

import numpy as np
import typer

from landslide_zoo import LandslideModel
from landslide_zoo.data import public_name
from landslide_zoo.evaluation import LabelledPatches, PixelCounts
from landslide_zoo.evaluation.evaluate import evaluate
from landslide_zoo.inference import Ensemble
from landslide_zoo.inference.predict import predict
from landslide_zoo.models import EnsembleConfig
from landslide_zoo.models.card import replace_record
from landslide_zoo.models.folder import CONFIG, weights_sha256
from landslide_zoo.models.record import DataRecord, EncoderWeights, Record, now


def main(folder: Path, dataset: str, models: list[str]) -> None:
    """Find the best mean, say how all fare, and write it."""
    validation = LabelledPatches.find(dataset, subset="validation")
    patches = list(validation)
    loaded = {name: LandslideModel.from_pretrained(name) for name in models}
    found = {name: _probabilities(model, patches) for name, model in loaded.items()}
    masks = np.stack([patch.mask for patch in patches if patch.mask is not None])
    scored: dict[tuple[str, ...], tuple[float, float]] = {}
    for size in range(1, len(models) + 1):
        for names in itertools.combinations(models, size):
            counts = PixelCounts()
            counts.add(
                np.stack([found[name] for name in names]).mean(axis=0, dtype=np.float32), masks
            )
            threshold = counts.best_threshold()
            scored[names] = counts.scores(threshold).f1, threshold
            print(f"{scored[names][0]:.4f} at {threshold:.3f}: {', '.join(names)}", flush=True)
    best = max(scored, key=lambda names: scored[names][0])
    if len(best) == 1:
        sys.exit(f"No mean beats {best[0]}: nothing is written.")
    members = [loaded[name] for name in best]
    config = EnsembleConfig(
        name=folder.name,
        bands=members[0].config.bands,
        unit=members[0].config.unit,
        threshold=scored[best][1],
        members=[member.config.name for member in members],
    )
    command = shlex.join(
        ["python", "experiments/ensemble.py", folder.name, public_name(dataset), *models]
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(config.to_json(), encoding="utf-8")
    record = Record(
        model=config.name,
        created=now(),
        command=command,
        seed=0,
        data=_data(members),
        encoder_weights=EncoderWeights(source="none"),
        recipe={"tune_threshold": True},
        versions={},
        epochs=0,
        best_epoch=0,
        weights_sha256=weights_sha256(folder),
    )
    evaluation = evaluate(Ensemble(members, config.name, config), validation)
    replace_record(folder, record.with_result(evaluation.result(command)))
    print(f"{folder}: the mean of {', '.join(config.members)}")


def _probabilities(model: LandslideModel, patches: list) -> np.ndarray:
    return np.concatenate(
        [
            [one.probability for one in predict(model, patches[start : start + 16])]
            for start in range(0, len(patches), 16)
        ]
    )


def _data(members: list[LandslideModel]) -> DataRecord:
    """What the members were trained on, which must be the same."""
    records = {member.record.data.model_dump_json() for member in members if member.record}
    if len(records) != 1:
        sys.exit("The members were trained on different data: their mean has no validation.")
    return DataRecord.model_validate_json(records.pop())


if __name__ == "__main__":
    typer.run(main)
