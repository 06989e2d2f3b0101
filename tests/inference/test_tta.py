"""Test-time augmentation: the mean over eight orientations, which turns with the patch."""

from __future__ import annotations

import numpy as np

from landslide_zoo.inference import TestTimeAugmentation
from landslide_zoo.inference.ensembles import ORIENTATIONS
from landslide_zoo.models import PredictorConfig


class Slanted:
    """A predictor whose answer depends on how a patch is turned."""

    config = PredictorConfig(name="slanted", bands=["B2"], unit="physical")
    backend = "numpy"

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        rows, columns = np.indices(values.shape[2:], dtype=np.float32)
        return values[:, 0] * (rows + 3 * columns)


def turn(values: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    values = np.rot90(values, turns, axes=(-2, -1))
    return np.ascontiguousarray(values[..., ::-1] if mirrored else values)


def test_it_is_the_mean_of_the_eight_and_turns_with_the_patch() -> None:
    values = np.random.default_rng(0).random((1, 1, 5, 7), dtype=np.float32)
    network = Slanted()
    assert len({turn(values, *orientation).tobytes() for orientation in ORIENTATIONS}) == 8
    mean = TestTimeAugmentation(network).probabilities(values)
    total = np.zeros((1, 5, 7))
    for turns, mirrored in ORIENTATIONS:
        turned = network.probabilities(turn(values, turns, mirrored))
        total += np.rot90(turned[..., ::-1] if mirrored else turned, -turns, axes=(-2, -1))
        again = TestTimeAugmentation(network).probabilities(turn(values, turns, mirrored))
        np.testing.assert_allclose(again, turn(mean, turns, mirrored), rtol=1e-5)
    np.testing.assert_allclose(mean, total / 8, rtol=1e-5)
    assert not np.allclose(network.probabilities(values), mean)
