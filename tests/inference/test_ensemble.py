"""What several models say together."""

from __future__ import annotations

import numpy as np
import pytest

from landslide_zoo.inference.ensemble import join_predictions
from landslide_zoo.models.prediction import Prediction


def prediction(values: list[float], threshold: float) -> Prediction:
    return Prediction(np.array([values], np.float32), threshold, "model")


def test_mean_votes_and_disagreement() -> None:
    joined = join_predictions([prediction([0.0, 1.0, 0.5], 0.5), prediction([1.0, 1.0, 0.5], 0.7)])
    np.testing.assert_allclose(joined.mean.probability, [[0.5, 1.0, 0.5]])
    assert joined.mean.threshold == pytest.approx(0.6)
    np.testing.assert_array_equal(joined.mean.mask, [[0, 1, 0]])
    np.testing.assert_array_equal(joined.votes, [[1, 2, 1]])  # each at its own threshold
    np.testing.assert_allclose(joined.disagreement, [[0.5, 0.0, 0.0]])
    assert joined.members == 2


def test_of_nothing_there_is_no_ensemble() -> None:
    with pytest.raises(ValueError, match="at least one"):
        join_predictions([])
