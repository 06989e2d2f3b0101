"""Landslides as things: the connected parts of a mask, with their attributes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

import numpy as np
import scipy

from landslide_zoo.data.patch import Grid

EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)
_AROUND = np.array(
    [[-1, 0, 0, 1, -1, -1, 1, 1], [0, -1, 1, 0, -1, 1, -1, 1]],
)[:, :, None]
"""Rows and columns from a pixel to the eight around it, first to those that share an edge."""
_STRIP = 128
"""Rows of a label image whose pixels are compared with those around at once."""


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
        attributes: What else is known of it, by name: shape
            (``perimeter`` in metres, ``elongation``, ``compactness``), the
            ``median_``, ``mean_`` and ``spread_`` (between the quartiles) of every
            layer that the patch's bands allow, ``elevation_range`` in metres, and the
            shares of its border that touch water (``water_contact``) and what
            is not observed, such as cloud (``hidden_contact``).
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
    attributes: dict[str, float] = field(default_factory=dict)

    def value(self, name: str) -> float | None:
        """An attribute or a field by its name; None where it is not known."""
        known = self.attributes.get(name, getattr(self, name, None))
        return float(known) if isinstance(known, int | float) else None


def connected_parts(mask: np.ndarray) -> np.ndarray:
    """The number of each pixel's connected part of a mask (H, W), from 1; 0 where there is none."""
    return scipy.ndimage.label(mask, structure=EIGHT_NEIGHBOURS)[0]


def label_objects(mask: np.ndarray) -> np.ndarray:
    """The number of each pixel's object, the largest being 1; 0 where there is none.

    Args:
        mask: Shape (H, W), 0 and 1 or bool.

    Returns:
        Shape (H, W), int32.
    """
    labels = connected_parts(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    numbers = np.zeros(len(sizes), dtype=np.int32)
    numbers[np.argsort(-sizes, kind="stable")[:-1]] = np.arange(1, len(sizes))
    return numbers[labels]


_OWN = [item.name for item in fields(LandslideObject)][1:-1]
"""The fields that have a column: all but the number and the attributes."""


def describe(
    labels: np.ndarray,
    probability: np.ndarray,
    observed: np.ndarray,
    grid: Grid,
    layers: Mapping[str, np.ndarray],
) -> list[LandslideObject]:
    """The objects of a label image, in the order of their numbers.

    Args:
        labels: Number of each pixel's object, without gaps, 0 where there is
            none, shape (H, W).
        probability: The network's, shape (H, W).
        observed: Pixels that could be seen, shape (H, W), bool.
        grid: Size of the pixels.
        layers: NDVI, slope and the like; without them, objects have a place, a size, a
            shape and probabilities.
    """
    where = labels > 0
    measures = measure(
        labels,
        probability[where],
        {name: values[where] for name, values in layers.items()},
        observed,
        layers["ndwi"] > 0 if "ndwi" in layers else None,
        grid.pixel_size,
    )
    measures["hectares"] = measures["pixels"] * grid.pixel_area / 10_000
    return list(objects_of(measures))


def objects_of(measures: Mapping[str, np.ndarray]) -> Iterator[LandslideObject]:
    """The objects of which columns say what they are like, numbered from 1."""
    columns = {name: values.tolist() for name, values in measures.items()}
    own = {name: columns.pop(name) for name in _OWN}
    for i in range(len(own["pixels"])):
        attributes = {name: values[i] for name, values in columns.items()}
        yield LandslideObject(
            number=i + 1,
            **{name: values[i] for name, values in own.items()},
            attributes={name: value for name, value in attributes.items() if not math.isnan(value)},
        )


def measure(
    labels: np.ndarray,
    probability: np.ndarray,
    layers: dict[str, np.ndarray],
    observed: np.ndarray,
    water: np.ndarray | None,
    pixel_size: tuple[float, float],
) -> dict[str, np.ndarray]:
    """What the K objects of a label image are like: a column for each attribute, shape (K,).

    Args:
        labels: Number of each pixel's object, from 1 without gaps, 0 where there is none,
            shape (H, W).
        probability: Of the n pixels that belong to an object, row by row, shape (n,).
        layers: What the bands say of the same pixels, by name, each of shape (n,); they are
            taken out one by one, as those of a whole scene are large.
        observed: Pixels that could be seen, shape (H, W), bool.
        water: Open water, likewise; only the pixels that touch objects count.
        pixel_size: Height and width of a pixel in metres.

    Returns:
        The fields of :class:`LandslideObject` but its number and its area, and its attributes,
        rounded; not a number where one is not known.
    """
    numbers = labels[labels > 0]
    order = np.argsort(numbers, kind="stable")
    pixels = np.bincount(numbers)[1:]
    ends = np.cumsum(pixels)
    starts = ends - pixels
    of_layers: dict[str, tuple[np.ndarray, int]] = {}
    for name in list(layers):
        spread = _spread(layers.pop(name)[order], starts, ends)
        quarter, median, three_quarters, least, most, average = spread
        of_layers[f"median_{name}"] = median, 4
        of_layers[f"mean_{name}"] = average, 4
        of_layers[f"spread_{name}"] = three_quarters - quarter, 4
        if name == "elevation":
            of_layers["elevation_range"] = most - least, 1
    rows, columns = np.nonzero(labels)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(numbers, weights=values)[1:] / pixels

    row, column = mean(rows), mean(columns)
    tall, wide = mean(rows**2) - row**2, mean(columns**2) - column**2
    slanted = mean(rows * columns) - row * column
    middle, apart = (tall + wide) / 2, np.hypot((tall - wide) / 2, slanted)
    short, long = 4 * np.sqrt(np.maximum(middle - apart, 0)), 4 * np.sqrt(middle + apart)
    edges, touched, places = _rims(labels, len(pixels))
    height, width = pixel_size
    # Steps around a slanting edge are longer than the edge, by 4 / pi in the mean.
    perimeter = edges @ (width, height, height, width) * np.pi / 4
    rows, columns = rows[order], columns[order]
    measures = {
        "pixels": (pixels, 0),
        "row": (row, 1),
        "column": (column, 1),
        "top": (np.minimum.reduceat(rows, starts), 0),
        "left": (np.minimum.reduceat(columns, starts), 0),
        "bottom": (np.maximum.reduceat(rows, starts), 0),
        "right": (np.maximum.reduceat(columns, starts), 0),
        "mean_probability": (mean(probability), 4),
        "max_probability": (np.maximum.reduceat(probability[order], starts), 4),
        "perimeter": (perimeter, 1),
        "elongation": ((long + 1) / (short + 1), 3),
        "compactness": (
            np.minimum(1.0, 4 * np.pi * pixels * width * height / perimeter**2),
            3,
        ),
    }
    measures |= of_layers
    around = np.maximum(np.bincount(touched, minlength=len(pixels) + 1), 1)
    seen = observed.ravel()[places]
    contacts = {"hidden_contact": ~seen}
    if water is not None:
        contacts["water_contact"] = seen & water.ravel()[places]
    for name, chosen in contacts.items():
        share = np.bincount(touched[chosen], minlength=len(around)) / around
        measures[name] = share[1:], 3
    return {
        name: values if digits == 0 else np.rint(values.astype(float) * 10**digits) / 10**digits
        for name, (values, digits) in measures.items()
    }


def _rims(labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where objects meet what is not part of them, compared strip by strip.

    Returns:
        How many of each object's edges lie above, left, right and below, shape (K, 4); and for
        each pixel that touches an object, once, the object's number and the pixel's place in
        the flattened image, each of shape (m,).
    """
    height, width = labels.shape
    edges = np.zeros((count + 1, 4), dtype=np.int64)
    pairs = []
    for top in range(0, height, _STRIP):
        strip = labels[max(0, top - 1) : top + _STRIP + 1]
        outside = ((int(top == 0), int(top + _STRIP >= height)), (1, 1))
        padded = np.pad(strip, outside, constant_values=-1)
        rows, columns = np.nonzero(padded[1:-1, 1:-1] > 0)
        numbers = padded[rows + 1, columns + 1]
        for side, (down, right) in enumerate(_AROUND[..., 0].T):
            beside = padded[rows + 1 + down, columns + 1 + right]
            if side < edges.shape[1]:
                edges[:, side] += np.bincount(numbers[beside != numbers], minlength=count + 1)
            touching = np.flatnonzero((beside != numbers) & (beside >= 0))
            place = (rows[touching] + top + down) * width + columns[touching] + right
            pairs.append(np.unique(numbers[touching].astype(np.int64) * labels.size + place))
    # A pixel touches an object once, however many of the object's pixels it touches.
    touched, places = np.divmod(np.unique(np.concatenate(pairs)), labels.size)
    return edges[1:], touched, places


def _spread(values: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Quartiles, extremes and mean of the values of each object, shape (6, K).

    Args:
        values: Those of one object after those of another; not a number where they are
            missing, which has no part in it. Sorted in place.
        starts: Where each object's begin.
        ends: Where they end.
    """
    missing = np.isnan(values)
    known = np.add.reduceat(~missing, starts, dtype=np.int64)
    sums = np.add.reduceat(np.where(missing, 0, values), starts, dtype=np.float64)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        values[start:end].sort()  # those that are missing come last
    last = np.maximum(known - 1, 0)
    place = starts + np.array([0.25, 0.5, 0.75, 0, 1])[:, None] * last
    below = place.astype(np.int64)
    above = np.minimum(below + 1, starts + last)
    low, high = values[below].astype(np.float64), values[above].astype(np.float64)
    means = sums / np.where(known, known, np.nan)
    return np.concatenate([low + (place - below) * (high - low), means[None]])
