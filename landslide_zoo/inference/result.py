"""What a model finds in a patch, as the app, the API and the command line tell it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.data.checks import check_patch, check_statistics
from landslide_zoo.data.patch import Patch
from landslide_zoo.figures import true_colour
from landslide_zoo.inference.ensembles import Agreement, join_predictions
from landslide_zoo.inference.objects import LandslideObject, find_objects
from landslide_zoo.models.config import ModelConfig, PredictorConfig
from landslide_zoo.models.prediction import Prediction, Predictor, Scores, predict, values_of


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
        return replace(self, prediction=self.prediction.at(threshold))

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
        return None if truth is None or not truth.any() else self.prediction.scores(truth)

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values for JSON."""
        prediction = self.prediction
        height, width = prediction.probability.shape
        observed = int(prediction.observed.sum())
        pixels = int(prediction.mask.sum())
        figures: dict[str, Any] = {
            "patch": self.patch.name,
            "model": prediction.model,
            "threshold": round(prediction.threshold, 6),
            "height": height,
            "width": width,
            "area_hectares": round(prediction.hectares, 4),
            "share": round(pixels / observed, 6) if observed else 0.0,
            "observed": round(observed / (height * width), 6),
            "objects": len(self.objects),
            "largest_hectares": self.objects[0].hectares if self.objects else 0.0,
            "milliseconds": round(self.milliseconds, 1),
            "warnings": list(self.warnings),
        }
        if self.patch.mask is not None:
            truth = int(self.patch.mask.sum())
            figures["truth_hectares"] = round(prediction.grid.hectares(truth), 4)
        if self.scores is not None:
            figures["scores"] = scores_to_dict(self.scores)
        return figures


@dataclass(frozen=True, eq=False)
class ModelResult:
    """One model's place in a comparison.

    Attributes:
        model: Its name.
        detection: What it found, or None.
        error: Why it found nothing, or None.
    """

    model: str
    detection: Detection | None = None
    error: str | None = None

    @property
    def waiting(self) -> bool:
        """Whether the model has not run yet."""
        return self.detection is None and self.error is None

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values for JSON."""
        if self.detection:
            return self.detection.to_dict()
        return {"model": self.model, "error": self.error}


@dataclass(frozen=True, eq=False)
class EnsembleResult:
    """What several models say together.

    Attributes:
        agreement: Votes, mean and disagreement.
        mean: The mean as a detection of its own.
    """

    agreement: Agreement
    mean: Detection

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values for JSON."""
        votes, members = self.agreement.votes, self.agreement.members
        return {
            **self.mean.to_dict(),
            "members": members,
            "seen_by_all": int((votes == members).sum()),
            "seen_by_any": int((votes > 0).sum()),
            "mean_disagreement": round(float(self.agreement.disagreement.mean()), 4),
        }


def detect(predictor: Predictor, patch: Patch, threshold: float | None = None) -> Detection:
    """Run a predictor on a patch.

    Raises:
        DataError: If the predictor cannot take the patch.
        ModelError: If its probabilities are not finite.
    """
    start = time.perf_counter()
    (prediction,) = predict(predictor, [patch], threshold)
    milliseconds = 1000 * (time.perf_counter() - start)
    return Detection(
        patch=_true_colour_alone(patch),
        prediction=prediction,
        milliseconds=milliseconds,
        warnings=tuple(input_warnings(predictor.config, patch)),
    )


def join_detections(results: Sequence[ModelResult]) -> EnsembleResult | None:
    """What the models that ran say together, if they are two or more."""
    found = [result.detection for result in results if result.detection]
    if len(found) < 2:
        return None
    agreement = join_predictions([one.prediction for one in found])
    mean = replace(
        found[0],
        prediction=agreement.mean,
        milliseconds=sum(one.milliseconds for one in found),
        warnings=(),
    )
    return EnsembleResult(agreement, mean)


def input_warnings(config: PredictorConfig, patch: Patch) -> list[str]:
    """What is odd about a patch, by itself and for a model of this configuration."""
    odd = check_patch(patch)
    if odd or not isinstance(config, ModelConfig):
        return odd
    # Indices have no unit to be far off in; bands do.
    places = [i for i, name in enumerate(config.channels) if name in config.bands]
    names = [config.channels[i] for i in places]
    values = values_of([patch], config)[0][[config.bands.index(name) for name in names]]
    mean, std = np.array(config.scaling.mean)[places], np.array(config.scaling.std)[places]
    return check_statistics(values, names, mean, std, patch.name)


def scores_to_dict(scores: Scores) -> dict[str, float]:
    """Scores as plain values for JSON."""
    names = ("precision", "recall", "f1", "iou")
    return {name: round(getattr(scores, name), 4) for name in names} | asdict(scores)


def _true_colour_alone(patch: Patch) -> Patch:
    values = true_colour(patch).transpose(2, 0, 1).astype(np.float32) / 255
    return replace(patch, values=values, bands=TRUE_COLOUR, unit="display")
