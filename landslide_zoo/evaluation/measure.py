"""Run a model over labelled patches and count its pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from landslide_zoo.data.packed import PackedDataset
from landslide_zoo.errors import ModelError
from landslide_zoo.evaluation.counts import PixelCounts
from landslide_zoo.models.model import LandslideModel


def read_batch(
    model: LandslideModel, data: PackedDataset, indices: Iterable[int]
) -> tuple[torch.Tensor, np.ndarray]:
    """Values (N, B, H, W) that the model takes and masks (N, H, W) of some patches."""
    patches = [data.patch(index) for index in indices]
    config = model.config
    values = np.stack([patch.in_unit(config.bands, config.unit) for patch in patches])
    masks = np.stack([patch.mask for patch in patches if patch.mask is not None])
    return torch.from_numpy(values), masks


@torch.inference_mode()
def count_pixels(
    model: LandslideModel,
    data: PackedDataset,
    indices: Sequence[int],
    batch_size: int = 16,
    process: int = 0,
    processes: int = 1,
) -> PixelCounts:
    """Pixel counts of a model over some patches of a dataset.

    Args:
        model: The model, on any device.
        data: The packed dataset.
        indices: Those of its patches that are counted.
        batch_size: Patches a batch.
        process: Which of the processes that share the batches this one is,
            from 0. The batches are the same however many share them: the size of
            a batch may change the last bit of a probability.
        processes: Their number.

    Raises:
        ModelError: If the model's answers are no numbers.
    """
    model.eval()
    counts = PixelCounts()
    starts = range(0, len(indices), batch_size)
    for start in starts[process::processes]:
        values, masks = read_batch(model, data, indices[start : start + batch_size])
        probability = torch.sigmoid(model(values.to(model.device)).float())[:, 0].cpu().numpy()
        if not np.isfinite(probability).all():
            raise ModelError(
                f"{model.config.name} answers values that are no numbers: its weights are "
                "damaged, or it was trained with too high a learning rate."
            )
        counts.add(probability, masks)
    return counts
