"""Pictures of a patch's bands, and of what models answer: arrays (H, W, 3), uint8."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.data.patch import UNPLACED, Grid, Patch

FALSE_COLOUR = ("B8", "B4", "B3")
NDVI_COLOURS = "YlGn"
_PERCENTILES = (1.0, 99.0)
_SUN_AZIMUTH, _SUN_ALTITUDE = 315.0, 45.0  # cartography's customary light, from the north-west
PROBABILITY_COLOURS = "viridis"
AGREEMENT_COLOURS = "cividis"
DISAGREEMENT_COLOURS = "magma"
_MOST_DISAGREEMENT = 0.5  # standard deviation where half say 0 and half say 1
_OUTLINE, _HATCHING, _POSSIBLE = 1, 2, 3
MARK_COLOURS = np.array(
    [(0, 0, 0, 0), (255, 0, 0, 255), (90, 90, 90, 255), (255, 220, 0, 255)], dtype=np.uint8
)
"""Red, green, blue and opacity of what :func:`marks` numbers: nothing, an outline, hatching, and
the outline of what is possible."""
_DASH = 4  # pixels; a power of 2, so that no pixel needs a division

# Okabe and Ito, "Color Universal Design", 2008: vermilion, yellow and blue stay
# apart for people with any of the three colour deficiencies.
ERROR_COLOURS = {
    "found (true positive)": (240, 228, 66),
    "false alarm (false positive)": (213, 94, 0),
    "missed (false negative)": (0, 114, 178),
}
"""Colour of each kind of pixel in :func:`errors_picture`, by its plain name."""


def true_colour(patch: Patch) -> np.ndarray:
    """Bands B4, B3, B2 as red, green, blue, each stretched between percentiles of the patch.

    A patch of display values is shown as it is.

    Returns:
        Shape (H, W, 3), uint8.

    Raises:
        DataError: If the patch lacks one of the bands.
    """
    values = patch.select(TRUE_COLOUR)
    if patch.unit == "display":
        return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    return _stretched(values)


def false_colour(patch: Patch) -> np.ndarray:
    """Bands B8, B4, B3 as red, green, blue: plants are red, bare ground is grey to cyan.

    Returns:
        Shape (H, W, 3), uint8, each band stretched between percentiles of the patch.

    Raises:
        DataError: If the patch lacks one of the bands.
    """
    return _stretched(patch.select(FALSE_COLOUR))


def ndvi(patch: Patch) -> np.ndarray:
    """NDVI on a fixed scale, from 0 (pale: bare ground, rock, water) to 1 (dark green: plants).

    Returns:
        Shape (H, W, 3), uint8.

    Raises:
        DataError: If the patch lacks B8 or B4, or has display values.
    """
    return _coloured(patch.index("NDVI"), NDVI_COLOURS)


def band_picture(values: np.ndarray) -> np.ndarray:
    """One layer (H, W) in grey, stretched between its percentiles.

    Returns:
        Shape (H, W, 3), uint8.
    """
    return _stretched(np.repeat(values[None], 3, axis=0))


def hillshade(dem: np.ndarray, grid: Grid = UNPLACED) -> np.ndarray:
    """Terrain lit from the north-west, 45 degrees above the horizon.

    Args:
        dem: Elevation in metres, shape (H, W), north up.
        grid: Its pixel size.

    Returns:
        Grey, shape (H, W, 3), uint8.
    """
    from matplotlib.colors import LightSource

    height, width = grid.pixel_size
    light = LightSource(_SUN_AZIMUTH, _SUN_ALTITUDE)
    lit = light.hillshade(dem.astype(np.float64), dx=width, dy=height)
    return _grey(255 * np.clip(lit, 0, 1))


def probability_picture(probability: np.ndarray) -> np.ndarray:
    """Probability on a fixed scale from 0 to 1, so that two pictures can be compared.

    Args:
        probability: Shape (H, W), 0 to 1.

    Returns:
        Shape (H, W, 3), uint8.
    """
    return _coloured(probability, PROBABILITY_COLOURS)


def mask_picture(mask: np.ndarray) -> np.ndarray:
    """A mask (H, W) in black and white, shape (H, W, 3), uint8."""
    return _grey(np.where(mask > 0, 255, 0))


def marks(
    mask: np.ndarray,
    dropped: np.ndarray | None = None,
    hidden: np.ndarray | None = None,
    possible: np.ndarray | None = None,
) -> np.ndarray:
    """Outlines and hatching to be drawn over a picture, as numbers of :data:`MARK_COLOURS`.

    Args:
        mask: Landslides, shape (H, W): outlined.
        dropped: What rules dropped, shape (H, W): outlined with a dashed line.
        hidden: What could not be observed, shape (H, W): hatched.
        possible: What may be landslide, shape (H, W): dashed in yellow.

    Returns:
        Shape (H, W), uint8.
    """
    line = np.zeros(mask.shape, dtype=bool)
    drawn = line.view(np.uint8)
    if dropped is not None and dropped.any():
        line |= _outline(dropped > 0) & (_diagonals(mask.shape) & _DASH == 0)
    if mask.any():
        line |= _outline(mask > 0)
    if hidden is not None and hidden.any():
        lines = _diagonals(mask.shape) & (4 * _DASH - 1) == 0
        hatching = (hidden > 0) & lines | _outline(hidden > 0)
        drawn = np.where(line, np.uint8(_OUTLINE), hatching * np.uint8(_HATCHING))
    if possible is not None and possible.any():
        dashes = _outline(possible > 0) & (_diagonals(mask.shape) & _DASH == 0)
        drawn = np.where(dashes & ~line, np.uint8(_POSSIBLE), drawn)
    return drawn


def marked(picture: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """A picture with marks on it; every pixel without one stays as it is.

    Args:
        picture: Shape (H, W, 3), uint8.
        drawn: The marks, shape (H, W), from :func:`marks`.

    Returns:
        A new picture, shape (H, W, 3), uint8.
    """
    places = np.flatnonzero(drawn > 0)
    shown = picture.copy()
    shown.reshape(-1, 3)[places] = MARK_COLOURS[drawn.ravel()[places], :3]
    return shown


def _outline(inside: np.ndarray) -> np.ndarray:
    """The pixels inside that touch others, or the edge, shape (H, W), bool."""
    padded = np.pad(inside, 1)
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inside & ~surrounded


def _diagonals(shape: tuple[int, ...]) -> np.ndarray:
    """Number of the diagonal of each pixel, from the top left, shape (H, W)."""
    rows, columns = (np.arange(side, dtype=np.uint16) for side in shape)
    return rows[:, None] + columns


def errors_picture(picture: np.ndarray, mask: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Show where a mask is right and wrong, on the picture in grey.

    Args:
        picture: Shape (H, W, 3), uint8.
        mask: What was found, shape (H, W).
        truth: What is there, shape (H, W).

    Returns:
        Shape (H, W, 3), uint8, in :data:`ERROR_COLOURS`.
    """
    found, real = mask > 0, truth > 0
    kinds = (found & real, found & ~real, ~found & real)
    drawn = _grey(picture.mean(axis=2))
    for pixels, colour in zip(kinds, ERROR_COLOURS.values(), strict=True):
        drawn[pixels] = colour
    return drawn


def agreement_picture(count: np.ndarray, models: int) -> np.ndarray:
    """How many of the models see each pixel as landslide, from none (dark) to all (bright).

    Args:
        count: Number of models for each pixel, shape (H, W), 0 to ``models``.
        models: Number of models, at least 1.

    Returns:
        Shape (H, W, 3), uint8.
    """
    return _coloured(np.asarray(count) / models, AGREEMENT_COLOURS)


def disagreement_picture(disagreement: np.ndarray) -> np.ndarray:
    """Standard deviation of several models' probabilities, on a fixed scale from 0 to 0.5.

    Args:
        disagreement: Shape (H, W), 0 to 0.5.

    Returns:
        Shape (H, W, 3), uint8.
    """
    return _coloured(disagreement / _MOST_DISAGREEMENT, DISAGREEMENT_COLOURS)


def enlarge(picture: np.ndarray, factor: int) -> np.ndarray:
    """Repeat every pixel ``factor`` times along both sides of (H, W) or (H, W, 3)."""
    return picture.repeat(factor, axis=1).repeat(factor, axis=0)


@cache
def colour_table(colours: str) -> np.ndarray:
    """The 256 colours of a colour map of matplotlib, from 0 to 1, shape (256, 3), uint8."""
    from matplotlib import colormaps  # it takes a quarter of a second

    return colormaps[colours](np.arange(256), bytes=True)[:, :3]


def _coloured(shares: np.ndarray, colours: str) -> np.ndarray:
    """Shares (H, W), cut off at 0 and 1, in a colour map of matplotlib."""
    steps = np.minimum(256 * np.clip(shares, 0, 1), 255).astype(np.uint8)
    return colour_table(colours)[steps]


def _grey(brightness: np.ndarray) -> np.ndarray:
    """Brightness (H, W), 0 to 255, as a picture (H, W, 3), uint8."""
    return np.repeat(np.rint(brightness).astype(np.uint8)[..., None], 3, axis=2)


def _stretched(values: np.ndarray) -> np.ndarray:
    """Bands (3, H, W) as a picture (H, W, 3); a constant band becomes mid-grey."""
    low, high = np.percentile(values, _PERCENTILES, axis=(1, 2), keepdims=True)
    flat = high <= low
    shares = np.where(flat, 0.5, (values - low) / np.where(flat, 1, high - low))
    return np.rint(255 * np.clip(shares, 0, 1)).astype(np.uint8).transpose(1, 2, 0)


def png(picture: np.ndarray, colours: np.ndarray | None = None) -> bytes:
    """A picture as a PNG file, packed fast rather than small.

    Args:
        picture: Shape (H, W, 3), uint8; or, where ``colours`` are given, the number
            of each pixel's colour, shape (H, W), uint8.
        colours: Red, green, blue and opacity of each colour, shape (K, 4), uint8.
    """
    file, image, options = io.BytesIO(), Image.fromarray(picture), {}
    if colours is not None:
        image.putpalette(colours[:, :3].tobytes())
        options["transparency"] = colours[:, 3].tobytes()
    image.save(file, "PNG", compress_level=1, **options)
    return file.getvalue()
