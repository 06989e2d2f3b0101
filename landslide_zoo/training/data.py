"""What a network is trained on: patches, their masks or softer targets, and their statistics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from torch.utils.data import Dataset
from tqdm import tqdm

from landslide_zoo.data import (
    Augmentation,
    PackedDataset,
    Sample,
    dataset_folder,
    find_samples,
    labelled,
    pack,
    split_samples,
)
from landslide_zoo.inference.ensembles import Ensemble
from landslide_zoo.models.config import ModelConfig, Scaling
from landslide_zoo.models.downloads import load_downloaded
from landslide_zoo.models.files import WEIGHTS, file_sha256, local_folder
from landslide_zoo.models.model import LandslideModel
from landslide_zoo.models.prediction import predict
from landslide_zoo.models.scaling import InputScaling
from landslide_zoo.training.config import TrainConfig
from landslide_zoo.training.losses import UNOBSERVED

Teacher = tuple[LandslideModel, str]
"""A trained model that others learn from, and the SHA-256 of its weights' file."""

_CLIPPED = 0.001
"""Share of pixels clipped at each end of a channel: single bright pixels, not landslides."""
_CONSTANT = 1e-6
"""Deviation, relative to the mean, up to which a channel is constant and only shifted."""
_PIXELS = 256
"""Pixels of each patch from which the ends are estimated."""
_BATCH = 16


def load_data(config: TrainConfig) -> tuple[PackedDataset, dict[str, list[int]]]:
    """Find, divide and pack the dataset; one process of each machine reads the copy through.

    All labelled patches are packed, so that every split uses the same copy.

    Returns:
        The packed dataset, and the indices of its patches by subset.

    Raises:
        DataError: If there is no such dataset, it cannot be divided so, or the copy is damaged.
        HubError: If the Hub does not give it.
    """

    def bar(samples: Sequence[Sample]) -> Sequence[Sample]:
        return tqdm(samples, "packing", disable=not PartialState().is_main_process)

    samples = find_samples(dataset_folder(config.data))
    split = split_samples(samples, config.split)
    data = pack(labelled(samples), config.output / "packed", bar)
    if PartialState().is_local_main_process:
        data.verify()
    return data, {subset: data.index_of(chosen) for subset, chosen in split.items()}


class PatchDataset(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Patches as a model takes them, with their masks or softer targets.

    Attributes:
        epoch: With the seed and the patch, decides how the patch is augmented, so that
            it is the same whichever process or worker reads it.

    Args:
        data: The packed dataset.
        indices: Those of its patches that are used.
        config: Names the bands and the unit.
        augmentation: Changes train patches; None leaves patches as they are.
        seed: Seed of every change.
        targets: What is learned of each patch in place of its mask, from 0 to 1, shape
            (len(indices), H, W); None for the masks themselves.
    """

    def __init__(
        self,
        data: PackedDataset,
        indices: Sequence[int],
        config: ModelConfig,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        targets: np.ndarray | None = None,
    ) -> None:
        self.data, self.indices, self.config = data, list(indices), config
        self.augmentation, self.seed, self.targets = augmentation, seed, targets
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, sample: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Values (B, H, W) and mask or target (1, H, W), float32; -1 where nothing was observed."""
        patch = self.data.patch(self.indices[sample])
        assert patch.mask is not None  # packed patches are labelled
        bands, unit = self.config.bands, self.config.unit
        values = patch.in_unit(bands, unit)
        target = patch.mask if self.targets is None else self.targets[sample]
        target = np.where(patch.observed, target, np.float32(UNOBSERVED))
        if self.augmentation is not None:
            random = np.random.default_rng((self.seed, self.epoch, sample))
            values, target = self.augmentation(values, target, bands, unit, random)
        return torch.from_numpy(values), torch.from_numpy(target[None])


def load_teachers(names: Sequence[str], device: torch.device) -> list[Teacher]:
    """Load trained models to distil from: bundled ones, model folders, or repos on the Hub.

    Raises:
        ModelError: If there is no such model or its files do not fit.
        HubError: If the Hub does not give it.
    """

    def load(folder: Path) -> Teacher:
        return LandslideModel.from_folder(folder, device), file_sha256(folder / WEIGHTS)

    folders = [(name, local_folder(name)) for name in names]
    return [load(found) if found else load_downloaded(name, load) for name, found in folders]


def soft_targets(
    teachers: Sequence[Teacher], data: PackedDataset, indices: Sequence[int], share: float
) -> np.ndarray:
    """What to learn by distillation: (1 - share) mask + share mean probability of the teachers.

    A mask says landslide or not; the teachers' mean also says how sure one can
    be, and where an outline is a matter of taste (Hinton et al. 2015,
    "Distilling the Knowledge in a Neural Network").

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
    ensemble = Ensemble([model for model, _ in teachers], name="teachers")
    targets = np.empty((len(indices), *data.masks.shape[1:]), np.float16)
    for start in range(0, len(indices), _BATCH):
        patches = [data.patch(index) for index in indices[start : start + _BATCH]]
        for place, (patch, prediction) in enumerate(
            zip(patches, predict(ensemble, patches), strict=True), start
        ):
            assert patch.mask is not None
            targets[place] = (1 - share) * patch.mask + share * prediction.probability
    return targets


def fit_scaling(
    data: PackedDataset, indices: Sequence[int], model: ModelConfig, config: TrainConfig
) -> Scaling:
    """How a model scales its input: mean, deviation and clipping ends of each channel.

    All of the observed pixels; the others hold what their reader filled in.

    Args:
        data: The packed dataset.
        indices: The train patches.
        model: Names the bands, the unit and the channels.
        config: Names the kind of scaling, and the seed of the pixels from which the
            ends are estimated.

    Raises:
        DataError: If the patches lack a band.
    """
    if config.scaling == "none":
        count, limit = len(model.channels), float(np.finfo(np.float32).max)
        return Scaling(
            mean=[0.0] * count, std=[1.0] * count, low=[-limit] * count, high=[limit] * count
        )
    random = np.random.default_rng(config.seed)
    derive = InputScaling(model).derive
    count, total, squares = 0, 0.0, 0.0
    drawn = []
    for index in indices:
        patch = data.patch(index)
        values = torch.from_numpy(patch.in_unit(model.bands, model.unit))
        channels = derive(values[None])[0].flatten(1).double().numpy()
        channels = channels.compress(patch.observed.ravel(), axis=1)
        count += channels.shape[1]
        total = total + channels.sum(axis=1)
        squares = squares + (channels**2).sum(axis=1)
        drawn.append(channels[:, random.integers(channels.shape[1], size=_PIXELS)])
    mean = np.asarray(total) / count
    std = np.sqrt(np.maximum(np.asarray(squares) / count - mean**2, 0))
    std[std <= _CONSTANT * np.maximum(np.abs(mean), 1)] = 1
    low, high = np.quantile(np.concatenate(drawn, axis=1), (_CLIPPED, 1 - _CLIPPED), axis=1)
    return Scaling(
        mean=mean.tolist(),
        std=std.tolist(),
        low=low.tolist(),
        high=high.tolist(),
        statistics=config.scaling,
    )
