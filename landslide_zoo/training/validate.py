"""Validation by all processes together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast

from landslide_zoo.data.packed import PackedDataset
from landslide_zoo.evaluation.counts import PixelCounts
from landslide_zoo.evaluation.measure import count_pixels
from landslide_zoo.models.model import LandslideModel
from landslide_zoo.training.together import together


def validate(
    model: LandslideModel,
    data: PackedDataset,
    indices: Sequence[int],
    accelerator: Accelerator,
) -> PixelCounts:
    """Pixel counts over the patches, each counted once, by one of the processes.

    Every process has batch statistics of its own: the main one's are given to
    all, so that all measure the one model that is kept.

    Returns:
        The counts of all processes together, in each of them.

    Raises:
        TrainingError: If the model's answers are no numbers.
    """
    broadcast(list(model.buffers()))
    with together(), accelerator.autocast():
        counts = count_pixels(
            model,
            data,
            indices,
            process=accelerator.process_index,
            processes=accelerator.num_processes,
        )
    histogram = torch.from_numpy(counts.histogram).to(accelerator.device)
    return PixelCounts(accelerator.reduce(histogram, "sum").cpu().numpy())
