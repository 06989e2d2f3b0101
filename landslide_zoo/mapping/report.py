"""A one-page report of a map: a single HTML file without outside parts."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.figures.images import enlarge, marked, marks
from landslide_zoo.inference.rules import rule_title
from landslide_zoo.mapping.landslides import NOT_OBSERVED, Landslides
from landslide_zoo.mapping.rasters import Window, blocks
from landslide_zoo.mapping.scenes import Scene
from landslide_zoo.mapping.writers import Provenance, properties
from landslide_zoo.text import templates_of

_STRETCH = (1.0, 99.0)
_READ = 1024
"""Side of the windows that are read, roughly, in pixels."""


@dataclass(frozen=True, eq=False)
class Overview:
    """A scene seen from far.

    Attributes:
        picture: True colour, or the first band in grey, shape (h, w, 3), uint8.
        landslide: Where a pixel of it holds a landslide, shape (h, w), bool.
        observed: Where most of a pixel was seen, shape (h, w), bool.
        scale: Its pixels by the scene's: below 1 where it is smaller.
    """

    picture: np.ndarray
    landslide: np.ndarray
    observed: np.ndarray
    scale: float

    def drawn(self) -> np.ndarray:
        """The picture with landslides outlined and what was not observed hatched."""
        return marked(self.picture, marks(self.landslide, hidden=~self.observed))


def see_from_far(scene: Scene, landslides: Landslides, side: int) -> Overview:
    """See a mapped scene from far.

    Args:
        scene: What was mapped.
        landslides: What was found in it.
        side: Height and width of the picture are at most this; a small scene is enlarged
            by a whole factor.
    """
    bands = TRUE_COLOUR if set(TRUE_COLOUR) <= set(scene.bands) else scene.bands[:1]
    picture = composite(scene, bands, lambda part: landslides.mask(part) != NOT_OBSERVED, side)

    def kinds(window: Window) -> np.ndarray:
        mask = landslides.mask(window)
        return np.stack([mask == 1, mask != NOT_OBSERVED])

    found, seen = shares(scene.size, side, kinds)
    factor = max(1, side // max(found.shape))
    return Overview(
        enlarge(picture, factor),
        enlarge(found > 0, factor),
        enlarge(seen > 0.5, factor),
        factor / step_of(scene.size, side),
    )


def composite(
    scene: Scene, bands: Sequence[str], observed: Callable[[Window], np.ndarray], side: int
) -> np.ndarray:
    """Bands of a scene as a picture, stretched by what is observed: clouds burn out.

    Args:
        scene: The scene.
        bands: Three for red, green and blue, or one for grey.
        observed: Gives the pixels of a window that were seen, shape (h, w), bool.
        side: Height and width of the picture are at most this.

    Returns:
        Shape (h, w, 3), uint8; black where there is no data.
    """

    def read(window: Window) -> np.ndarray:
        patch = scene.read(window, bands)
        return np.stack(
            [*np.where(patch.observed, patch.values, 0), patch.observed, observed(window)]
        )

    *values, measured, seen = shares(scene.size, side, read)
    typical = seen > 0.5 if (seen > 0.5).any() else measured > 0
    picture = np.empty((*measured.shape, len(values)), dtype=np.uint8)
    for number, band in enumerate(values):
        band /= np.maximum(measured, 1e-6)
        if scene.unit == "physical" and typical.any():
            low, high = np.percentile(band[typical], _STRETCH)
            band = (band - low) / np.maximum(high - low, 1e-6)
        picture[..., number] = np.rint(255 * band.clip(0, 1))
    picture[measured == 0] = 0
    return picture if len(values) == 3 else picture.repeat(3, axis=2)


def shares(size: tuple[int, int], side: int, read: Callable[[Window], np.ndarray]) -> np.ndarray:
    """Means over blocks of the pixels of a scene, so that it is no larger than a picture.

    Args:
        size: Height and width of the scene in pixels.
        side: Those of the picture are at most this.
        read: Gives values of a window, shape (C, h, w).

    Returns:
        Shape (C, height, width), float32.
    """
    step = step_of(size, side)
    means: np.ndarray | None = None
    for window in blocks(size, max(1, _READ // step) * step):
        values = read(window)
        if means is None:
            shape = (-(-length // step) for length in size)
            means = np.zeros((len(values), *shape), dtype=np.float32)
        for axis in (1, 2):
            starts = np.arange(0, values.shape[axis], step)
            counts = np.diff([*starts, values.shape[axis]])  # those at the end are smaller
            sums = np.add.reduceat(values, starts, axis=axis, dtype=np.float32)
            values = sums / (counts[:, None] if axis == 1 else counts)
        top, left = window.row // step, window.column // step
        means[:, top : top + values.shape[1], left : left + values.shape[2]] = values
    assert means is not None  # no scene is empty
    return means


def step_of(size: tuple[int, int], side: int) -> int:
    """How many pixels of a scene, each way, become one of a picture."""
    return -(-max(size) // side)


WIDEST = 1200
"""Height and width of the picture are at most this, in pixels."""
LARGEST = 20
"""Landslides that are listed."""
_UNKNOWN = "\N{EN DASH}"
_BAR = 0.25
"""Share of the picture's width that the scale bar takes at most."""


class _Column(NamedTuple):
    """A column of the table: which attribute, what its head says, and how it is written."""

    name: str
    title: str
    text: str
    factor: float = 1.0


_COLUMNS = (
    _Column("id", "No.", "{:d}"),
    _Column("area_m2", "Area (ha)", "{:,.2f}", 1e-4),
    _Column("length_m", "Length (m)", "{:,.0f}"),
    _Column("width_m", "Width (m)", "{:,.0f}"),
    _Column("mean_probability", "Probability", "{:.2f}"),
    _Column("mean_slope_deg", "Slope (°)", "{:.0f}"),
    _Column("elevation_range_m", "Fall (m)", "{:,.0f}"),
    _Column("mean_ndvi", "NDVI", "{:.2f}"),
    _Column("ndvi_drop", "NDVI drop", "{:.2f}"),
    _Column("hidden_share", "Edge hidden", "{:.0%}"),
    _Column("latitude", "Latitude", "{:.5f}"),
    _Column("longitude", "Longitude", "{:.5f}"),
    _Column("row", "Row", "{:.0f}"),
    _Column("column", "Column", "{:.0f}"),
)


def render_report(scene: Scene, landslides: Landslides, provenance: Provenance) -> str:
    """The report of a map: picture, totals, the largest landslides, rules and limits.

    Args:
        scene: What was mapped.
        landslides: What was found in it.
        provenance: Where the map comes from, in its order; ``scene``, ``model``, ``acquired``
            and ``before`` are named at the top.

    Returns:
        The text of the page.
    """
    overview = see_from_far(scene, landslides, WIDEST)
    height, width = overview.picture.shape[:2]
    listed = [properties(one) for one in landslides.objects[:LARGEST]]
    unplaced = ("latitude", "longitude") if not landslides.ground.placed else ("row", "column")
    columns = [
        column
        for column in _COLUMNS
        if column.name not in unplaced and any(one[column.name] is not None for one in listed)
    ]
    return _TEMPLATES.get_template("report.html.jinja").render(
        scene=scene,
        landslides=landslides,
        known={
            name: _text(provenance[name]) if provenance.get(name) else None
            for name in ("scene", "model", "acquired", "before")
        },
        seen=_seen(landslides),
        picture=_data_uri(overview),
        width=width,
        height=height,
        side=max(width, height),
        scale=overview.scale,
        bar=_scale_bar(landslides, overview),
        columns=columns,
        rows=[[_cell(column, one[column.name]) for column in columns] for one in listed],
        rules=list(_rules(landslides)),
        provenance=[(name.replace("_", " "), _text(value)) for name, value in provenance.items()],
    )


def _seen(landslides: Landslides) -> list[tuple[str, str, str]]:
    """How much was observed and why the rest was not: words, square kilometres, per cent."""
    coverage, grid = landslides.coverage, landslides.ground.grid
    parts = {
        "observed": coverage.observed,
        "under cloud": coverage.cloud,
        "not seen on the earlier date": coverage.unseen_before,
        "without data": coverage.missing,
    }
    return [
        (
            name,
            f"{grid.square_kilometres(pixels):,.1f} km²",
            f"{100 * pixels / coverage.total:.1f} %",
        )
        for name, pixels in parts.items()
        if pixels or name == "observed"
    ]


def _rules(landslides: Landslides) -> Iterator[dict[str, Any]]:
    """Each rule in words, with what it dropped."""
    for rule in landslides.rules:
        dropped = [one for one in landslides.dropped if one.rule == rule]
        yield {
            "title": rule_title(rule),
            "reason": rule.reason,
            "count": len(dropped),
            "area": sum(one.area for one in dropped),
        }


def _cell(column: _Column, value: float | None) -> str:
    if value is None:
        return _UNKNOWN
    return column.text.format(value if column.factor == 1.0 else value * column.factor)


def _text(value: object) -> str:
    """A value of the provenance in one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_text(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_text(one) for one in value)
    return _UNKNOWN if value is None else str(value)


def _scale_bar(landslides: Landslides, overview: Overview) -> dict[str, Any]:
    """Length of a scale bar in pixels of the picture, and what it says."""
    metres = landslides.ground.grid.pixel_size[1] / overview.scale
    most = _BAR * overview.picture.shape[1] * metres
    magnitude = 10.0 ** math.floor(math.log10(most))
    length = max(step * magnitude for step in (1, 2, 5) if step * magnitude <= most)
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    return {"pixels": round(length / metres, 1), "text": text}


def _data_uri(overview: Overview) -> str:
    """The picture as an address that holds it whole."""
    content = io.BytesIO()
    # Colours at full resolution: outlines are one pixel wide.
    Image.fromarray(overview.drawn()).save(content, format="JPEG", quality=88, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


def hectares(area: float) -> str:
    """An area in square metres as hectares in words."""
    return f"{area / 10_000:,.2f} ha"


_TEMPLATES = templates_of("landslide_zoo.mapping", hectares)
