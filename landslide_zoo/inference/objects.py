"""Single landslides: the connected parts of a mask, with their size and place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from landslide_zoo.models.prediction import Prediction

_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class LandslideObject:
    """One connected landslide of a mask; pixels that touch at a corner are connected.

    Attributes:
        number: Counted from 1, the largest first.
        pixels: Number of pixels.
        hectares: Area.
        row: Row of its centre, in pixels from the top.
        column: Column of its centre, in pixels from the left.
        top: First row.
        left: First column.
        bottom: Last row.
        right: Last column.
        mean_probability: Mean probability of its pixels.
        max_probability: Highest probability of its pixels.
    """

    number: int
    pixels: int
    hectares: float
    row: float
    column: float
    top: int
    left: int
    bottom: int
    right: int
    mean_probability: float
    max_probability: float


def connected_parts(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """The connected parts of a mask (H, W); pixels that touch at a corner are connected.

    Returns:
        The number of each pixel's part, from 1 (0 where there is none), and how many there are.
    """
    labels, count = ndimage.label(mask, structure=_EIGHT_NEIGHBOURS)
    return labels, int(count)


def find_objects(prediction: Prediction) -> list[LandslideObject]:
    """The connected landslides of a prediction's mask, the largest first."""
    labels, count = connected_parts(prediction.mask)
    if count == 0:
        return []
    found = np.arange(1, count + 1)
    pixels = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    centres = ndimage.center_of_mass(prediction.mask, labels, found)
    means = ndimage.mean(prediction.probability, labels, found)
    peaks = ndimage.maximum(prediction.probability, labels, found)
    boxes = ndimage.find_objects(labels)
    order = np.argsort(-pixels, kind="stable")
    return [
        LandslideObject(
            number=number,
            pixels=int(pixels[i]),
            hectares=prediction.grid.hectares(int(pixels[i])),
            row=round(float(centres[i][0]), 1),
            column=round(float(centres[i][1]), 1),
            top=boxes[i][0].start,
            left=boxes[i][1].start,
            bottom=boxes[i][0].stop - 1,
            right=boxes[i][1].stop - 1,
            mean_probability=round(float(means[i]), 4),
            max_probability=round(float(peaks[i]), 4),
        )
        for number, i in enumerate(order, start=1)
    ]
