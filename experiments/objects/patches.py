"""The labelled 14-band patches, cleared of clouds and predicted: what rules are fitted on."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landslide_zoo.data.landslide4sense import find_samples, labelled, place
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.evaluation.bootstrap import block_of
from landslide_zoo.inference.clouds import CloudMask, find_clouds, without_clouds
from landslide_zoo.inference.layers import layers_of
from landslide_zoo.models.prediction import Prediction, Predictor, predict

FOLDERS = "l4s-14band", "l4s-14band-more"
TRAINED_ON = {1002, 3597}
"""Patches that the true-colour models learned from."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """A labelled patch with everything that is computed once.

    Attributes:
        number: Its id.
        block: Neighbouring patches share one.
        patch: Without its clouds.
        clouds: Its clouds and shadows.
        network: What the network says of the patch as it is.
        cleared: What it says without the clouds.
        layers: What the bands say of each pixel.
    """

    number: int
    block: Hashable
    patch: Patch
    clouds: CloudMask
    network: Prediction
    cleared: Prediction
    layers: dict[str, np.ndarray]

    @property
    def truth(self) -> np.ndarray:
        """Known landslide pixels that are observed, shape (H, W), bool."""
        assert self.patch.mask is not None
        return (self.patch.mask > 0) & self.patch.observed


def labelled_patches(data: Path, predictor: Predictor) -> Iterator[Labelled]:
    """The patches of the folders, in the order of their ids."""
    samples = [one for name in FOLDERS for one in labelled(find_samples(data / name))]
    for sample in sorted(samples, key=lambda sample: sample.number):
        if sample.number in TRAINED_ON:
            continue
        patch = read_patch(sample.image, mask=sample.mask)
        clouds = find_clouds(patch)
        seen = without_clouds(patch, clouds)
        network, cleared = (predict(predictor, [one])[0] for one in (patch, seen))
        yield Labelled(
            number=sample.number,
            block=block_of(place(sample.number), sample.number),
            patch=seen,
            clouds=clouds,
            network=network,
            cleared=cleared,
            layers=layers_of(seen),
        )
