"""What each process sees at each step: every patch once an epoch, and never one alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from labelled_data import packed_pairs

from landslide_zoo.data.augmentation import Augmentation, Mixing
from landslide_zoo.data.packed import PackedDataset
from landslide_zoo.errors import DataError, TrainingError
from landslide_zoo.models.config import catalog_config
from landslide_zoo.training.batches import EvenBatches, PatchTensors, train_loader
from landslide_zoo.training.recipes import STANDARD

CONFIG = catalog_config("unet-mobilenet_v2")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    return packed_pairs(tmp_path_factory.mktemp("batches"), 8)


def shares(order: EvenBatches, processes: int) -> list[list[list[tuple[int, int]]]]:
    """The batches of each process, as Accelerate deals them out."""
    return [
        list(BatchSamplerShard(order, processes, index, even_batches=False))
        for index in range(processes)
    ]


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [2, 5, 16])
@pytest.mark.parametrize("size", [6, 7, 16, 17, 31, 33, 1150])
def test_every_sample_once_an_epoch_and_no_batch_of_one(
    size: int, batch_size: int, processes: int
) -> None:
    order = EvenBatches(size, batch_size, seed=0, processes=processes)
    dealt = shares(order, processes)
    assert len({len(batches) for batches in dealt}) == 1  # as many steps in each process
    assert len(order) == sum(map(len, dealt))
    seen = Counter(index for batches in dealt for batch in batches for _, index in batch)
    assert seen == Counter(range(size))
    sizes = {len(batch) for batches in dealt for batch in batches}
    assert min(sizes) >= 2 and max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("processes", [1, 2])
def test_batches_are_of_the_size_asked_for_where_there_are_enough(processes: int) -> None:
    order = EvenBatches(1150, 16, seed=0, processes=processes)
    assert {len(batch) for batch in order} <= {15, 16}


def test_the_order_is_the_seeds_and_the_epochs() -> None:
    order, same, other = (EvenBatches(50, 8, seed) for seed in (1, 1, 2))
    assert list(order) == list(same) != list(other)
    first = list(order)
    order.epoch = same.epoch = 1
    assert [index for _, index in order.__iter__().__next__()] != [i for _, i in first[0]]
    assert list(order) == list(same)
    assert {epoch for batch in order for epoch, _ in batch} == {1}


def test_too_few_patches_are_one_sentence() -> None:
    EvenBatches(6, 16, 0, processes=3)
    with pytest.raises(TrainingError, match=r"5 train patches are too few for 3 process\(es\)"):
        EvenBatches(5, 16, 0, processes=3)


def test_a_sample_is_the_patch_in_the_models_bands(data: PackedDataset) -> None:
    config = catalog_config("unet")
    values, mask = PatchTensors(data, [3, 5], config)[0, 1]
    patch = data.patch(5)
    np.testing.assert_array_equal(values.numpy(), patch.select(config.bands))
    assert patch.mask is not None
    np.testing.assert_array_equal(mask.numpy()[0], patch.mask)
    assert values.dtype == mask.dtype == torch.float32 and mask.shape == (1, 32, 32)


def test_true_colour_patches_are_refused_by_a_model_of_all_bands(tmp_path: Path) -> None:
    from labelled_data import write_png_pair

    from landslide_zoo.data.packed import pack

    pictures = pack([write_png_pair(tmp_path, 1)], tmp_path / "packed")
    with pytest.raises(DataError, match="image_1 is a true-colour picture"):
        PatchTensors(pictures, [0], CONFIG)[0, 0]


def test_changes_depend_on_seed_epoch_and_patch_alone(data: PackedDataset) -> None:
    def sample(seed: int, epoch: int, index: int) -> bytes:
        augmentation = Augmentation(True, 0.2, 0.2)
        patches = PatchTensors(data, range(8), CONFIG, augmentation, Mixing(0.5, 0.5), seed)
        values, mask = patches[epoch, index]
        return values.contiguous().numpy().tobytes() + mask.numpy().tobytes()

    assert sample(0, 3, 4) == sample(0, 3, 4)
    assert len({sample(0, 3, 4), sample(0, 4, 4), sample(1, 3, 4), sample(0, 3, 5)}) == 4


def test_copy_paste_brings_another_patchs_landslides_with_their_pixels(
    data: PackedDataset,
) -> None:
    off = Augmentation(flips=False)
    pasted = PatchTensors(data, range(8), CONFIG, off, Mixing(copy_paste=1.0))
    values, mask = pasted[0, 2]
    own = data.patch(2)
    assert own.mask is not None
    changed = (values.numpy() != own.select(CONFIG.bands)).any(axis=0)
    assert changed.any() and (mask.numpy()[0] >= own.mask).all()
    others = [data.patch(index) for index in range(8) if index != 2]
    (source,) = [
        other
        for other in others
        if other.mask is not None
        and (values.numpy()[:, changed] == other.select(CONFIG.bands)[:, changed]).all()
    ]
    assert source.mask is not None and (source.mask[changed] == 1).all()
    np.testing.assert_array_equal(mask.numpy()[0], np.maximum(own.mask, source.mask))


def test_cutmix_brings_a_rectangle_of_another_patch_with_its_mask(data: PackedDataset) -> None:
    off = Augmentation(flips=False)
    mixed = PatchTensors(data, range(8), CONFIG, off, Mixing(cutmix=1.0))
    for epoch in range(4):
        values, mask = (tensor.numpy() for tensor in mixed[epoch, 2])
        own = data.patch(2)
        changed = (values != own.select(CONFIG.bands)).any(axis=0)
        rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
        inside = np.ix_(range(rows[0], rows[-1] + 1), range(columns[0], columns[-1] + 1))
        # 0.3 to 0.8 of the 32 pixels of each side, without a hole.
        assert changed[inside].all() and changed.sum() == changed[inside].size
        assert all(9 <= side <= 25 for side in changed[inside].shape)
        (source,) = [
            other
            for other in map(data.patch, range(8))
            if (values[:, changed] == other.select(CONFIG.bands)[:, changed]).all()
        ]
        assert own.mask is not None and source.mask is not None
        np.testing.assert_array_equal(mask[0], np.where(changed, source.mask, own.mask))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_however_many_workers_read_them(
    workers: int, data: PackedDataset
) -> None:
    order = EvenBatches(8, 4, seed=0)
    loader = train_loader(data, range(8), CONFIG, STANDARD, order, workers)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    batches = [values for epoch in range(2) for values, _ in _epoch(loader, order, epoch)]
    # Dropout draws from the same generator: reading must leave it alone.
    assert torch.equal(torch.get_rng_state(), before)
    alone = PatchTensors(data, range(8), CONFIG, Augmentation(True, STANDARD.brightness))
    order.epoch = 1
    for items, values in zip(order, batches[2:], strict=True):
        torch.testing.assert_close(values, torch.stack([alone[item][0] for item in items]))


def _epoch(
    loader: torch.utils.data.DataLoader, order: EvenBatches, epoch: int
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    order.epoch = epoch
    return list(loader)
