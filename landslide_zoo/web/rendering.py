"""From values to HTML: templates that escape what they are given, and inline pictures."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

import numpy as np

from landslide_zoo.figures.images import (
    MARK_COLOURS,
    agreement_picture,
    colour_table,
    disagreement_picture,
    enlarge,
    marks,
    png,
    probability_picture,
)
from landslide_zoo.text import templates_of

WIDEST = 1024
"""Pictures on the page are at most this wide and high; downloads are whole."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of a patch.

    Attributes:
        key: Short name for files and the page.
        title: What it is called.
        caption: How to read it.
        pixels: Shape (H, W, 3), uint8, or marks (H, W) to be laid over the true colour.
    """

    key: str
    title: str
    caption: str
    pixels: np.ndarray

    @cached_property
    def uri(self) -> str:
        """The picture as a data URI."""
        return data_uri(self.pixels)


def render(template: str, **values: object) -> str:
    """Fill a template of this package; every value is escaped."""
    return _TEMPLATES.get_template(f"{template}.html.jinja").render(**values)


def asset(name: str) -> str:
    """The text of a style sheet or script of this package."""
    return resources.files("landslide_zoo.web").joinpath(name).read_text(encoding="utf-8")


def data_uri(picture: np.ndarray, widest: int = WIDEST) -> str:
    """A picture as a data URI for the page, thinned out if it is large.

    Args:
        picture: Shape (H, W, 3), uint8; or marks, shape (H, W), which are drawn on nothing.
        widest: Most pixels along a side.
    """
    step = -(-max(picture.shape[:2]) // widest)
    return png_uri(png(picture[::step, ::step], MARK_COLOURS if picture.ndim == 2 else None))


def png_uri(content: bytes) -> str:
    """A PNG file as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def outlines(mask: np.ndarray, side: int = 512) -> str:
    """The outline of a mask (H, W) on nothing, as a data URI, to be laid over a picture."""
    large = enlarge(mask > 0, max(1, side // max(mask.shape)))
    return data_uri(marks(large))


def gradient(colours: str) -> str:
    """A colour map of matplotlib as a CSS gradient from left to right."""
    stops = colour_table(colours)[np.linspace(0, 255, 9).astype(int)]
    return f"linear-gradient(to right, {', '.join('rgb({},{},{})'.format(*c) for c in stops)})"


def amount(number: float | None, digits: int = 2) -> str:
    """A number for people: few digits, and a dash where there is none."""
    return "\N{EN DASH}" if number is None else f"{number:,.{digits}f}"


_TEMPLATES = templates_of(
    "landslide_zoo.web",
    *(data_uri, outlines, gradient, amount),
    *(agreement_picture, disagreement_picture, probability_picture),
)
