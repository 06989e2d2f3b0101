"""Batches: which patches each process sees at each step, and how they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from landslide_zoo.data.augmentation import Augmentation, Mixing
from landslide_zoo.data.packed import PackedDataset
from landslide_zoo.errors import TrainingError
from landslide_zoo.models.config import ModelConfig
from landslide_zoo.training.recipes import Recipe


class EvenBatches(Sampler[list[tuple[int, int]]]):
    """Batches of an epoch in which every sample is seen once, whatever the number of processes.

    Accelerate deals the batches out in turn. They are as even as they go, so
    all processes take as many steps, none is left with a batch of one (which
    batch normalisation refuses), and no sample is repeated to fill the last.

    Attributes:
        epoch: The epoch, counted from 0, whose order comes next. It is set as
            an attribute: a ``set_epoch`` method Accelerate would call itself,
            with its own count, which starts at 0 again when a run is resumed.

    Args:
        size: Number of samples.
        batch_size: Patches a batch; some hold fewer, and where so few are left
            that one would be alone, some hold more.
        seed: Seed of the shuffle.
        processes: Number of processes that share the batches.

    Raises:
        TrainingError: If there are fewer than two samples for each process.
    """

    def __init__(self, size: int, batch_size: int, seed: int, processes: int = 1) -> None:
        if size < 2 * processes:
            raise TrainingError(
                f"{size} train patches are too few for {processes} process(es): "
                "each needs at least two."
            )
        self.size, self.seed, self.epoch = size, seed, 0
        steps = -(-size // (batch_size * processes))
        self.batches = min(steps * processes, size // 2 // processes * processes)

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Batches of (epoch, sample): the epoch decides how a sample is augmented."""
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.size)
        for share in np.array_split(order, self.batches):
            yield [(self.epoch, int(index)) for index in share]


class PatchTensors(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Patches as a model takes them, with their masks or softer targets.

    Args:
        data: The packed dataset.
        indices: Those of its patches that are used.
        config: Names the bands and the unit.
        augmentation: Changes train patches; None leaves patches as they are.
        mixing: Pastes parts of the others in, augmented like it; None leaves them apart.
        seed: With the epoch and the patch, the seed of every change, so that it
            is the same whichever process or worker makes it.
        targets: What is learned of each patch in place of its mask, from 0 to 1, shape
            (len(indices), H, W); None for the masks themselves.
    """

    def __init__(
        self,
        data: PackedDataset,
        indices: Sequence[int],
        config: ModelConfig,
        augmentation: Augmentation | None = None,
        mixing: Mixing | None = None,
        seed: int = 0,
        targets: np.ndarray | None = None,
    ) -> None:
        self.data, self.indices, self.config = data, list(indices), config
        self.targets = targets
        self.augmentation, self.mixing, self.seed = augmentation, mixing, seed

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, item: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Values (B, H, W) and mask (1, H, W), float32, of the (epoch, sample) asked for."""
        epoch, sample = item
        values, mask = self._read(sample)
        if self.augmentation is not None:
            random = np.random.default_rng((self.seed, epoch, sample))
            values, mask = self._change(values, mask, random)
            if self.mixing is not None:
                values, mask = self.mixing(values, mask, lambda: self._draw(random), random)
        return torch.from_numpy(values), torch.from_numpy(mask[None].astype(np.float32))

    def _read(self, sample: int) -> tuple[np.ndarray, np.ndarray]:
        patch = self.data.patch(self.indices[sample])
        assert patch.mask is not None  # packed patches are labelled
        values = patch.in_unit(self.config.bands, self.config.unit)
        return values, patch.mask if self.targets is None else self.targets[sample]

    def _draw(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return self._change(*self._read(int(random.integers(len(self)))), random)

    def _change(
        self, values: np.ndarray, mask: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        assert self.augmentation is not None
        return self.augmentation(values, mask, self.config.bands, self.config.unit, random)


def train_loader(
    data: PackedDataset,
    indices: Sequence[int],
    config: ModelConfig,
    recipe: Recipe,
    order: EvenBatches,
    workers: int,
    targets: np.ndarray | None = None,
) -> DataLoader:
    """Augmented batches of the train patches, in the given order, with masks or given targets."""
    augmentation = Augmentation(
        recipe.flips, recipe.brightness, recipe.contrast, recipe.colour, recipe.haze, recipe.clouds
    )
    mixing = Mixing(recipe.copy_paste, recipe.cutmix)
    dataset = PatchTensors(data, indices, config, augmentation, mixing, order.seed, targets)
    return DataLoader(
        dataset,
        batch_sampler=order,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        # Its own: workers that start anew would draw from the generator that dropout uses.
        generator=torch.Generator(),
    )
