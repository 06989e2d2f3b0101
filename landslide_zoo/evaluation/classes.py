"""Classes of a quantity, such as slopes below 10 degrees, from 10 to 20, and so on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np


def class_names(edges: Sequence[float], unit: str) -> list[str]:
    """Names of the classes that edges divide a quantity into, one more than there are edges.

    Example:
        >>> class_names((10, 20), "degrees")
        ['below 10 degrees', '10 to 20 degrees', '20 degrees and more']
    """
    texts = [f"{edge:g}" for edge in edges]
    suffix = f" {unit}" if unit else ""
    between = [f"{low} to {high}{suffix}" for low, high in pairwise(texts)]
    return [f"below {texts[0]}{suffix}", *between, f"{texts[-1]}{suffix} and more"]


def count_classes(
    values: np.ndarray, edges: Sequence[float], weights: Sequence[np.ndarray]
) -> np.ndarray:
    """Count things by class.

    Args:
        values: The quantity for each thing; one that is NaN is left out. An
            edge belongs to the class above it.
        edges: Ascending.
        weights: What is added up, arrays of the values' shape.

    Returns:
        Shape (len(edges) + 1, len(weights)), int64.
    """
    known = np.isfinite(values)
    place = np.digitize(values[known], edges)
    size = len(edges) + 1
    sums = [np.bincount(place, weights=weight[known], minlength=size) for weight in weights]
    return np.stack(sums, axis=1).astype(np.int64)
