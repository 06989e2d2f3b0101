"""Test-time augmentation: the mean over the eight orientations of a patch."""

from __future__ import annotations

import numpy as np

from landslide_zoo.inference.predict import WrappedPredictor

ORIENTATIONS = [(turns, mirrored) for mirrored in (False, True) for turns in range(4)]
"""The dihedral group D4: quarter turns, of the patch and of its mirror image."""


class TestTimeAugmentation(WrappedPredictor):
    """A predictor that answers the mean over all eight orientations of a patch.

    Ground has no up or down, so a turned patch has the same landslides; the
    mean turns with the patch, which one prediction alone does not quite do.
    """

    __test__ = False  # not a test, whatever pytest makes of the name

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Mean probabilities (N, H, W), float32, from bands (N, B, H, W)."""
        total = np.zeros((len(values), *values.shape[-2:]), dtype=np.float64)
        for turns, mirrored in ORIENTATIONS:
            turned = np.rot90(values, turns, axes=(2, 3))
            turned = np.ascontiguousarray(turned[..., ::-1] if mirrored else turned)
            found = self.predictor.probabilities(turned)
            found = found[..., ::-1] if mirrored else found
            total += np.rot90(found, -turns, axes=(1, 2))
        return (total / len(ORIENTATIONS)).astype(np.float32)
