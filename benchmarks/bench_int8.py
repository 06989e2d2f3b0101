"""What eight bits cost in quality, and what they gain in time.

Run it alone; it needs the labelled true-colour patches, and models whose folder has ranges::

    python benchmarks/bench_int8.py ../shared/data/l4s-rgb

Scores are those of the validation patches, on which thresholds are chosen; ranges come from
train patches.
"""

from __future__ import annotations

import sys
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from landslide_zoo.models.files import RANGES, bundled_folders
from measuring import in_turn, significant, times, write_results

from landslide_zoo import LandslideModel, Patch
from landslide_zoo.evaluation import EvaluationDataset
from landslide_zoo.inference.backends.openvino import OpenVinoPredictor
from landslide_zoo.inference.predict import Scores, predict, values_of

BATCHES = (1, 16)


def measure(folder: Path, patches: list[Patch], rounds: int) -> dict[str, Any]:
    """Time, F1 and masks of one model in each number type."""
    model = LandslideModel.from_folder(folder, device="cpu")
    predictors = {
        "float32": OpenVinoPredictor.from_model(model, "f32"),
        "as usual": OpenVinoPredictor.from_folder(folder),
        "int8": OpenVinoPredictor.from_folder(folder, eight_bits=True),
    }
    found: dict[str, Any] = {}
    exact: np.ndarray | None = None
    for name, one in predictors.items():
        predictions = predict(one, patches)
        masks = np.stack([each.mask for each in predictions])
        counts = [
            astuple(each.scores(patch.mask))
            for each, patch in zip(predictions, patches, strict=True)
            if patch.mask is not None
        ]
        scores = Scores(*map(sum, zip(*counts, strict=True)))
        exact = masks if exact is None else exact  # those of float32 come first
        found[name] = {"backend": one.backend, "f1": round(scores.f1, 4)}
        found[name]["same_mask"] = round(float((masks == exact).mean()), 4)
    values = values_of(patches[: max(BATCHES)], model.config)
    for size in BATCHES:
        ways = {name: partial(one.probabilities, values[:size]) for name, one in predictors.items()}
        taken = in_turn(ways, rounds, calls=max(1, 8 // size))
        for name in predictors:
            found[name][f"batch_{size}_ms"] = significant(taken[name]["median"] / size)
        found["int8"][f"batch_{size}_times"] = times(taken["int8"], taken["as usual"])
    return found


def main(
    data: Annotated[Path, typer.Argument(help="Labelled patches, with a validation subset.")],
    folder: Annotated[list[Path] | None, typer.Option(help="A model folder with ranges.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each number type.")] = 7,
) -> None:
    """Compare number types."""
    patches = list(EvaluationDataset.find(str(data), "folder", "validation"))
    folders = [*bundled_folders().values(), *(folder or [])]
    found = {}
    for one in folders:
        if (one / RANGES).is_file():
            found[one.name] = measure(one, patches, rounds)
            print(one.name, found[one.name], file=sys.stderr)
    write_results("int8", {"rounds": rounds, "patches": len(patches), "networks": found})


if __name__ == "__main__":
    typer.run(main)
