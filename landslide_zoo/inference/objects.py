"""Landslides as things: the connected parts of a mask, with their attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    labels, count = ndimage.label(mask, structure=_EIGHT_NEIGHBOURS)
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
    # An import of its own: scikit-image takes half a second.
    from skimage.measure import regionprops

    objects = []
    for region in regionprops(labels, cache=True):
        top, left, bottom, right = region.bbox
        inside = region.image
        probability = prediction.probability[region.slice][inside]
        pixels = int(np.count_nonzero(inside))
        objects.append(
            LandslideObject(
                number=int(region.label),
                pixels=pixels,
                hectares=prediction.grid.hectares(pixels),
                row=round(float(region.centroid[0]), 1),
                column=round(float(region.centroid[1]), 1),
                top=top,
                left=left,
                bottom=bottom - 1,
                right=right - 1,
                mean_probability=round(float(probability.mean()), 4),
                max_probability=round(float(probability.max()), 4),
                attributes={
                    **_shape(inside, region, prediction.grid.pixel_size),
                    **_statistics(region.slice, inside, layers),
                    **_contacts(region.bbox, inside, prediction.observed, layers),
                },
            )
        )
    return objects


def _shape(inside: np.ndarray, region: object, pixel_size: tuple[float, float]) -> dict[str, float]:
    """Perimeter in metres, how long it is for its width, and how nearly it is a disc (1)."""
    height, width = pixel_size
    padded = np.pad(inside, 1)
    across = np.count_nonzero(padded[:, 1:] != padded[:, :-1]) * height
    down = np.count_nonzero(padded[1:] != padded[:-1]) * width
    # Steps around a slanting edge are longer than the edge, by 4 / pi in the mean.
    perimeter = (across + down) * np.pi / 4
    area = np.count_nonzero(inside) * width * height
    long = getattr(region, "axis_major_length", 0.0)
    short = getattr(region, "axis_minor_length", 0.0)
    return {
        "perimeter": round(float(perimeter), 1),
        "elongation": round(float((long + 1) / (short + 1)), 3),
        "compactness": round(min(1.0, float(4 * np.pi * area / perimeter**2)), 3),
    }


def _statistics(
    window: tuple[slice, slice], inside: np.ndarray, layers: Mapping[str, np.ndarray]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, values in layers.items():
        own = values[window][inside]
        own = own[~np.isnan(own)]
        if not own.size:
            continue
        low, middle, high = np.percentile(own, (25, 50, 75))
        found[f"median_{name}"] = round(float(middle), 4)
        found[f"mean_{name}"] = round(float(own.mean(dtype=np.float64)), 4)
        found[f"spread_{name}"] = round(float(high - low), 4)
        if name == "elevation":
            found["elevation_range"] = round(float(np.ptp(own)), 1)
    return found


def _contacts(
    box: tuple[int, int, int, int],
    inside: np.ndarray,
    observed: np.ndarray,
    layers: Mapping[str, np.ndarray],
) -> dict[str, float]:
    """Shares of the pixels around an object that are water, and that are not observed."""
    top, left, bottom, right = box
    rim = ndimage.binary_dilation(np.pad(inside, 1), _EIGHT_NEIGHBOURS) & ~np.pad(inside, 1)
    above, before = int(top > 0), int(left > 0)
    window = slice(top - above, bottom + 1), slice(left - before, right + 1)
    rim = rim[1 - above :, 1 - before :]
    seen = observed[window]
    rim = rim[: seen.shape[0], : seen.shape[1]]
    around = max(1, int(np.count_nonzero(rim)))
    found = {"hidden_contact": round(int(np.count_nonzero(rim & ~seen)) / around, 3)}
    if "ndwi" in layers:
        water = (layers["ndwi"][window] > 0) & seen
        found["water_contact"] = round(int(np.count_nonzero(rim & water)) / around, 3)
    return found
