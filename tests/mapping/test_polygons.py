"""Outlines follow pixels, are valid, and are measured on the ground."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from rasterio.features import rasterize
from scipy import ndimage

from landslide_zoo.data.patch import UNPLACED, Grid
from landslide_zoo.mapping.landslides import Ground, crown_to_toe, joined, outlines
from landslide_zoo.mapping.rasters import Window

UTM = Grid((10.0, 10.0), "EPSG:32643", (10, 0, 600_000, 0, -10, 1_270_000))
DEGREES = Grid((11.06, 10.82), "EPSG:4326", (1e-4, 0, 76.1, 0, -1e-4, 11.5))
SIZE = (200, 300)


def labels_of(share: float, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    labels, _ = ndimage.label(random.random((80, 90)) < share, np.ones((3, 3)))
    return labels.astype(np.int32)


@pytest.mark.parametrize("share", [0.1, 0.4, 0.6])
def test_outlines_are_the_pixels_and_valid(share: float) -> None:
    labels = labels_of(share)
    found = outlines(labels, Window(100, 50, 80, 90))
    assert sorted(found) == list(range(1, labels.max() + 1))
    for number, outline in found.items():
        assert outline.is_valid
        assert outline.area == (labels == number).sum()
    shifted = [(shapely.transform(one, lambda xy: xy - (50, 100)), n) for n, one in found.items()]
    assert np.array_equal(rasterize(shifted, labels.shape), labels)


def test_a_hole_is_a_hole_and_an_island_in_it_is_another_part() -> None:
    labels = np.ones((7, 7), dtype=np.int32)
    labels[1:6, 1:6] = 0
    labels[3, 3] = 2
    ring, island = (outlines(labels, Window(0, 0, 7, 7))[number] for number in (1, 2))
    assert ring.area == 24
    assert [len(part.interiors) for part in ring.geoms] == [1]
    assert island.bounds == (3, 3, 4, 4)
    assert not ring.intersects(island)


def test_pixels_that_touch_at_a_corner_are_one_landslide_of_two_polygons() -> None:
    (outline,) = outlines(np.eye(2, dtype=np.int32), Window(0, 0, 2, 2)).values()
    assert len(outline.geoms) == 2
    assert outline.is_valid


def test_pieces_are_joined_without_a_trace() -> None:
    labels = (labels_of(0.62, seed=5) == 1).astype(np.int32)
    whole = outlines(labels, Window(0, 0, 80, 90))[1]
    pieces = []
    for row in range(0, 80, 16):
        part = labels[row : row + 16]
        pieces += outlines(np.ascontiguousarray(part), Window(row, 0, 16, 90)).values()
    again = joined(pieces)
    assert again.is_valid
    assert again.area == whole.area
    assert again.symmetric_difference(whole).area == 0
    assert len(shapely.get_coordinates(again)) <= len(shapely.get_coordinates(whole))


def square(top: int, left: int, height: int, width: int) -> shapely.MultiPolygon:
    labels = np.ones((height, width), dtype=np.int32)
    return outlines(labels, Window(top, left, height, width))[1]


def test_a_projected_grid_is_measured_in_its_metres() -> None:
    ground = Ground(UTM, SIZE)
    assert ground.even
    assert ground.area(square(10, 20, 5, 8)) == 4000
    assert ground.place(square(10, 20, 5, 8)).bounds == (600_200, 1_269_850, 600_280, 1_269_900)


def test_a_grid_in_degrees_is_measured_on_the_ellipsoid() -> None:
    ground = Ground(DEGREES, SIZE)
    assert not ground.even
    # A degree at 11.5 degrees north is 110.64 km long and 109.10 km wide (WGS 84).
    assert ground.area(square(0, 0, 10, 10)) == pytest.approx(110.64 * 109.10, rel=1e-3)
    assert ground.pixel_size(0) == pytest.approx((11.064, 10.910), rel=1e-3)
    ring = square(0, 0, 30, 30).difference(square(10, 10, 10, 10))
    assert ground.area(shapely.MultiPolygon([ring])) == pytest.approx(
        ground.area(square(0, 0, 30, 30)) - ground.area(square(10, 10, 10, 10)), rel=1e-6
    )


def test_a_stretched_projection_is_measured_on_the_ellipsoid() -> None:
    north = Grid((5.0, 5.0), "EPSG:3857", (10, 0, 0, 0, -10, 8_399_738))  # 60 degrees north
    assert Ground(north, SIZE).area(square(0, 0, 10, 10)) == pytest.approx(2500, rel=0.02)


def test_without_a_place_outlines_stay_in_pixels() -> None:
    ground = Ground(UNPLACED, SIZE)
    assert not ground.placed
    assert ground.longitude_latitude(5, 5) is None
    assert ground.place(square(1, 2, 3, 4)).bounds == (2, 1, 6, 4)
    assert ground.area(square(1, 2, 3, 4)) == 1200


def test_where_a_pixel_lies() -> None:
    assert Ground(DEGREES, SIZE).longitude_latitude(9.5, 19.5) == pytest.approx((76.102, 11.499))


def falling(right: int, down: int, height: int, width: int) -> np.ndarray | None:
    rows, columns = (axis.ravel() for axis in np.indices((height, width)))
    return crown_to_toe(rows, columns, 1000.0 - 5 * (right * columns + down * rows))


@pytest.mark.parametrize(
    ("right", "down", "azimuth", "length", "width"),
    [
        (0, 1, 180, 300, 80),
        (0, -1, 0, 300, 80),
        (1, 0, 90, 80, 300),  # it slid across its longer side: it is wider than long
        (-1, 0, 270, 80, 300),
    ],
)
def test_length_lies_between_crown_and_toe(
    right: int, down: int, azimuth: float, length: float, width: float
) -> None:
    extent = Ground(UTM, SIZE).extent(square(0, 0, 30, 8), 15, falling(right, down, 30, 8))
    assert (extent.azimuth, extent.length, extent.width) == pytest.approx((azimuth, length, width))


def test_a_slope_towards_a_corner() -> None:
    extent = Ground(UTM, SIZE).extent(square(0, 0, 10, 10), 5, falling(1, 1, 10, 10))
    assert extent.azimuth == pytest.approx(135)
    assert (extent.length, extent.width) == pytest.approx((141.4, 141.4), abs=0.1)


def test_on_flat_or_unknown_ground_length_is_the_longest_side() -> None:
    rows, columns = (axis.ravel() for axis in np.indices((30, 8)))
    assert crown_to_toe(rows, columns, np.full(240, 12.0)) is None
    assert crown_to_toe(rows, columns, np.full(240, np.nan)) is None
    extent = Ground(UTM, SIZE).extent(square(0, 0, 30, 8), 15, None)
    assert (extent.length, extent.width, extent.azimuth) == (300, 80, None)


def test_lengths_in_degrees_are_metres_of_their_own_row() -> None:
    north = Grid((11.1, 5.6), "EPSG:4326", (1e-4, 0, 10, 0, -1e-4, 60))
    extent = Ground(north, SIZE).extent(square(0, 0, 10, 100), 5, None)
    assert extent.length == pytest.approx(557.6, rel=0.01)
    assert extent.width == pytest.approx(111.4, rel=0.01)
