"""What the tab Map shows of a mapped scene: pictures, outlines, and facts as text.

It runs where the scene was mapped (:mod:`landslide_zoo.web.map_worker`), not in the app.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from geopandas import GeoDataFrame
from matplotlib import colormaps
from PIL import Image
from shapely.geometry import MultiPolygon

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.figures.images import FALSE_COLOUR, PROBABILITY_COLOURS
from landslide_zoo.mapping.landslides import Ground
from landslide_zoo.mapping.maps import SceneMap
from landslide_zoo.mapping.probabilities import Probabilities
from landslide_zoo.mapping.report import composite, shares
from landslide_zoo.scenes.rasters import Window
from landslide_zoo.scenes.scene import Scene

WIDEST = 3072
"""Pictures on the page are at most this wide and high; downloads are whole."""
MOST = 1000
"""Landslides that the page draws and lists, the largest first; downloads hold all."""
_NODES = 17
"""Nodes a side of the lattice of longitudes and latitudes."""
_FACTS = (
    ("Falls towards", "azimuth_deg", "{:.0f}\N{DEGREE SIGN}"),
    ("Mean slope", "mean_slope_deg", "{:.1f}\N{DEGREE SIGN}"),
    ("Elevation range", "elevation_range_m", "{:,.0f} m"),
    ("Mean NDVI", "mean_ndvi", "{:.2f}"),
    ("NDVI drop", "ndvi_drop", "{:.2f}"),
)
"""Title, attribute and text of what is shown where it is known."""
_HATCHING = (70, 70, 70, 210)


def write_pictures(scene: Scene, probabilities: Probabilities, folder: Path) -> list[dict]:
    """Draw the layers of a scene as picture files; what each is, without its address.

    Args:
        scene: The bands, open.
        probabilities: What the network says, and what is observed.
        folder: Where to write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    composites = {"true": ("True colour", TRUE_COLOUR), "false": ("False colour", FALSE_COLOUR)}
    layers = []
    for key, (title, bands) in composites.items():
        if set(bands) <= set(scene.bands):
            seen = lambda window: probabilities.read(window).observed  # noqa: E731
            drawn = composite(scene, bands, seen, WIDEST)
            Image.fromarray(drawn).save(folder / f"{key}.jpg", quality=95, subsampling=0)
            layers.append({"file": f"{key}.jpg", "title": title, "base": True})
    for key, title, picture in _overlays(probabilities):
        Image.fromarray(picture).save(folder / f"{key}.png", compress_level=3)
        shown = key == "unobserved"
        opacity = 1.0 if shown else 0.8
        layers.append({"file": f"{key}.png", "title": title, "shown": shown, "opacity": opacity})
    return layers


def describe_map(scene: Scene, made: SceneMap, half: SceneMap | None = None) -> dict[str, Any]:
    """Outlines, facts and places of a map, as plain values for JSON.

    Args:
        scene: What was mapped.
        made: What came of it.
        half: What comes of it at half the threshold: what is possible.
    """
    ground, coverage = Ground(scene.grid, scene.size), made.coverage
    hidden = len(made.landslides) - MOST
    largest = made.landslides.area_m2.max() if len(made.landslides) else 0.0
    return {
        "name": scene.name,
        "size": list(scene.size),
        "metres": float(np.sqrt(np.prod(ground.pixel_size(scene.size[0] // 2)))),
        "degrees": _degrees(ground, scene.size),
        "landslides": _shown(ground, made.landslides[:MOST], "Landslide {id}"),
        "dropped": _shown(ground, made.dropped[:MOST], "Dropped by a rule"),
        "possible": _shown(ground, half.landslides[:MOST], "Possible landslide") if half else [],
        "possible_hectares": max(0.0, half.hectares - made.hectares) if half else None,
        "more": f"And {hidden:,} smaller ones, in the files." if hidden > 0 else "",
        "figures": {
            "scene": scene.name,
            "height": scene.size[0],
            "width": scene.size[1],
            "threshold": made.threshold,
            "area_hectares": round(made.hectares, 2),
            "objects": len(made.landslides),
            "largest_hectares": round(float(largest) / 10_000, 2),
            "dropped": len(made.dropped),
            "observed": round(coverage.observed / coverage.total, 4),
            "cloud": round(coverage.cloud / coverage.total, 4),
            "no_data": round(coverage.missing / coverage.total, 4),
            "notes": list(made.notes),
        },
    }


def _overlays(probabilities: Probabilities) -> Iterator[tuple[str, str, np.ndarray]]:
    """Probability and what is not observed, as red, green, blue and opacity."""

    def read(window: Window) -> np.ndarray:
        known = probabilities.read(window)
        return np.stack([known.observed, np.where(known.observed, known.probability, 0)])

    observed, levels = shares(probabilities.size, WIDEST, read)
    seen = observed > 0.5
    levels /= np.maximum(observed, 1e-6)
    picture = colormaps[PROBABILITY_COLOURS](levels.clip(0, 1), bytes=True)
    picture[~seen] = 0
    yield "probability", "Probability", picture
    hatch = np.add.outer(np.arange(seen.shape[0]), np.arange(seen.shape[1])) % 6 < 2
    picture = np.zeros((*seen.shape, 4), np.uint8)
    picture[~seen & hatch] = _HATCHING
    yield "unobserved", "Not observed", picture


def _degrees(ground: Ground, size: tuple[int, int]) -> list[list[list[float]]] | None:
    """Longitude and latitude at the nodes of a lattice over a scene; None where not known."""
    if not ground.placed:
        return None
    nodes = np.meshgrid(*(np.linspace(0, side, _NODES) - 0.5 for side in size), indexing="ij")
    degrees = ground.degrees(*(axis.ravel() for axis in nodes))
    pairs = np.column_stack([degrees["longitude"], degrees["latitude"]]).round(7)
    return pairs.reshape(_NODES, _NODES, 2).tolist()


def _shown(ground: Ground, table: GeoDataFrame, title: str) -> list[dict[str, Any]]:
    """Landslides, or what rules dropped, for the page, each under a title."""
    outlines = shapely.transform(table.geometry.array, ground.pixels)
    rows = table.drop(columns="geometry").to_dict("records")
    return [_one_shown(*pair, title) for pair in zip(rows, outlines, strict=True)]


def _one_shown(known: dict[str, Any], outline: MultiPolygon, title: str) -> dict[str, Any]:
    hectares = f"{known['area_m2'] / 10_000:,.2f}"
    mean, highest = known["mean_probability"], known["max_probability"]
    facts = [
        ("Area", f"{hectares} ha"),
        ("Length x width", f"{known['length_m']:,.0f} x {known['width_m']:,.0f} m"),
        ("Probability", f"mean {mean:.2f}, highest {highest:.2f}"),
        *(
            (title, text.format(known[name]))
            for title, name, text in _FACTS
            if known[name] and not np.isnan(known[name])
        ),
    ]
    if not np.isnan(known["longitude"]):
        facts.append(("Centre", f"{known['latitude']:.5f}, {known['longitude']:.5f}"))
    slope = known["mean_slope_deg"]
    return {
        "number": known["id"],
        "title": title.format(**known),
        "why": known.get("why"),
        "rings": [
            # Corners lie at whole numbers of columns and rows.
            [np.rint(ring.coords[:-1]).astype(int).tolist() for ring in (p.exterior, *p.interiors)]
            for p in outline.geoms
        ],
        "facts": facts,
        "cells": [
            hectares,
            f"{known['length_m']:,.0f}",
            f"{known['width_m']:,.0f}",
            "\N{EN DASH}" if np.isnan(slope) else f"{slope:.0f}",
            f"{mean:.2f}",
        ],
    }
