"""Where pixels lie on the ground, and how large they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """Coordinate system, transform and pixel size of a patch, a prediction or a scene.

    A Landslide4Sense patch has a grid without place: its file says neither
    where nor when, only that pixels are 10 m wide.

    Attributes:
        pixel_size: Height and width of a pixel on the ground, in metres.
        crs: Coordinate system, as in ``EPSG:32643``; None where the place is not known.
        transform: The affine transform (a, b, c, d, e, f) from column and row to
            coordinates, x = a column + b row + c and y = d column + e row + f;
            None where the place is not known.
    """

    pixel_size: tuple[float, float] = (10.0, 10.0)
    crs: str | None = None
    transform: tuple[float, float, float, float, float, float] | None = None

    @property
    def pixel_area(self) -> float:
        """Area of a pixel in square metres."""
        return self.pixel_size[0] * self.pixel_size[1]

    def hectares(self, pixels: float) -> float:
        """Area of a number of pixels in hectares.

        Example:
            >>> Grid().hectares(150)
            1.5
        """
        return pixels * self.pixel_area / 10_000

    def square_kilometres(self, pixels: float) -> float:
        """Area of a number of pixels in square kilometres."""
        return pixels * self.pixel_area / 1_000_000


UNPLACED = Grid()
"""The grid of a Landslide4Sense patch: 10 m pixels, place unknown."""
