"""Statistics of the train patches, with which a model scales its input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from landslide_zoo.data.packed import PackedDataset
from landslide_zoo.models.config import ModelConfig, Scaling
from landslide_zoo.models.scaling import InputScaling

_CLIPPED = 0.001
"""Share of pixels clipped at each end of a channel: single bright pixels, not landslides."""
_CONSTANT = 1e-6
"""Deviation, relative to the mean, up to which a channel is constant and only shifted."""
_PIXELS = 256
"""Pixels of each patch from which the ends are estimated."""


def no_scaling(config: ModelConfig) -> Scaling:
    """Scaling that leaves channels as they are."""
    count = len(config.channels)
    limit = float(np.finfo(np.float32).max)
    return Scaling(
        mean=[0.0] * count, std=[1.0] * count, low=[-limit] * count, high=[limit] * count
    )


def measure_scaling(
    data: PackedDataset, indices: Sequence[int], config: ModelConfig, seed: int
) -> Scaling:
    """Mean, deviation and clipping ends of each channel over the given patches.

    Args:
        data: The packed dataset.
        indices: The train patches.
        config: Names the bands, the unit and the channels.
        seed: Seed of the pixels from which the ends are estimated.
    """
    random = np.random.default_rng(seed)
    derive = InputScaling(config).derive
    count, total, squares = 0, 0.0, 0.0
    drawn = []
    for index in indices:
        values = torch.from_numpy(data.patch(index).in_unit(config.bands, config.unit))
        channels = derive(values[None])[0].flatten(1).double().numpy()
        count += channels.shape[1]
        total = total + channels.sum(axis=1)
        squares = squares + (channels**2).sum(axis=1)
        drawn.append(channels[:, random.integers(channels.shape[1], size=_PIXELS)])
    mean = np.asarray(total) / count
    std = np.sqrt(np.maximum(np.asarray(squares) / count - mean**2, 0))
    std[std <= _CONSTANT * np.maximum(np.abs(mean), 1)] = 1
    low, high = np.quantile(np.concatenate(drawn, axis=1), (_CLIPPED, 1 - _CLIPPED), axis=1)
    return Scaling(mean=mean.tolist(), std=std.tolist(), low=low.tolist(), high=high.tolist())
