"""Single landslides of a mask."""

from __future__ import annotations

import numpy as np
import pytest

from landslide_zoo.inference.objects import find_objects, hectares
from landslide_zoo.models.prediction import Prediction


def test_objects_with_their_size_and_place() -> None:
    probability = np.zeros((8, 10), np.float32)
    probability[1:3, 1:3] = 0.8
    probability[3, 3] = 0.6  # touches at a corner: the same landslide
    probability[6, 7] = 0.9
    large, small = find_objects(Prediction(probability, 0.5, "model"))
    assert (large.number, large.pixels, large.hectares) == (1, 5, 0.05)
    assert (large.top, large.left, large.bottom, large.right) == (1, 1, 3, 3)
    assert (large.row, large.column) == (1.8, 1.8)
    assert large.mean_probability == pytest.approx(0.76, abs=1e-4)
    assert large.max_probability == pytest.approx(0.8, abs=1e-4)
    assert (small.number, small.pixels, small.row, small.column) == (2, 1, 6, 7)


def test_an_empty_mask_has_none() -> None:
    assert find_objects(Prediction(np.zeros((8, 8), np.float32), 0.5, "model")) == []


def test_a_pixel_is_a_hundredth_of_a_hectare() -> None:
    assert hectares(250) == pytest.approx(2.5)
