"""Landslides as things: the connected parts of a mask, with their attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy

from landslide_zoo.models.prediction import Prediction

_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)
_AROUND = np.array(
    [[-1, 0, 0, 1, -1, -1, 1, 1], [0, -1, 1, 0, -1, 1, -1, 1]],
)[:, :, None]
"""Rows and columns from a pixel to the eight around it, first to those that share an edge."""


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


def connected_parts(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """The connected parts of a mask (H, W); pixels that touch at a corner are connected.

    Returns:
        The number of each pixel's part, from 1 (0 where there is none), and how many there are.
    """
    labels, count = scipy.ndimage.label(mask, structure=_EIGHT_NEIGHBOURS)
    return labels, int(count)


def label_objects(mask: np.ndarray) -> np.ndarray:
    """The number of each pixel's object, the largest being 1; 0 where there is none.

    Args:
        mask: Shape (H, W), 0 and 1 or bool.

    Returns:
        Shape (H, W), int32.
    """
    labels, _ = connected_parts(mask)
    return number_by_size(labels)


def number_by_size(labels: np.ndarray) -> np.ndarray:
    """The same parts with numbers from 1 on without gaps, the largest first.

    Args:
        labels: Number of each pixel's part, 0 where there is none, shape (H, W).

    Returns:
        Shape (H, W), int32.
    """
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    order = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    numbers = np.zeros(len(sizes), dtype=np.int32)
    numbers[order] = np.arange(1, len(order) + 1)
    return numbers[labels]


def find_objects(
    prediction: Prediction, layers: Mapping[str, np.ndarray] | None = None
) -> list[LandslideObject]:
    """The connected landslides of a prediction's mask, the largest first.

    Args:
        prediction: What a model says.
        layers: What the bands say, from :func:`landslide_zoo.inference.layers.layers_of`;
            without them, objects have a place, a size, a shape and probabilities.
    """
    return describe(label_objects(prediction.mask), prediction, layers or {})


def describe(
    labels: np.ndarray, prediction: Prediction, layers: Mapping[str, np.ndarray]
) -> list[LandslideObject]:
    """The objects of a label image, in the order of their numbers.

    Args:
        labels: Number of each pixel's object, without gaps, 0 where there is
            none, shape (H, W).
        prediction: Their probabilities, and what was observed.
        layers: What the bands say.
    """
    parts = _Parts.of(labels)
    if parts is None:
        return []
    probability = prediction.probability[parts.rows, parts.columns]
    row, column = parts.centre
    own = _rounded(
        {
            "row": (row, 1),
            "column": (column, 1),
            "mean_probability": (parts.sum(probability) / parts.pixels, 4),
            "max_probability": (np.maximum.reduceat(probability, parts.starts), 4),
        }
    )
    more = _rounded(
        {
            **_shape(parts, prediction.grid.pixel_size),
            **_statistics(parts, layers),
            **_contacts(parts, prediction.observed, layers),
        }
    )
    box = {name: values.tolist() for name, values in parts.box.items()}
    return [
        LandslideObject(
            number=i + 1,
            pixels=pixels,
            hectares=prediction.grid.hectares(pixels),
            **{name: values[i] for name, values in {**box, **own}.items()},
            attributes={
                name: values[i] for name, values in more.items() if not math.isnan(values[i])
            },
        )
        for i, pixels in enumerate(parts.pixels.tolist())
    ]


Measures = dict[str, tuple[np.ndarray, int]]
"""Values of the objects, shape (K,), not a number where one is not known, and how many digits of
them are kept."""


@dataclass(frozen=True, eq=False)
class _Parts:
    """The pixels of K objects, those of one after those of another.

    Attributes:
        numbers: Of each pixel its object's number, from 1, shape (n,).
        rows: Its row, shape (n,).
        columns: Its column, shape (n,).
        beside: Numbers of the objects of the eight pixels around it, first those that share
            an edge: above, left, right, below; 0 where there is none and -1 beyond the
            image, shape (8, n).
        pixels: Number of pixels of each object, shape (K,).
        starts: Place of its first one, shape (K,).
    """

    numbers: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    beside: np.ndarray
    pixels: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray) -> _Parts | None:
        """The parts of a label image (H, W); None where there are none."""
        rows, columns = np.nonzero(labels)
        if not len(rows):
            return None
        numbers = labels[rows, columns]
        order = np.argsort(numbers, kind="stable")
        numbers, rows, columns = numbers[order], rows[order], columns[order]
        padded = np.pad(labels, 1, constant_values=-1)
        beside = padded[rows + 1 + _AROUND[0], columns + 1 + _AROUND[1]]
        pixels = np.bincount(numbers)[1:]
        starts = np.cumsum(pixels) - pixels
        return cls(numbers, rows, columns, beside, pixels, starts)

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sums of values (n,) over each object, shape (K,), float64."""
        return np.add.reduceat(values.astype(np.float64), self.starts)

    def count(self, chosen: np.ndarray) -> np.ndarray:
        """How many of the chosen pixels (n,) each object has, shape (K,)."""
        return np.bincount(self.numbers[chosen], minlength=len(self.pixels) + 1)[1:]

    @cached_property
    def centre(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean row and mean column of each object."""
        return self.sum(self.rows) / self.pixels, self.sum(self.columns) / self.pixels

    @property
    def box(self) -> dict[str, np.ndarray]:
        """First and last row and column of each object."""
        return {
            "top": np.minimum.reduceat(self.rows, self.starts),
            "left": np.minimum.reduceat(self.columns, self.starts),
            "bottom": np.maximum.reduceat(self.rows, self.starts),
            "right": np.maximum.reduceat(self.columns, self.starts),
        }


def _rounded(measures: Measures) -> dict[str, list[float]]:
    values = np.array([values for values, _ in measures.values()], dtype=np.float64)
    scale = 10.0 ** np.array([digits for _, digits in measures.values()])[:, None]
    return dict(zip(measures, (np.rint(values * scale) / scale).tolist(), strict=True))


def _shape(parts: _Parts, pixel_size: tuple[float, float]) -> Measures:
    """Perimeter in metres, how long it is for its width, and how nearly it is a disc (1)."""
    height, width = pixel_size
    above, left, right, below = (parts.count(edge) for edge in parts.beside[:4] != parts.numbers)
    across, down = (left + right) * height, (above + below) * width
    # Steps around a slanting edge are longer than the edge, by 4 / pi in the mean.
    perimeter = (across + down) * np.pi / 4
    area = parts.pixels * width * height
    short, long = _axes(parts)
    return {
        "perimeter": (perimeter, 1),
        "elongation": ((long + 1) / (short + 1), 3),
        "compactness": (np.minimum(1.0, 4 * np.pi * area / perimeter**2), 3),
    }


def _axes(parts: _Parts) -> tuple[np.ndarray, np.ndarray]:
    """Minor and major axis, in pixels, of the ellipse with the same second moments."""
    row, column = parts.centre
    i = parts.numbers - 1
    down, right = parts.rows - row[i], parts.columns - column[i]
    tall, wide, slanted = (
        parts.sum(product) / parts.pixels for product in (down**2, right**2, down * right)
    )
    middle, apart = (tall + wide) / 2, np.hypot((tall - wide) / 2, slanted)
    return 4 * np.sqrt(np.maximum(middle - apart, 0)), 4 * np.sqrt(middle + apart)


def _statistics(parts: _Parts, layers: Mapping[str, np.ndarray]) -> Measures:
    """Median, mean and spread of every layer; values that are missing have no part in them."""
    if not layers:
        return {}
    own = np.stack([values[parts.rows, parts.columns] for values in layers.values()])
    missing = np.isnan(own)
    values = np.add.reduceat(~missing, parts.starts, axis=1, dtype=np.int64)
    sums = np.add.reduceat(np.where(missing, 0, own), parts.starts, axis=1, dtype=np.float64)
    for start, pixels in zip(parts.starts.tolist(), parts.pixels.tolist(), strict=True):
        own[:, start : start + pixels].sort(axis=1)  # those that are missing come last

    last = np.maximum(values - 1, 0)
    place = parts.starts + np.array([0.25, 0.5, 0.75, 0, 1])[:, None, None] * last
    below = place.astype(np.int64)
    above = np.minimum(below + 1, parts.starts + last)
    layer = np.arange(len(own))[:, None]
    low, high = own[layer, below].astype(np.float64), own[layer, above].astype(np.float64)
    quarter, median, three_quarters, least, most = low + (place - below) * (high - low)
    means = sums / np.where(values, values, np.nan)
    found: Measures = {}
    for i, name in enumerate(layers):
        found[f"median_{name}"] = median[i], 4
        found[f"mean_{name}"] = means[i], 4
        found[f"spread_{name}"] = three_quarters[i] - quarter[i], 4
        if name == "elevation":
            found["elevation_range"] = most[i] - least[i], 1
    return found


def _contacts(parts: _Parts, observed: np.ndarray, layers: Mapping[str, np.ndarray]) -> Measures:
    """Shares of the pixels around an object that are water, and that are not observed."""
    way, pixel = np.nonzero((parts.beside != parts.numbers) & (parts.beside >= 0))
    rows = parts.rows[pixel] + _AROUND[0, way, 0]
    columns = parts.columns[pixel] + _AROUND[1, way, 0]
    # A pixel touches an object once, however many of the object's pixels it touches.
    own = parts.numbers[pixel].astype(np.int64) * observed.size
    touching = np.unique(own + rows * observed.shape[1] + columns)
    numbers, places = np.divmod(touching, observed.size)

    def count(chosen: np.ndarray) -> np.ndarray:
        return np.bincount(numbers[chosen], minlength=len(parts.pixels) + 1)[1:]

    total = np.maximum(count(np.ones(len(numbers), dtype=bool)), 1)
    seen = observed.ravel()[places]
    found: Measures = {"hidden_contact": (count(~seen) / total, 3)}
    if "ndwi" in layers:
        found["water_contact"] = count((layers["ndwi"].ravel()[places] > 0) & seen) / total, 3
    return found
