"""What a model says of a patch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Prediction:
    """Landslide probability of every pixel, and the mask at a threshold.

    Attributes:
        probability: Shape (H, W), float32, 0 to 1.
        threshold: Probability from which a pixel counts as landslide.
        model: Name of the model.
    """

    probability: np.ndarray
    threshold: float
    model: str

    @property
    def mask(self) -> np.ndarray:
        """Landslide pixels as 1, others 0, shape (H, W), uint8."""
        return (self.probability >= np.float32(self.threshold)).astype(np.uint8)
