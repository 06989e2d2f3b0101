"""A prediction: its mask begins at the threshold itself."""

from __future__ import annotations

import numpy as np
import pytest

from landslide_zoo import Prediction


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.3, 0.5, 0.7, 1.0])
def test_a_pixel_at_the_threshold_is_landslide(threshold: float) -> None:
    at = np.float32(threshold)
    below, above = np.nextafter(at, np.float32(-1)), np.nextafter(at, np.float32(2))
    prediction = Prediction(np.array([[below, at, above]]), threshold, "model")
    assert prediction.mask.tolist() == [[0, 1, 1]]
    assert prediction.mask.dtype == np.uint8


def test_the_mask_follows_the_threshold_and_not_the_network() -> None:
    probability = np.linspace(0, 1, 101, dtype=np.float32)[None]
    areas = [Prediction(probability, t, "model").mask.sum() for t in (0, 0.25, 0.5, 0.75, 1)]
    assert areas == [101, 76, 51, 26, 1]
