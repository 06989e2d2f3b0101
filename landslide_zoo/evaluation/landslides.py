"""Landslides as objects: how many of each size are found."""

from __future__ import annotations

import numpy as np

from landslide_zoo.evaluation.classes import class_names, count_classes
from landslide_zoo.inference.objects import HECTARES_PER_PIXEL, connected_parts

SIZE_EDGES = (0.1, 0.5, 1.0, 5.0)
"""Between the classes of size, in hectares."""
SIZES = class_names(SIZE_EDGES, "ha")
FOUND_SHARE = 0.5
"""A landslide is found if at least this share of its pixels is."""


def count_landslides(mask: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Count the landslides of a patch by size; one that the edge cuts has the size it shows.

    Args:
        mask: What was found, shape (H, W), 0 and 1.
        truth: What is there, shape (H, W), 0 and 1.

    Returns:
        Landslides, those found, their pixels, and the pixels found, by class
        of size; shape (len(SIZES), 4), int64.
    """
    labels, count = connected_parts(truth)
    pixels = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    hits = np.bincount(labels.ravel(), weights=mask.ravel(), minlength=count + 1)[1:]
    whole = (np.ones_like(pixels), hits >= FOUND_SHARE * pixels, pixels, hits)
    # Compared in whole pixels: hectares would be rounded.
    edges = [round(edge / HECTARES_PER_PIXEL) for edge in SIZE_EDGES]
    return count_classes(pixels.astype(float), edges, whole)
