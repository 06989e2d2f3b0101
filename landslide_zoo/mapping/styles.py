"""Styles by which QGIS draws the outlines as soon as they are opened."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree

COLOURS = {0.0: (240, 228, 66), 0.6: (230, 159, 0), 0.8: (213, 94, 0)}
"""Colour of a landslide from a mean probability on: yellow, orange and vermilion of Okabe and
Ito, which people with any of the three colour deficiencies can tell apart."""
DROPPED = (86, 180, 233)
_VERSION = "3.22.0"  # of QGIS, which knows these options since
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"


@dataclass(frozen=True)
class _Fill:
    """How polygons are drawn: red, green, blue, and how opaque they are inside."""

    colour: tuple[int, int, int]
    opacity: int
    dashed: bool = False

    def add_to(self, symbols: ElementTree.Element, name: str) -> None:
        """Add it to the symbols of a style, under a name."""
        symbol = ElementTree.SubElement(
            symbols,
            "symbol",
            {"type": "fill", "name": name, "alpha": "1", "clip_to_extent": "1", "force_rhr": "0"},
        )
        layer = ElementTree.SubElement(
            symbol, "layer", {"class": "SimpleFill", "enabled": "1", "locked": "0", "pass": "0"}
        )
        options = ElementTree.SubElement(layer, "Option", {"type": "Map"})
        red, green, blue = self.colour
        for key, value in (
            ("color", f"{red},{green},{blue},{self.opacity}"),
            ("style", "solid"),
            ("outline_color", f"{red},{green},{blue},255"),
            ("outline_style", "dash" if self.dashed else "solid"),
            ("outline_width", "0.5"),
            ("outline_width_unit", "MM"),
            ("joinstyle", "miter"),
        ):
            ElementTree.SubElement(
                options, "Option", {"type": "QString", "name": key, "value": value}
            )


def landslide_style() -> str:
    """The text of a ``.qml``: outlines filled by mean probability."""
    renderer = ElementTree.Element(
        "renderer-v2",
        {
            "type": "graduatedSymbol",
            "attr": "mean_probability",
            "graduatedMethod": "GraduatedColor",
            "symbollevels": "0",
            "forceraster": "0",
            "enableorderby": "0",
        },
    )
    ranges = ElementTree.SubElement(renderer, "ranges")
    symbols = ElementTree.SubElement(renderer, "symbols")
    bounds = [*COLOURS, 1.0]
    for number, (low, high) in enumerate(pairwise(bounds)):
        label = f"below {high:g}" if number == 0 else f"{low:g} to {high:g}"
        ElementTree.SubElement(
            ranges,
            "range",
            {
                "lower": f"{low:.15f}",
                "upper": f"{high:.15f}",
                "label": f"Mean probability {label}",
                "symbol": str(number),
                "render": "true",
            },
        )
        _Fill(COLOURS[low], 90).add_to(symbols, str(number))
    return _document(renderer)


def dropped_style() -> str:
    """The text of a ``.qml``: dashed outlines of what rules dropped."""
    renderer = ElementTree.Element(
        "renderer-v2",
        {"type": "singleSymbol", "symbollevels": "0", "forceraster": "0", "enableorderby": "0"},
    )
    symbols = ElementTree.SubElement(renderer, "symbols")
    _Fill(DROPPED, 0, dashed=True).add_to(symbols, "0")
    return _document(renderer)


def _document(renderer: ElementTree.Element) -> str:
    root = ElementTree.Element("qgis", {"version": _VERSION, "styleCategories": "Symbology"})
    root.append(renderer)
    ElementTree.indent(root)
    return _DOCTYPE + ElementTree.tostring(root, encoding="unicode") + "\n"
