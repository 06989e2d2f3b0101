"""Calibration: does it slide in three of ten pixels that a model gives a probability of 0.3?

Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML
2017, for the error over 15 equal bins and for the temperature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from landslide_zoo.evaluation.labelled import LabelledSet
from landslide_zoo.models.model import LandslideModel

BINS = 15
_PIXELS = 1024
"""Pixels drawn from each patch to fit the temperature."""
_MOST = 20.0


@dataclass(frozen=True)
class Reliability:
    """Pixels by what probability they were given.

    Attributes:
        table: Shape (BINS, 3): pixels, the sum of their probabilities, and the
            landslide pixels among them, by equal bins of probability. Tables
            of patches add up.
    """

    table: np.ndarray

    @classmethod
    def of(cls, probability: np.ndarray, truth: np.ndarray) -> Reliability:
        """The table of probabilities and truths (0 and 1) of one shape."""
        given = probability.ravel().astype(np.float64)
        place = np.minimum((given * BINS).astype(np.int64), BINS - 1)
        sums = [np.bincount(place, weights, BINS) for weights in (None, given, truth.ravel())]
        return cls(np.stack(sums, axis=1).astype(np.float64))

    @property
    def said(self) -> np.ndarray:
        """Mean probability in each bin, shape (BINS,); NaN in an empty one."""
        return self._mean(1)

    @property
    def seen(self) -> np.ndarray:
        """Share of landslide pixels in each bin, shape (BINS,); NaN in an empty one."""
        return self._mean(2)

    @property
    def error(self) -> float:
        """Expected calibration error: mean difference of the two, by pixels; 0 without pixels."""
        pixels, said, seen = self.table.T
        return float(np.abs(said - seen).sum() / pixels.sum()) if pixels.any() else 0.0

    def _mean(self, column: int) -> np.ndarray:
        pixels = self.table[:, 0]
        return np.divide(
            self.table[:, column], pixels, out=np.full(len(pixels), np.nan), where=pixels > 0
        )


def fit_temperature(model: LandslideModel, labelled: LabelledSet, seed: int = 0) -> float:
    """What a model's logits should be divided by, besides its own temperature.

    The temperature with the lowest cross-entropy on pixels drawn from the
    patches, if it also lowers their calibration error; else 1.

    Args:
        model: Left as it is.
        labelled: Patches that it was not trained on: those of validation.
        seed: Seed of the pixels that are drawn.
    """
    logits, truth = _draw(model, labelled, np.random.default_rng(seed))

    def cross_entropy(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, scaled) - truth * scaled))

    def error(temperature: float) -> float:
        return Reliability.of(1 / (1 + np.exp(-logits / temperature)), truth).error

    bound = float(np.log(_MOST))
    best = float(np.exp(minimize_scalar(cross_entropy, bounds=(-bound, bound)).x))
    return best if error(best) < error(1.0) else 1.0


@torch.inference_mode()
def _draw(
    model: LandslideModel, labelled: LabelledSet, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Logits and truths of some pixels of each patch."""
    model.eval()
    config = model.config
    drawn_logits, drawn_truth = [], []
    for patch in labelled:
        assert patch.mask is not None
        values = torch.from_numpy(patch.in_unit(config.bands, config.unit))[None]
        logits = model(values.to(model.device)).double().cpu().numpy().ravel()
        chosen = random.integers(logits.size, size=_PIXELS)
        drawn_logits.append(logits[chosen])
        drawn_truth.append(patch.mask.ravel()[chosen])
    return np.concatenate(drawn_logits), np.concatenate(drawn_truth).astype(np.float64)
