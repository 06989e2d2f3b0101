"""A one-page report of a map: a single HTML file without outside parts."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.figures.images import enlarge, marked, marks
from landslide_zoo.inference.rules import rule_title
from landslide_zoo.io import templates_of
from landslide_zoo.mapping.landslides import NOT_OBSERVED, Landslides
from landslide_zoo.mapping.writers import Provenance
from landslide_zoo.scenes.rasters import Window, strips
from landslide_zoo.scenes.scene import Scene

WIDEST = 1200
"""Height and width of the picture are at most this, in pixels."""
LARGEST = 20
"""Landslides that are listed."""
_UNKNOWN = "\N{EN DASH}"
_BAR = 0.25
"""Share of the picture's width that the scale bar takes at most."""
_STRETCH = (1.0, 99.0)
_READ = 128
"""Rows that are read together, at least."""
_COLUMNS = {
    "id": ("No.", "{:d}"),
    "area_m2": ("Area (ha)", "{:,.2f}"),
    "length_m": ("Length (m)", "{:,.0f}"),
    "width_m": ("Width (m)", "{:,.0f}"),
    "mean_probability": ("Probability", "{:.2f}"),
    "mean_slope_deg": ("Slope (°)", "{:.0f}"),
    "elevation_range_m": ("Fall (m)", "{:,.0f}"),
    "mean_ndvi": ("NDVI", "{:.2f}"),
    "ndvi_drop": ("NDVI drop", "{:.2f}"),
    "hidden_share": ("Edge hidden", "{:.0%}"),
    "latitude": ("Latitude", "{:.5f}"),
    "longitude": ("Longitude", "{:.5f}"),
    "row": ("Row", "{:.0f}"),
    "column": ("Column", "{:.0f}"),
}
"""Attributes in the table: what the head says, and how a value is written."""


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
    picture, scale = _picture(scene, landslides)
    height, width = picture.shape[:2]
    largest = landslides.table[:LARGEST]
    unplaced = ("latitude", "longitude") if not landslides.ground.placed else ("row", "column")
    shown = [name for name in _COLUMNS if name not in unplaced and largest[name].notna().any()]
    values = largest.assign(area_m2=largest.area_m2 / 10_000)[shown].itertuples(index=False)
    dropped = landslides.dropped
    return _TEMPLATES.get_template("report.html.jinja").render(
        scene=scene,
        landslides=landslides,
        known={
            name: _text(provenance[name]) if provenance.get(name) else None
            for name in ("scene", "model", "acquired", "before")
        },
        seen=_seen(landslides),
        picture=_data_uri(picture),
        width=width,
        height=height,
        side=max(width, height),
        scale=scale,
        bar=_scale_bar(landslides.ground.grid.pixel_size[1] / scale, width),
        heads=[_COLUMNS[name][0] for name in shown],
        rows=[[_cell(*pair) for pair in zip(shown, row, strict=True)] for row in values],
        numbers=largest[["id", "row", "column"]].to_dict("records"),
        rules=[
            {
                "title": rule_title(rule),
                "reason": rule.reason,
                "count": int((dropped.rule == rule.attribute).sum()),
                "area": dropped.area_m2[dropped.rule == rule.attribute].sum(),
            }
            for rule in landslides.rules
        ],
        provenance=[(name.replace("_", " "), _text(value)) for name, value in provenance.items()],
    )


def _picture(scene: Scene, landslides: Landslides) -> tuple[np.ndarray, float]:
    """The scene from far, with landslides outlined and what was not observed hatched.

    Returns:
        Shape (h, w, 3), uint8; and its pixels by the scene's: below 1 where it is smaller.
    """
    bands = TRUE_COLOUR if set(TRUE_COLOUR) <= set(scene.bands) else scene.bands[:1]
    observed = landslides.mask != NOT_OBSERVED
    picture = composite(scene, bands, lambda window: observed[window.slices], WIDEST)

    def kinds(window: Window) -> np.ndarray:
        return np.stack([landslides.mask[window.slices] == 1, observed[window.slices]])

    landslide, seen = shares(scene.size, WIDEST, kinds)
    factor = max(1, WIDEST // max(landslide.shape))
    picture, landslide, seen = (
        enlarge(values, factor) for values in (picture, landslide > 0, seen > 0.5)
    )
    return marked(picture, marks(landslide, hidden=~seen)), factor / _step(scene.size, WIDEST)


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
    step = _step(size, side)
    means = []
    for strip in strips(size, -(-_READ // step) * step):
        values = read(strip)
        for axis in (1, 2):
            starts = np.arange(0, values.shape[axis], step)
            counts = np.diff([*starts, values.shape[axis]])  # those at the end are smaller
            sums = np.add.reduceat(values, starts, axis=axis, dtype=np.float32)
            values = sums / (counts[:, None] if axis == 1 else counts)
        means.append(values)
    return np.concatenate(means, axis=1)


def _step(size: tuple[int, int], side: int) -> int:
    """How many pixels of a scene, each way, become one of a picture."""
    return -(-max(size) // side)


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


def _cell(name: str, value: float) -> str:
    return _UNKNOWN if math.isnan(value) else _COLUMNS[name][1].format(value)


def _text(value: object) -> str:
    """A value of the provenance in one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_text(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(map(_text, value))
    return _UNKNOWN if value is None else str(value)


def _scale_bar(metres: float, width: int) -> dict[str, Any]:
    """Length of a scale bar in pixels of a picture, and what it says.

    Args:
        metres: Width of a pixel of the picture.
        width: Of the picture, in pixels.
    """
    most = _BAR * width * metres
    magnitude = 10.0 ** math.floor(math.log10(most))
    length = max(step * magnitude for step in (1, 2, 5) if step * magnitude <= most)
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    return {"pixels": round(length / metres, 1), "text": text}


def _data_uri(picture: np.ndarray) -> str:
    """A picture as an address that holds it whole."""
    content = io.BytesIO()
    # Colours at full resolution: outlines are one pixel wide.
    Image.fromarray(picture).save(content, format="JPEG", quality=88, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


def hectares(area: float) -> str:
    """An area in square metres as hectares in words."""
    return f"{area / 10_000:,.2f} ha"


_TEMPLATES = templates_of("landslide_zoo.mapping", hectares)
