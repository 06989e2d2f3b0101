"""A one-page report of a map: a single HTML file without outside parts."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from PIL import Image

from landslide_zoo.inference.rules import rule_title
from landslide_zoo.mapping.landslides import Landslides
from landslide_zoo.mapping.overviews import Overview, see_from_far
from landslide_zoo.mapping.provenance import Provenance
from landslide_zoo.mapping.scenes import Scene
from landslide_zoo.mapping.writers import properties
from landslide_zoo.text import templates_of

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
