"""What rules can do where only true colour is given: size and probability of objects.

Bounds are chosen on validation, and measured on test once::

    python experiments/objects/true_colour.py l4s-rgb OUTPUT.json
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import typer

from landslide_zoo import LandslideModel
from landslide_zoo.evaluation.dataset import LabelledPatches
from landslide_zoo.inference.objects import connected_parts
from landslide_zoo.inference.predict import predict

GRID = {
    "threshold": (0.3, 0.35, 0.402, 0.45, 0.5),
    "hectares": (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0),
    "max_probability": (0.0, 0.5, 0.6, 0.7, 0.8, 0.9),
    "mean_probability": (0.0, 0.5, 0.55, 0.6, 0.65, 0.7),
}


def counts(model: LandslideModel, data: Path, subset: str) -> dict[tuple[float, ...], np.ndarray]:
    """True positives, false positives and false negatives for every point of the grid."""
    table: dict[tuple[float, ...], np.ndarray] = {}
    for patch in LabelledPatches.find(data, "folder", subset):
        (prediction,) = predict(model, [patch])
        truth = patch.mask > 0
        for threshold in GRID["threshold"]:
            labels, count = connected_parts(prediction.at(threshold).mask)
            flat = labels.ravel()
            size = np.bincount(flat, minlength=count + 1)[1:]
            true = np.bincount(flat[truth.ravel()], minlength=count + 1)[1:]
            total = np.bincount(flat, prediction.probability.ravel(), count + 1)[1:]
            peak = np.zeros(count + 1)
            np.maximum.at(peak, flat, prediction.probability.ravel())
            for area, highest, mean in product(*list(GRID.values())[1:]):
                kept = (size / 100 >= area) & (peak[1:] >= highest) & (total >= mean * size)
                found = true[kept].sum()
                point = (threshold, area, highest, mean)
                row = np.array([found, size[kept].sum() - found, truth.sum() - found])
                table[point] = table.get(point, 0) + row
    return table


def f1(row: np.ndarray) -> float:
    """F1 of summed counts."""
    return round(float(2 * row[0] / (2 * row[0] + row[1] + row[2])), 4)


def main(data: Path, output: Path, model: str = "unet-mobilenet_v2-rgb") -> None:
    """Choose on validation, measure on test."""
    predictor = LandslideModel.from_pretrained(model)
    validation, test = (counts(predictor, data, subset) for subset in ("validation", "test"))
    best = max(validation, key=lambda point: f1(validation[point]))
    own = (0.402, 0.0, 0.0, 0.0)
    results: dict[str, Any] = {
        "model": model,
        "alone": {"validation": f1(validation[own]), "test": f1(test[own])},
        "chosen on validation": dict(zip(GRID, best, strict=True)),
        "with it": {"validation": f1(validation[best]), "test": f1(test[best])},
        "at least 0.1 ha": {
            "validation": f1(validation[(0.402, 0.1, 0.0, 0.0)]),
            "test": f1(test[(0.402, 0.1, 0.0, 0.0)]),
        },
    }
    output.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    typer.run(main)
