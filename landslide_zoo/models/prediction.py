"""From patches to probabilities and masks: the one way, whatever computes the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Protocol, Self, overload

import numpy as np

from landslide_zoo.data.patch import UNPLACED, Grid, Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.errors import ModelError
from landslide_zoo.models.config import PredictorConfig
from landslide_zoo.models.record import Record

BATCH_PIXELS = 16 * 128 * 128
"""Pixels that are predicted at once: sixteen patches of the benchmark, one of 512 x 512."""

SCORES = ("precision", "recall", "f1", "iou")


class Predictor(Protocol):
    """Anything that turns bands into landslide probabilities."""

    @property
    def config(self) -> PredictorConfig:
        """What it reads and how its answer is cut."""

    @property
    def backend(self) -> str:
        """What computes it and in which number type, as in ``torch float32``."""

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Landslide probabilities, shape (N, H, W), float32.

        Args:
            values: The bands that ``config`` names, in its unit, shape (N, B, H, W),
                float32, any H and W from 32.
        """


class LoadedPredictor(Predictor, Protocol):
    """A predictor that was loaded from a model folder."""

    record: Record | None
    """How it was trained and what was measured, if it was."""

    @property
    def nbytes(self) -> int:
        """Bytes of its weights in memory."""


class PatchPredictor:
    """The ``predict`` of a predictor: from files or patches to predictions."""

    @overload
    def predict(  # type: ignore[overload-overlap]  # a path is a sequence of letters, too
        self: Predictor, patches: str | Path | Patch, threshold: float | None = None
    ) -> Prediction: ...

    @overload
    def predict(
        self: Predictor, patches: Sequence[str | Path | Patch], threshold: float | None = None
    ) -> list[Prediction]: ...

    def predict(
        self: Predictor,
        patches: str | Path | Patch | Sequence[str | Path | Patch],
        threshold: float | None = None,
    ) -> Prediction | list[Prediction]:
        """Find landslides in one patch or in several.

        Args:
            patches: A patch with the bands that the model reads, the path of a
                file that holds one, or several of either.
            threshold: Probability from which a pixel counts as landslide; the
                model's own where None.

        Returns:
            A prediction, or one for each of several patches.

        Raises:
            DataError: If a file cannot be read, or a patch lacks a band or has
                the wrong unit.
            ModelError: If the model gives probabilities that are not finite.

        Example:
            >>> from landslide_zoo import LandslideModel
            >>> model = LandslideModel.from_pretrained("unet-mobilenet_v2-rgb")
            >>> model.predict("image_1.h5")  # doctest: +SKIP
            Prediction('unet-mobilenet_v2-rgb', 128 x 128, threshold 0.418, 9.34 ha)
        """
        one = isinstance(patches, str | Path | Patch)
        given = [patches] if isinstance(patches, str | Path | Patch) else patches
        read = [patch if isinstance(patch, Patch) else read_patch(patch) for patch in given]
        predictions = predict(self, read, threshold)
        return predictions[0] if one else predictions


@dataclass(frozen=True, eq=False)
class WrappedPredictor(PatchPredictor):
    """What asks another predictor, and reads what that one reads.

    Attributes:
        predictor: The other one.
    """

    predictor: Predictor

    @property
    def config(self) -> PredictorConfig:
        """That of the predictor."""
        return self.predictor.config

    @property
    def backend(self) -> str:
        """That of the predictor."""
        return self.predictor.backend


@dataclass(frozen=True)
class Scores:
    """A mask against the known one, by pixel; pixels that were not observed do not count.

    Attributes:
        true_positives: Landslide pixels found.
        false_positives: Other pixels taken for landslides.
        false_negatives: Landslide pixels missed.
        true_negatives: Other pixels left alone.
    """

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @classmethod
    def of_masks(
        cls, mask: np.ndarray, truth: np.ndarray, observed: np.ndarray | None = None
    ) -> Self:
        """Scores of a mask (H, W) against the truth (H, W), both 0 and 1.

        Args:
            mask: What was found.
            truth: What is there.
            observed: Pixels that count, shape (H, W), bool; all where None.
        """
        found, real = mask > 0, truth > 0
        seen = np.ones(mask.shape, dtype=bool) if observed is None else observed
        kinds = (found & real, found & ~real, ~found & real, ~found & ~real)
        return cls(*(int(np.count_nonzero(kind & seen)) for kind in kinds))

    @property
    def precision(self) -> float:
        """TP / (TP + FP); 0 where nothing was found."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """TP / (TP + FN); 0 where there is no landslide."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); 0 where there is neither a landslide nor a find."""
        doubled = 2 * self.true_positives
        return _ratio(doubled, doubled + self.false_positives + self.false_negatives)

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN); 0 where there is neither a landslide nor a find."""
        wrong = self.false_positives + self.false_negatives
        return _ratio(self.true_positives, self.true_positives + wrong)

    def to_dict(self) -> dict[str, float]:
        """The scores, to four digits, and the counts, by name."""
        return {name: round(getattr(self, name), 4) for name in SCORES} | asdict(self)


@dataclass(frozen=True, repr=False, eq=False)
class Prediction:
    """Landslide probability of every pixel, and the mask at a threshold.

    Attributes:
        probability: Shape (H, W), float32, 0 to 1.
        observed: Pixels that could be seen, shape (H, W), bool. What is not
            observed is neither landslide nor free of it.
        threshold: Probability from which a pixel counts as landslide.
        model: Name of the model.
        grid: Size and, where known, place of the pixels.
    """

    probability: np.ndarray
    observed: np.ndarray
    threshold: float
    model: str
    grid: Grid = UNPLACED

    @property
    def mask(self) -> np.ndarray:
        """Observed landslide pixels as 1, others 0, shape (H, W), uint8."""
        found = self.probability >= np.float32(self.threshold)
        return (found & self.observed).astype(np.uint8)

    @property
    def hectares(self) -> float:
        """Area of the mask."""
        return self.grid.hectares(int(self.mask.sum()))

    def at(self, threshold: float) -> Self:
        """The same probabilities at another threshold."""
        return replace(self, threshold=threshold)

    def scores(self, truth: np.ndarray) -> Scores:
        """Scores of the mask against a known one (H, W), over the observed pixels."""
        return Scores.of_masks(self.mask, truth, self.observed)

    def __repr__(self) -> str:
        height, width = self.probability.shape
        return (
            f"Prediction({self.model!r}, {height} x {width}, threshold {self.threshold:.3g}, "
            f"{self.hectares:.2f} ha)"
        )


def values_of(patches: Sequence[Patch], config: PredictorConfig) -> np.ndarray:
    """What a predictor takes: its bands in its unit, shape (N, B, H, W), float32.

    Args:
        patches: Patches of one size.
        config: Names the bands and the unit.

    Raises:
        DataError: If a patch lacks a band or has the wrong unit; the message names it.
    """
    return np.stack([patch.in_unit(config.bands, config.unit) for patch in patches])


def predict(
    predictor: Predictor, patches: Sequence[Patch], threshold: float | None = None
) -> list[Prediction]:
    """Find landslides in patches, those of one size together.

    Args:
        predictor: A model, an ensemble of them, or whatever else predicts.
        patches: Each holds the bands that the predictor reads.
        threshold: Probability from which a pixel counts as landslide; the
            predictor's own where None.

    Returns:
        One prediction for each patch, in their order.

    Raises:
        DataError: If a patch lacks a band or has the wrong unit.
        ModelError: If the threshold is no probability, or a probability is not finite: a
            damaged model finds nothing anywhere, which must not pass for an answer.
    """
    config = predictor.config
    threshold = config.threshold if threshold is None else threshold
    if not 0 <= threshold <= 1:
        raise ModelError(f"The threshold is {threshold:g}; a probability is from 0 to 1.")
    predictions: list[Prediction] = []
    for (height, width), group in groupby(patches, key=lambda patch: patch.size):
        alike, size = list(group), max(1, BATCH_PIXELS // (height * width))
        for start in range(0, len(alike), size):
            batch = alike[start : start + size]
            probabilities = predictor.probabilities(values_of(batch, config))
            for patch, probability in zip(batch, probabilities, strict=True):
                if not np.isfinite(probability).all():
                    raise ModelError(
                        f"{config.name} gives probabilities that are not finite on {patch.name}: "
                        "its weights are damaged; load or train it again."
                    )
                predictions.append(
                    Prediction(
                        probability=probability,
                        observed=patch.observed,
                        threshold=threshold,
                        model=config.name,
                        grid=patch.grid,
                    )
                )
    return predictions


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
