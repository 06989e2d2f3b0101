"""Landslides too large for one window, described piece by piece.

Nearly always these are false alarms: a river and all that joins it. Shape, probability and
contacts are exact; what the layers say is taken from a regular sample of the pixels.
"""

from __future__ import annotations

import numpy as np
import shapely
from scipy import ndimage
from shapely.geometry import MultiPolygon

from landslide_zoo.data.grid import Grid
from landslide_zoo.inference.objects import LandslideObject, describe
from landslide_zoo.mapping.labelling import Labelling
from landslide_zoo.mapping.polygons import crown_to_toe, joined, outlines
from landslide_zoo.mapping.views import Views
from landslide_zoo.mapping.windows import Window, blocks
from landslide_zoo.models.prediction import Prediction

PIECE = 512
"""Side of a piece in pixels."""
SAMPLE = 500_000
"""Pixels by which the layers are summed up, at most."""
_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def describe_large(
    views: Views, labelling: Labelling, number: int, window: Window, pixels: int, grid: Grid
) -> tuple[LandslideObject, MultiPolygon, np.ndarray | None]:
    """Describe one part of a scene.

    Args:
        views: The scene.
        labelling: Its labels, joined.
        number: The part's label.
        window: The smallest window around it.
        pixels: How many pixels it has.
        grid: The scene's.

    Returns:
        What it is like; its outline in pixels; and the way from its crown to its toe.
    """
    step, met = -(-pixels // SAMPLE), 0
    sums, highest, probability = np.zeros(6), 0.0, 0.0
    rim = np.zeros(3, dtype=np.int64)
    samples: dict[str, list[np.ndarray]] = {}
    places: list[np.ndarray] = []
    pieces: list[MultiPolygon] = []
    for small in blocks((window.height, window.width), PIECE):
        piece = small.moved(window.row, window.column)
        around = piece.padded(1, views.size)
        labels, _ = labelling.read(around)
        own = labels == number
        if not own.any():
            continue
        view, layers = views.view(around), views.layers_in(around, own)
        core = piece.within(around)
        edge = ndimage.binary_dilation(own, _EIGHT_NEIGHBOURS) & ~own
        water = edge & view.observed & (layers.get("ndwi", np.zeros(own.shape)) > 0)
        rim += [np.count_nonzero(each[core]) for each in (edge, edge & ~view.observed, water)]
        own = own[core]
        if not own.any():
            continue
        rows, columns = np.argwhere(own).T + np.array([[piece.row], [piece.column]], np.float64)
        powers = (rows, columns, rows**2, columns**2, rows * columns)
        sums += [len(rows), *map(np.sum, powers)]
        probabilities = view.probability[core][own]
        probability += float(probabilities.sum(dtype=np.float64))
        highest = max(highest, float(probabilities.max()))
        chosen = (np.arange(len(rows)) + met) % step == 0
        met += len(rows)
        places.append(np.stack([rows, columns])[:, chosen])
        for name, values in layers.items():
            samples.setdefault(name, []).append(values[core][own][chosen])
        pieces += outlines(own.astype(np.int32), piece).values()
    outline = joined(pieces)
    row, column = sums[1:3] / pixels
    layers = {name: np.concatenate(parts) for name, parts in samples.items()}
    attributes = _summed_up(layers)
    fall = None
    if "elevation" in layers:
        rows, columns = np.concatenate(places, axis=1)
        fall = crown_to_toe(rows, columns, layers["elevation"])
    hidden, water = (round(float(each), 3) for each in rim[1:] / max(1, rim[0]))
    attributes["hidden_contact"] = hidden
    if "ndwi" in samples:
        attributes["water_contact"] = water
    one = LandslideObject(
        number=number,
        pixels=pixels,
        hectares=grid.hectares(pixels),
        row=round(float(row), 1),
        column=round(float(column), 1),
        top=window.row,
        left=window.column,
        bottom=window.row + window.height - 1,
        right=window.column + window.width - 1,
        mean_probability=round(probability / pixels, 4),
        max_probability=round(highest, 4),
        attributes={**_shape(sums, outline, grid), **attributes},
    )
    return one, outline, fall


def _summed_up(layers: dict[str, np.ndarray]) -> dict[str, float]:
    """What layers (n,) say of the pixels of one object."""
    if not layers:
        return {}
    count = len(next(iter(layers.values())))
    row = np.ones((1, count), dtype=np.int32)
    pixels = Prediction(np.ones(row.shape, np.float32), row > 0, 0.0, "")
    (one,) = describe(row, pixels, {name: values[None] for name, values in layers.items()})
    own = ("perimeter", "elongation", "compactness", "hidden_contact", "water_contact")
    return {name: value for name, value in one.attributes.items() if name not in own}


def _shape(sums: np.ndarray, outline: MultiPolygon, grid: Grid) -> dict[str, float]:
    """The measures of shape of :func:`landslide_zoo.inference.objects.describe`."""
    height, width = grid.pixel_size
    metres = shapely.transform(outline, lambda pixels: pixels * (width, height))
    # Steps around a slanting edge are longer than the edge, by 4 / pi in the mean.
    perimeter = metres.length * np.pi / 4
    _, row, column, rows, columns, both = sums / sums[0]
    down, across = rows - row**2, columns - column**2
    covariance = np.array([[down, both - row * column], [both - row * column, across]])
    short, long = 4 * np.sqrt(np.linalg.eigvalsh(covariance).clip(0))
    return {
        "perimeter": round(float(perimeter), 1),
        "elongation": round(float((long + 1) / (short + 1)), 3),
        "compactness": round(min(1.0, float(4 * np.pi * metres.area / perimeter**2)), 3),
    }
