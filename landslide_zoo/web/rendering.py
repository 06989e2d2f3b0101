"""From values to HTML: templates that escape what they are given, and inline pictures."""

from __future__ import annotations

import base64
import io
from functools import cache
from importlib import resources

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib import colormaps
from PIL import Image

from landslide_zoo.figures import (
    agreement_picture,
    disagreement_picture,
    enlarge,
    overlay,
    probability_picture,
)

WIDEST = 1024
"""Pictures on the page are at most this wide and high; downloads are whole."""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("landslide_zoo.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pictures = (agreement_picture, disagreement_picture, probability_picture)
    for one in (data_uri, outlines, gradient, amount, *pictures):
        environment.filters[one.__name__] = one
    return environment


def render(template: str, **values: object) -> str:
    """Fill a template of this package; every value is escaped."""
    return _environment().get_template(f"{template}.html.jinja").render(**values)


def asset(name: str) -> str:
    """The text of a style sheet or script of this package."""
    return resources.files("landslide_zoo.web").joinpath(name).read_text(encoding="utf-8")


def png(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3 or 4) uint8 as a PNG file, packed fast rather than small."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return file.getvalue()


def data_uri(picture: np.ndarray, widest: int = WIDEST) -> str:
    """A picture (H, W, 3 or 4) uint8 as a data URI for the page, thinned out if it is large."""
    step = -(-max(picture.shape[:2]) // widest)
    shown = np.ascontiguousarray(picture[::step, ::step])
    return "data:image/png;base64," + base64.b64encode(png(shown)).decode("ascii")


def outlines(mask: np.ndarray, side: int = 512) -> np.ndarray:
    """The outline of a mask (H, W) on nothing: red, green, blue, opacity, uint8.

    Laid over a picture it shows what ``overlay`` draws, at a fraction of the bytes.
    """
    large = enlarge(mask, max(1, side // max(mask.shape)))
    line = overlay(np.zeros((*large.shape, 3), dtype=np.uint8), large)
    return np.dstack([line, np.where(line.any(axis=2), 255, 0).astype(np.uint8)])


def gradient(colours: str) -> str:
    """A colour map of matplotlib as a CSS gradient from left to right."""
    stops = colormaps[colours](np.linspace(0, 1, 9), bytes=True)[:, :3]
    return f"linear-gradient(to right, {', '.join('rgb({},{},{})'.format(*c) for c in stops)})"


def amount(number: float | None, digits: int = 2) -> str:
    """A number for people: few digits, and a dash where there is none."""
    return "\N{EN DASH}" if number is None else f"{number:,.{digits}f}"
