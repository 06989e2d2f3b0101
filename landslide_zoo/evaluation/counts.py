"""Pooled pixel counts, from which every score of the zoo is computed.

A score of a dataset is made from the true and false positives and negatives of
all its pixels together. A mean of scores of batches, as the paper reports, says
something else and depends on the batch size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 256
"""Thresholds are multiples of 1/256, which float32 holds exactly."""


@dataclass(frozen=True)
class Scores:
    """Scores of a mask against the truth, by pixel.

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
    def of_masks(cls, mask: np.ndarray, truth: np.ndarray) -> Scores:
        """Scores of a mask (H, W) against the truth (H, W), both 0 and 1."""
        found, real = mask.astype(bool), truth.astype(bool)
        return cls(
            int(np.sum(found & real)),
            int(np.sum(found & ~real)),
            int(np.sum(~found & real)),
            int(np.sum(~found & ~real)),
        )

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


class PixelCounts:
    """Histograms of probability over landslide and other pixels.

    They add up over patches and processes without rounding, and give the
    scores at every threshold k / 256 at once.

    Args:
        histogram: Shape (2, 257), int64: other pixels, then landslide pixels,
            by floor(256 p).
    """

    def __init__(self, histogram: np.ndarray | None = None) -> None:
        self.histogram = np.zeros((2, BINS + 1), dtype=np.int64) if histogram is None else histogram

    def add(self, probability: np.ndarray, truth: np.ndarray) -> None:
        """Count the pixels of probabilities and truths, any one shape, truth 0 and 1."""
        bins = np.floor(probability.ravel() * np.float32(BINS)).astype(np.int64)
        joint = truth.ravel().astype(np.int64) * (BINS + 1) + bins
        self.histogram = self.histogram + np.bincount(joint, minlength=2 * (BINS + 1)).reshape(
            2, BINS + 1
        )

    def scores(self, threshold: float) -> Scores:
        """Scores at a threshold that is a multiple of 1/256.

        Raises:
            ValueError: If it is none.
        """
        k = threshold * BINS
        if k != int(k):
            raise ValueError(f"{threshold} is no multiple of 1/{BINS}")
        (fp, tp), (tn, fn) = (
            self.histogram[:, int(k) :].sum(axis=1),
            self.histogram[:, : int(k)].sum(axis=1),
        )
        return Scores(int(tp), int(fp), int(fn), int(tn))

    def best_threshold(self) -> float:
        """The threshold k / 256, with k from 1, whose F1 is highest; the middle one of equals."""
        f1 = np.array([self.scores(k / BINS).f1 for k in range(1, BINS + 1)])
        best = np.flatnonzero(f1 == f1.max()) + 1
        return float(best[len(best) // 2]) / BINS

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Recall, ascending, and precision at each threshold k / 256; recall 0 without landslides.

        Returns:
            Two arrays, shape (257,).
        """
        false, true = np.cumsum(self.histogram[:, ::-1], axis=1)
        return true / max(true[-1], 1), true / np.maximum(true + false, 1)

    def average_precision(self) -> float:
        """Area under the precision-recall curve, as the sum of precision x step of recall."""
        recall, precision = self.curve()
        return float(np.sum(precision * np.diff(recall, prepend=0)))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
