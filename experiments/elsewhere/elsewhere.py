"""Thresholds on a scene that no model has seen: what moves them, and what would hold.

Each DATASET is one of ``held_out.py --leave-out``; each MODEL was trained on its train patches.
Their mean and their test-time augmentation are measured beside them::

    python experiments/elsewhere/elsewhere.py OUTPUT.json DATASET MODEL MODEL

Rules for the threshold were fixed before any was tried on a test patch:

- *validation*: the model's own;
- *expected area*: a patch's mask has as many pixels as its probabilities add up to;
- *Otsu*: the threshold that best parts a patch's logits in two (Otsu, 1979);
- *usual share*: a patch's mask has the share of pixels that landslides have on validation;
- *best*: chosen on the test patches themselves, which nobody could: what there is to gain.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer
from skimage.filters import threshold_otsu

from landslide_zoo import LandslideModel, Patch
from landslide_zoo.evaluation import LabelledPatches
from landslide_zoo.evaluation.metrics import PixelCounts
from landslide_zoo.inference import Ensemble, TestTimeAugmentation
from landslide_zoo.inference.objects import connected_parts
from landslide_zoo.inference.predict import Predictor, Scores, predict

PARTS = ("lowest third", "middle third", "highest third")


def main(output: Path, dataset: Path, models: list[Path]) -> None:
    """Measure every predictor on the scene that was left out, and write the figures."""
    test = list(LabelledPatches.find(dataset, subset="test"))
    validation = list(LabelledPatches.find(dataset, subset="validation"))
    share = float(np.mean([patch.mask.mean() for patch in validation if patch.mask is not None]))
    trained = map(LandslideModel.from_pretrained, models)
    loaded = {f"scaled by {one.config.scaling.statistics}": one for one in trained}
    predictors: dict[str, Predictor] = dict(loaded)
    predictors |= {
        f"{name}, eight views": TestTimeAugmentation(one) for name, one in loaded.items()
    }
    if len(loaded) > 1:
        predictors["mean"] = Ensemble(list(loaded.values()), "mean")
    results: dict[str, Any] = {"patches": len(test), "share on validation": round(share, 4)}
    for name, predictor in predictors.items():
        results[name] = measure(predictor, validation, test, share)
        print(name, json.dumps(results[name]), flush=True)
    output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def measure(
    predictor: Predictor, validation: Sequence[Patch], test: Sequence[Patch], share: float
) -> dict[str, Any]:
    """F1 by each rule, and the best threshold by light, contrast and landslide size."""
    own = PixelCounts()
    for patch, probability in zip(validation, probabilities(predictor, validation), strict=True):
        own.add(probability, patch.mask)
    found = probabilities(predictor, test)
    every = counts(found, test)
    tuned = own.best_threshold()
    by_patch: dict[str, Callable[[np.ndarray], float]] = {
        "expected area": lambda p: float(np.quantile(p, 1 - p.mean())),
        "Otsu": lambda p: _sigmoid(threshold_otsu(_logit(p))),
        "usual share": lambda p: float(np.quantile(p, 1 - share)),
    }
    light = {
        "brightness": [patch.values.mean() for patch in test],
        "contrast": [patch.values.mean(axis=0).std() for patch in test],
        "landslide size": [size(patch.mask) for patch in test],
    }
    return {
        "F1 on validation": round(own.scores(tuned).f1, 3),
        "F1": {
            "validation": round(every.scores(tuned).f1, 3),
            **{name: round(pooled(found, test, rule), 3) for name, rule in by_patch.items()},
            "best": round(every.scores(every.best_threshold()).f1, 3),
        },
        "average precision": round(every.average_precision(), 3),
        "threshold": {"validation": tuned, "best": every.best_threshold()},
        "best threshold by third": {
            name: by_third(found, test, values, tuned) for name, values in light.items()
        },
    }


def probabilities(predictor: Predictor, patches: Sequence[Patch]) -> list[np.ndarray]:
    """Probabilities (H, W) of each patch."""
    return [one.probability for one in predict(predictor, patches)]


def counts(found: Sequence[np.ndarray], patches: Sequence[Patch]) -> PixelCounts:
    """The pixels of patches by probability and truth."""
    total = PixelCounts()
    for probability, patch in zip(found, patches, strict=True):
        assert patch.mask is not None
        total.add(probability, patch.mask)
    return total


def pooled(
    found: Sequence[np.ndarray], patches: Sequence[Patch], rule: Callable[[np.ndarray], float]
) -> float:
    """F1 of all pixels, with a threshold for each patch."""
    masks = np.stack([probability >= rule(probability) for probability in found])
    return Scores.of_masks(masks, np.stack([patch.mask for patch in patches])).f1


def by_third(
    found: Sequence[np.ndarray], patches: Sequence[Patch], values: Sequence[float], tuned: float
) -> dict[str, Any]:
    """Best threshold, its F1 and that of validation's threshold, by thirds of the patches."""
    order, result = np.argsort(values), {}
    for name, part in zip(PARTS, np.array_split(order, len(PARTS)), strict=True):
        some = counts([found[i] for i in part], [patches[i] for i in part])
        best = some.best_threshold()
        result[name] = {
            "threshold": best,
            "F1": round(some.scores(best).f1, 3),
            "F1 at validation's": round(some.scores(tuned).f1, 3),
        }
    return result


def size(mask: np.ndarray) -> float:
    """Mean area of a mask's landslides in pixels."""
    return float(mask.sum()) / max(connected_parts(mask)[1], 1)


def _logit(probability: np.ndarray) -> np.ndarray:
    clipped = np.clip(probability.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def _sigmoid(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


if __name__ == "__main__":
    typer.run(main)
