"""Predictions made with more than one pass: test-time augmentation and several models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from landslide_zoo.data.patch import Patch
from landslide_zoo.inference.ensemble import join_predictions
from landslide_zoo.models.model import LandslideModel
from landslide_zoo.models.prediction import Prediction

ORIENTATIONS = [(turns, mirrored) for mirrored in (False, True) for turns in range(4)]
"""The dihedral group D4: quarter turns, of the patch and of its mirror image."""


def predict_all_orientations(model: LandslideModel, patch: Patch) -> Prediction:
    """Mean of a model's predictions of a patch turned and mirrored all eight ways.

    Ground has no up or down, so a turned patch has the same landslides; the
    mean turns with the patch, which one prediction alone does not quite do.
    """
    total = np.zeros(patch.size, dtype=np.float64)
    for turns, mirrored in ORIENTATIONS:
        values = np.rot90(patch.values, turns, axes=(1, 2))
        if mirrored:
            values = values[:, :, ::-1]
        turned = replace(patch, values=np.ascontiguousarray(values), mask=None)
        probability = model.predict(turned).probability
        if mirrored:
            probability = probability[:, ::-1]
        total += np.rot90(probability, -turns)
    return Prediction(
        probability=(total / len(ORIENTATIONS)).astype(np.float32),
        threshold=model.config.threshold,
        model=model.config.name,
    )


def predict_jointly(
    models: Sequence[LandslideModel], patch: Patch, augmented: bool = False
) -> Prediction:
    """Mean of the predictions of one or more models.

    Args:
        models: At least one. One alone gives its own prediction.
        patch: Holds the bands that all of them read.
        augmented: Whether each predicts all eight orientations of the patch.

    Raises:
        DataError: If the patch lacks a band that a model reads.
    """
    predict = predict_all_orientations if augmented else LandslideModel.predict
    predictions = [predict(model, patch) for model in models]
    return predictions[0] if len(predictions) == 1 else join_predictions(predictions).mean
