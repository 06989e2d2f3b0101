"""Single landslides of a mask, and what is known of each."""

from __future__ import annotations

import numpy as np
import pytest

from landslide_zoo.data.patch import Grid
from landslide_zoo.inference.objects import LandslideObject, describe, label_objects


def find_objects(
    probability: np.ndarray,
    grid: Grid = Grid(),  # noqa: B008
    layers: dict[str, np.ndarray] | None = None,
    observed: np.ndarray | None = None,
) -> list[LandslideObject]:
    """The objects of at least 0.5."""
    if observed is None:
        observed = np.ones(probability.shape, dtype=bool)
    probability = probability.astype(np.float32)
    return describe(label_objects(probability >= 0.5), probability, observed, grid, layers or {})


def square(top: int, left: int, height: int, width: int, size: int = 40) -> np.ndarray:
    probability = np.zeros((size, size))
    probability[top : top + height, left : left + width] = 0.9
    return probability


def test_objects_with_their_size_and_place() -> None:
    probability = np.zeros((8, 10))
    probability[6, 7] = 0.9
    probability[1:3, 1:3] = 0.8
    probability[3, 3] = 0.6  # touches at a corner: the same landslide
    large, small = find_objects(probability)
    assert (large.number, large.pixels, large.hectares) == (1, 5, 0.05)
    assert (large.top, large.left, large.bottom, large.right) == (1, 1, 3, 3)
    assert (large.row, large.column) == (1.8, 1.8)
    assert large.mean_probability == pytest.approx(0.76, abs=1e-4)
    assert large.max_probability == pytest.approx(0.8, abs=1e-4)
    assert (small.number, small.pixels, small.row, small.column) == (2, 1, 6, 7)


def test_area_and_perimeter_follow_the_grid() -> None:
    fine = find_objects(square(5, 5, 10, 10), Grid((5, 5)))[0]
    coarse = find_objects(square(5, 5, 10, 10), Grid((20, 20)))[0]
    assert coarse.hectares == pytest.approx(16 * fine.hectares)
    assert coarse.attributes["perimeter"] == pytest.approx(
        4 * fine.attributes["perimeter"], abs=0.5
    )


def test_a_chute_is_long_and_a_disc_compact() -> None:
    rows, columns = np.indices((40, 40))
    disc = find_objects(0.9 * (np.hypot(rows - 20, columns - 20) < 12))[0]
    chute = find_objects(square(2, 10, 36, 3))[0]
    assert disc.attributes["elongation"] == pytest.approx(1, abs=0.05)
    assert disc.attributes["compactness"] > 0.9
    assert chute.attributes["elongation"] > 5
    assert chute.attributes["compactness"] < 0.4


@pytest.mark.parametrize("top", [0, 10, 36])
def test_contact_with_water_and_with_what_is_hidden(top: int) -> None:
    observed = np.ones((40, 40), dtype=bool)
    observed[:, 14:] = False  # along the right side, where an edge of the patch is not near
    water = np.where(np.arange(40) < 10, 0.3, -0.3) * np.ones((40, 1))
    probability = square(top, 10, 4, 4)
    (found,) = find_objects(probability, layers={"ndwi": water}, observed=observed)
    attributes = found.attributes
    around = 20 if top == 10 else 14
    beside = 6 if top == 10 else 5
    assert attributes["hidden_contact"] == pytest.approx(beside / around, abs=1e-3)
    assert attributes["water_contact"] == pytest.approx(beside / around, abs=1e-3)
