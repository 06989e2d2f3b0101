"""What a network is trained on: patches, their masks or softer targets, and their statistics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from landslide_zoo.data.bands import Unit, band
from landslide_zoo.data.landslide4sense import ALL, LabelledPatches
from landslide_zoo.data.patch import Fingerprint, Patch
from landslide_zoo.errors import DataError
from landslide_zoo.inference.ensembles import Ensemble
from landslide_zoo.inference.model import LandslideModel
from landslide_zoo.inference.predict import run_network
from landslide_zoo.io import file_sha256
from landslide_zoo.models.config import ModelConfig, Scaling
from landslide_zoo.models.folder import WEIGHTS, find_folder
from landslide_zoo.models.networks import InputScaling
from landslide_zoo.training.config import TrainConfig
from landslide_zoo.training.optimisation import UNOBSERVED

Teacher = tuple[LandslideModel, str]
"""A trained model that others learn from, and the SHA-256 of its weights' file."""

_CLIPPED = 0.001
"""Share of pixels clipped at each end of a channel: single bright pixels, not landslides."""
_CONSTANT = 1e-6
"""Deviation, relative to the mean, up to which a channel is constant and only shifted."""
_PIXELS = 256
"""Pixels of each patch from which the ends are estimated."""


def load_data(config: TrainConfig) -> dict[str, LabelledPatches]:
    """Find and divide the dataset.

    Returns:
        Its patches by subset.

    Raises:
        DataError: If there is no such dataset, or no patches to train or to validate on.
        HubError: If the Hub does not give it.
    """
    split = LabelledPatches.split(config.data, config.split)
    split.pop(ALL, None)
    for subset in ("train", "validation"):
        if subset not in split:
            raise DataError(
                f"The {config.split} split leaves no labelled patch for {subset}: give a larger "
                "dataset or choose another --split."
            )
    return split


@dataclass(frozen=True)
class Augmentation:
    """Random changes that leave the landslides what they are.

    Attributes:
        flips: Whether to flip and turn by quarters, all eight ways alike (by halves, four
            ways, where a patch is no square).
        brightness: Largest relative change of all optical bands together; 0 for none.
            Terrain is only turned.
    """

    flips: bool = True
    brightness: float = 0.0

    def __call__(
        self,
        values: np.ndarray,
        mask: np.ndarray,
        bands: Sequence[str],
        unit: Unit,
        random: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Change a patch and its mask; neither is changed in place.

        Args:
            values: Shape (C, H, W).
            mask: Shape (H, W), of any number type, which it keeps.
            bands: Names of the C bands.
            unit: Unit of the values; display values stay within 0 and 1.
            random: Source of the randomness.

        Returns:
            Values (C, H, W), float32, and the mask (H, W).
        """
        if self.flips:
            turns, flip = int(random.integers(4)), bool(random.integers(2))
            if mask.shape[0] != mask.shape[1]:
                turns -= turns % 2  # the patches of a batch keep one shape
            values = np.rot90(values, turns, axes=(1, 2))
            mask = np.rot90(mask, turns)
            if flip:
                values, mask = values[:, :, ::-1], mask[:, ::-1]
        values = values.astype(np.float32, copy=True)
        if self.brightness:
            optical = [i for i, name in enumerate(bands) if band(name).unit == "DN"]
            brighter = values[optical] * np.float32(1 + self.brightness * random.uniform(-1, 1))
            values[optical] = brighter.clip(0, 1) if unit == "display" else brighter
        return values, np.ascontiguousarray(mask)


class PatchDataset(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Patches as a model takes them, with their masks or softer targets.

    Attributes:
        epoch: With the seed and the patch, decides how the patch is augmented, so that
            it is the same whichever process or worker reads it.

    Args:
        patches: The patches.
        config: Names the bands and the unit.
        augmentation: Changes train patches; None leaves patches as they are.
        seed: Seed of every change.
        targets: What is learned of each patch in place of its mask, from 0 to 1, shape
            (N, H, W); None for the masks themselves.
    """

    def __init__(
        self,
        patches: Sequence[Patch] | LabelledPatches,
        config: ModelConfig,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        targets: np.ndarray | None = None,
    ) -> None:
        self.patches, self.config = patches, config
        self.augmentation, self.seed, self.targets = augmentation, seed, targets
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.patches)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Values (B, H, W) and mask or target (1, H, W), float32; -1 where nothing was observed."""
        patch = self.patches[index]
        assert patch.mask is not None
        bands, unit = self.config.bands, self.config.unit
        values = patch.in_unit(bands, unit)
        target = patch.mask if self.targets is None else self.targets[index]
        target = np.where(patch.observed, target, np.float32(UNOBSERVED))
        if self.augmentation is not None:
            random = np.random.default_rng((self.seed, self.epoch, index))
            values, target = self.augmentation(values, target, bands, unit, random)
        return torch.from_numpy(values), torch.from_numpy(target[None])


def load_teachers(names: Sequence[str], device: torch.device) -> list[Teacher]:
    """Load trained models to distil from: bundled ones, model folders, or repos on the Hub.

    Raises:
        ModelError: If there is no such model or its files do not fit.
        HubError: If the Hub does not give it.
    """
    folders = [find_folder(name) for name in names]
    return [
        (LandslideModel.from_folder(folder, device), file_sha256(folder / WEIGHTS))
        for folder in folders
    ]


def soft_targets(teachers: Sequence[Teacher], patches: Iterable[Patch], share: float) -> np.ndarray:
    """What to learn by distillation: (1 - share) mask + share mean probability of the teachers.

    A mask says landslide or not; the teachers' mean also says how sure one can
    be, and where an outline is a matter of taste (Hinton et al. 2015,
    "Distilling the Knowledge in a Neural Network").

    Args:
        teachers: At least one.
        patches: N patches of one size, with their masks.
        share: The teachers' share, 0 to 1.

    Returns:
        Targets from 0 to 1, shape (N, H, W), float16.

    Raises:
        DataError: If the patches lack a band that a teacher reads.
    """
    ensemble = Ensemble([model for model, _ in teachers], name="teachers")
    targets = []
    for patch in patches:
        [probability] = run_network(ensemble, [patch])
        assert patch.mask is not None
        target = (1 - share) * patch.mask + share * probability
        targets.append(target.astype(np.float16))
    return np.stack(targets)


def fit_scaling(
    split: Mapping[str, Iterable[Patch]], model: ModelConfig, config: TrainConfig
) -> tuple[Scaling, str]:
    """Read every patch once, and measure how a model scales its input.

    That is the mean, the deviation and the clipping ends of each channel over the
    observed pixels of the train patches; the others hold what their reader filled in.

    Args:
        split: The patches by subset.
        model: Names the bands, the unit and the channels.
        config: Names the kind of scaling, and the seed of the pixels from which the
            ends are estimated.

    Returns:
        The scaling, and the fingerprint of all patches.

    Raises:
        DataError: If a patch cannot be read, lacks a band or is unlike the others.
    """
    fingerprint, first = Fingerprint(), None
    random = np.random.default_rng(config.seed)
    derive = InputScaling(model).derive
    count, total, squares = 0, 0.0, 0.0
    drawn = []
    for subset, patches in split.items():
        for patch in tqdm(patches, f"reading {subset}"):
            first = first or patch
            if (patch.size, patch.bands, patch.unit) != (first.size, first.bands, first.unit):
                raise DataError(
                    f"{patch!r} of {subset} is unlike {first!r}: the patches of a dataset must be "
                    "of one size and one kind."
                )
            fingerprint.add(patch)
            if subset != "train" or config.scaling == "none":
                continue
            values = torch.from_numpy(patch.in_unit(model.bands, model.unit))
            channels = derive(values[None])[0].flatten(1).double().numpy()
            channels = channels.compress(patch.observed.ravel(), axis=1)
            count += channels.shape[1]
            total = total + channels.sum(axis=1)
            squares = squares + (channels**2).sum(axis=1)
            drawn.append(channels[:, random.integers(channels.shape[1], size=_PIXELS)])
    if config.scaling == "none":
        count, limit = len(model.channels), float(np.finfo(np.float32).max)
        unscaled = Scaling(
            mean=[0.0] * count, std=[1.0] * count, low=[-limit] * count, high=[limit] * count
        )
        return unscaled, fingerprint.hexdigest()
    mean = np.asarray(total) / count
    std = np.sqrt(np.maximum(np.asarray(squares) / count - mean**2, 0))
    std[std <= _CONSTANT * np.maximum(np.abs(mean), 1)] = 1
    low, high = np.quantile(np.concatenate(drawn, axis=1), (_CLIPPED, 1 - _CLIPPED), axis=1)
    scaling = Scaling(
        mean=mean.tolist(),
        std=std.tolist(),
        low=low.tolist(),
        high=high.tolist(),
        statistics=config.scaling,
    )
    return scaling, fingerprint.hexdigest()
