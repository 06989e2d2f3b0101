"""What several models say together: their mean, their votes and their disagreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from landslide_zoo.models.prediction import Prediction


@dataclass(frozen=True)
class Ensemble:
    """Several predictions of one patch, joined.

    Attributes:
        members: Number of models.
        mean: Mean of the probabilities; its threshold is the mean of theirs.
        votes: How many models see a landslide in each pixel, shape (H, W), uint8.
        disagreement: Standard deviation of the probabilities, shape (H, W),
            float32, 0 (all agree) to 0.5 (half say 0, half say 1).
    """

    members: int
    mean: Prediction
    votes: np.ndarray
    disagreement: np.ndarray


def join_predictions(predictions: Sequence[Prediction]) -> Ensemble:
    """Join predictions of one patch by several models.

    Each model votes at its own threshold, as it was tuned.

    Args:
        predictions: At least one, all of one shape (H, W).

    Raises:
        ValueError: If there is none.
    """
    if not predictions:
        raise ValueError("an ensemble has at least one prediction")
    probabilities = np.stack([prediction.probability for prediction in predictions])
    return Ensemble(
        members=len(predictions),
        mean=Prediction(
            probability=probabilities.mean(axis=0, dtype=np.float32),
            threshold=float(np.mean([prediction.threshold for prediction in predictions])),
            model=f"mean of {len(predictions)} models",
        ),
        votes=np.stack([one.mask for one in predictions]).sum(axis=0, dtype=np.uint8),
        disagreement=probabilities.std(axis=0, dtype=np.float32),
    )
