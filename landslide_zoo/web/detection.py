"""One model on one patch: what the page shows and the API answers."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.data.checks import check_patch, check_statistics
from landslide_zoo.data.patch import Patch
from landslide_zoo.evaluation.counts import Scores
from landslide_zoo.figures import true_colour
from landslide_zoo.inference.objects import LandslideObject, find_objects, hectares
from landslide_zoo.models.model import LandslideModel
from landslide_zoo.models.prediction import Prediction


@dataclass(frozen=True, eq=False)
class Detection:
    """A prediction with what is needed to show it again at another threshold.

    Attributes:
        patch: What is kept of the patch: its true colour as display values, with
            its name and known mask. A visitor's fourteen bands are not kept.
        prediction: What the model says.
        milliseconds: Time the model took.
        warnings: What is odd about the input, a sentence each.
    """

    patch: Patch
    prediction: Prediction
    milliseconds: float
    warnings: tuple[str, ...]

    def at(self, threshold: float) -> Detection:
        """The same at another threshold; the network does not run again."""
        return replace(self, prediction=replace(self.prediction, threshold=threshold))

    @cached_property
    def picture(self) -> np.ndarray:
        """True colour, shape (H, W, 3), uint8."""
        return true_colour(self.patch)

    @cached_property
    def objects(self) -> list[LandslideObject]:
        """The single landslides, the largest first."""
        return find_objects(self.prediction)

    @cached_property
    def scores(self) -> Scores | None:
        """Scores against the known mask; None where there is none, or no landslide in it."""
        truth = self.patch.mask
        if truth is None or not truth.any():
            return None
        return Scores.of_masks(self.prediction.mask, truth)

    @cached_property
    def pixels(self) -> int:
        """Landslide pixels of the mask."""
        return int(self.prediction.mask.sum())

    def figures(self) -> dict[str, object]:
        """The figures as plain values for JSON."""
        height, width = self.prediction.probability.shape
        figures: dict[str, object] = {
            "patch": self.patch.name,
            "model": self.prediction.model,
            "threshold": round(self.prediction.threshold, 6),
            "height": height,
            "width": width,
            "area_hectares": round(hectares(self.pixels), 4),
            "share": round(self.pixels / (height * width), 6),
            "objects": len(self.objects),
            "largest_hectares": self.objects[0].hectares if self.objects else 0.0,
            "milliseconds": round(self.milliseconds, 1),
            "synthetic": self.patch.synthetic,
            "warnings": list(self.warnings),
        }
        if self.patch.mask is not None:
            figures["truth_hectares"] = round(hectares(int(self.patch.mask.sum())), 4)
        if self.scores is not None:
            figures["scores"] = score_figures(self.scores)
        return figures


def score_figures(scores: Scores) -> dict[str, float]:
    """Scores as plain values for JSON."""
    return {
        "precision": round(scores.precision, 4),
        "recall": round(scores.recall, 4),
        "f1": round(scores.f1, 4),
        "iou": round(scores.iou, 4),
        "true_positives": scores.true_positives,
        "false_positives": scores.false_positives,
        "false_negatives": scores.false_negatives,
        "true_negatives": scores.true_negatives,
    }


def detect(model: LandslideModel, patch: Patch, threshold: float | None = None) -> Detection:
    """Run a model on a patch.

    Raises:
        DataError: If the model cannot take the patch.
    """
    start = time.perf_counter()
    prediction = model.predict(patch, threshold)
    milliseconds = 1000 * (time.perf_counter() - start)
    return Detection(
        patch=_true_colour_alone(patch),
        prediction=prediction,
        milliseconds=milliseconds,
        warnings=tuple(input_warnings(model, patch)),
    )


def _true_colour_alone(patch: Patch) -> Patch:
    values = true_colour(patch).transpose(2, 0, 1).astype(np.float32) / 255
    return replace(patch, values=values, bands=TRUE_COLOUR, unit="display")


def input_warnings(model: LandslideModel, patch: Patch) -> list[str]:
    """What is odd about a patch, by itself and for this model."""
    odd = check_patch(patch)
    if odd:
        return odd
    bands = [name for name in model.config.channels if name in model.config.bands]
    places = [model.config.channels.index(name) for name in bands]
    scaling = model.config.scaling
    return check_statistics(
        patch.in_unit(model.config.bands, model.config.unit)[
            [model.config.bands.index(name) for name in bands]
        ],
        bands,
        np.array(scaling.mean)[places],
        np.array(scaling.std)[places],
        patch.name,
    )
