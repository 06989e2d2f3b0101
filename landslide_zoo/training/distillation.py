"""Distillation: trained models, the teachers, soften the masks a network learns from.

A mask says landslide or not; the teachers' mean probability also says how sure one can be, and
where an outline is a matter of taste (Hinton et al. 2015, "Distilling the Knowledge in a Neural
Network"). It stands in for the pretrained encoder where a network has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from landslide_zoo.data.packed import PackedDataset
from landslide_zoo.evaluation.measure import read_batch
from landslide_zoo.models.location import WEIGHTS, download_folder, local_folder
from landslide_zoo.models.model import LandslideModel
from landslide_zoo.models.record import file_sha256

_BATCH = 16


@dataclass(frozen=True)
class Teacher:
    """A trained model that others learn from.

    Attributes:
        model: The model, in evaluation mode.
        sha256: SHA-256 of its weights' file.
    """

    model: LandslideModel
    sha256: str

    def __str__(self) -> str:
        return f"{self.model.config.name} sha256:{self.sha256}"


def load_teachers(names: Sequence[str], device: torch.device) -> list[Teacher]:
    """Load teachers by name: bundled models, model folders, or repos on the Hub.

    Raises:
        ModelError: If there is no such model or its files do not fit.
        HubError: If the Hub does not give it.
    """
    folders = [local_folder(name) or download_folder(name) for name in names]
    return [
        Teacher(LandslideModel.from_folder(folder, device), file_sha256(folder / WEIGHTS))
        for folder in folders
    ]


@torch.inference_mode()
def soft_targets(
    teachers: Sequence[Teacher], data: PackedDataset, indices: Sequence[int], share: float
) -> np.ndarray:
    """What to learn from: (1 - share) mask + share mean probability of the teachers.

    Args:
        teachers: At least one.
        data: The packed dataset.
        indices: Those of its patches whose targets are wanted.
        share: The teachers' share, 0 to 1.

    Returns:
        Targets of the patches from 0 to 1, shape (len(indices), H, W), float16.

    Raises:
        DataError: If the patches lack a band that a teacher reads.
    """
    targets = np.empty((len(indices), *data.masks.shape[1:]), np.float16)
    for start in range(0, len(indices), _BATCH):
        batch = slice(start, start + _BATCH)
        probabilities = []
        for teacher in teachers:
            values, masks = read_batch(teacher.model, data, indices[batch])
            logits = teacher.model(values.to(teacher.model.device))
            probabilities.append(torch.sigmoid(logits.float())[:, 0].cpu().numpy())
        targets[batch] = (1 - share) * masks + share * np.mean(probabilities, axis=0)
    return targets
