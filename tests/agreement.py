"""How alike two predictors are on patches, and how good one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

import numpy as np

from landslide_zoo import Patch
from landslide_zoo.inference.predict import Predictor, Scores, predict


def agreement(one: Predictor, other: Predictor, patches: Sequence[Patch]) -> float:
    """Share of the pixels of which two predictors say the same."""
    masks = [
        np.stack([found.mask for found in predict(each, patches, postprocess=False)])
        for each in (one, other)
    ]
    return float((masks[0] == masks[1]).mean())


def pooled_f1(predictor: Predictor, patches: Sequence[Patch]) -> float:
    """F1 of all pixels of labelled patches."""
    pairs = zip(predict(predictor, patches, postprocess=False), patches, strict=True)
    counts = [astuple(found.scores(patch.mask)) for found, patch in pairs]
    return Scores(*map(sum, zip(*counts, strict=True))).f1
