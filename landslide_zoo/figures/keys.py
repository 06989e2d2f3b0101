"""Keys to the pictures: a colour bar and a legend, as pictures of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

from landslide_zoo.figures.results import PROBABILITY_COLOURS

_TEXT_SIZE = 14
_GAP = 6
_INK, _PAPER = (30, 30, 30), (255, 255, 255)


def colour_bar(
    width: int = 384,
    colours: str = PROBABILITY_COLOURS,
    ticks: Sequence[tuple[float, str]] = (
        (0, "0"),
        (0.25, "0.25"),
        (0.5, "0.5"),
        (0.75, "0.75"),
        (1, "1"),
    ),
) -> np.ndarray:
    """A horizontal colour bar with its ticks.

    Args:
        width: In pixels.
        colours: Name of matplotlib's colour map.
        ticks: Place on the bar, from 0 to 1, and label of each tick.

    Returns:
        Shape (40, width, 3), uint8.
    """
    height = 40
    margin = 16
    picture = Image.new("RGB", (width, height), _PAPER)
    span = width - 2 * margin
    row = colormaps[colours](np.linspace(0, 1, span), bytes=True)[None, :, :3]
    picture.paste(Image.fromarray(row.repeat(16, axis=0)), (margin, 2))
    draw = ImageDraw.Draw(picture)
    for place, label in ticks:
        x = margin + place * (span - 1)
        draw.line([(x, 18), (x, 21)], fill=_INK)
        draw.text((x, 22), label, fill=_INK, font=ImageFont.load_default(_TEXT_SIZE), anchor="ma")
    return np.asarray(picture)


def legend(colours: Mapping[str, tuple[int, int, int]]) -> np.ndarray:
    """A swatch and its name for each colour, one below the other.

    Returns:
        Shape (H, W, 3), uint8.
    """
    font = ImageFont.load_default(_TEXT_SIZE)
    row = _TEXT_SIZE + _GAP
    width = round(max(font.getlength(name) for name in colours)) + _TEXT_SIZE + 3 * _GAP
    picture = Image.new("RGB", (width, row * len(colours) + _GAP), _PAPER)
    draw = ImageDraw.Draw(picture)
    for i, (name, colour) in enumerate(colours.items()):
        top = _GAP + i * row
        box = (_GAP, top, _GAP + _TEXT_SIZE, top + _TEXT_SIZE)
        draw.rectangle(box, fill=colour, outline=_INK)
        middle = (_TEXT_SIZE + 2 * _GAP, top + _TEXT_SIZE / 2)
        draw.text(middle, name, fill=_INK, font=font, anchor="lm")
    return np.asarray(picture)
