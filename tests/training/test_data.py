"""What a network sees: patches and targets turned alike, and the statistics that scale them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from accelerate import Accelerator, DataLoaderConfiguration
from synthetic_patches import write_dataset
from torch.utils.data import DataLoader

from landslide_zoo import LandslideModel
from landslide_zoo.data import Augmentation, PackedDataset, find_samples, labelled, pack
from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.models import ModelConfig, catalog_config
from landslide_zoo.models.files import file_sha256
from landslide_zoo.models.scaling import InputScaling
from landslide_zoo.training import TrainConfig
from landslide_zoo.training.data import PatchDataset, fit_scaling, load_teachers, soft_targets
from landslide_zoo.training.losses import UNOBSERVED

NETWORK = "unet-mobilenet_v2"
CONFIG = catalog_config(NETWORK)
TRAINING = TrainConfig(model=[NETWORK], data="patches")
TRAIN = [0, 2, 3]


def test_a_sample_is_the_patch_in_the_models_bands(packed: PackedDataset) -> None:
    config = catalog_config("unet")
    values, mask = PatchDataset(packed, [3, 5], config)[1]
    patch = packed.patch(5)
    np.testing.assert_array_equal(values, patch.select(config.bands))
    np.testing.assert_array_equal(mask[0], patch.mask)
    assert values.dtype == mask.dtype == torch.float32 and mask.shape == (1, 32, 32)


@pytest.fixture
def half_seen(packed: PackedDataset) -> PackedDataset:
    """The same, without the right half of each patch, which holds what was filled in."""
    observed, values = packed.observed.copy(), packed.values.copy()
    observed[..., 16:], values[..., 16:] = False, 7
    return replace(packed, observed=observed, values=values)


def test_what_was_not_observed_is_marked_however_it_is_turned(half_seen: PackedDataset) -> None:
    _, mask = PatchDataset(half_seen, [3], CONFIG)[0]
    np.testing.assert_array_equal(mask[0, :, :16], half_seen.masks[3, :, :16])
    assert (mask[0, :, 16:] == UNOBSERVED).all()
    patches = PatchDataset(half_seen, [3], CONFIG, Augmentation(True, 0.0))
    for patches.epoch in range(8):
        values, mask = patches[0]
        assert ((mask[0] == UNOBSERVED) == (values == 7).all(dim=0)).all()


def test_scaling_is_that_of_the_observed_pixels(half_seen: PackedDataset) -> None:
    scaling = fit_scaling(half_seen, TRAIN, CONFIG, TRAINING)
    seen = np.concatenate([half_seen.values[i, :, :, :16].reshape(14, -1) for i in TRAIN], axis=1)
    np.testing.assert_allclose(scaling.mean, seen.mean(axis=1, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(scaling.std, seen.std(axis=1, dtype=np.float64), rtol=1e-6)
    assert (seen.min(axis=1) <= scaling.low).all()


def test_changes_depend_on_seed_epoch_and_patch_alone(packed: PackedDataset) -> None:
    def sample(seed: int, epoch: int, index: int) -> bytes:
        patches = PatchDataset(packed, range(8), CONFIG, Augmentation(True, 0.2), seed)
        patches.epoch = epoch
        values, mask = patches[index]
        return values.contiguous().numpy().tobytes() + mask.numpy().tobytes()

    assert sample(0, 3, 4) == sample(0, 3, 4)
    assert len({sample(0, 3, 4), sample(0, 4, 4), sample(1, 3, 4), sample(0, 3, 5)}) == 4


def test_targets_are_turned_with_their_patch(packed: PackedDataset) -> None:
    indices = [2, 1]
    # Elevation as its own target: wherever it goes, the target must be.
    elevation = np.stack([packed.patch(index).select(["DEM"])[0] for index in indices])
    patches = PatchDataset(packed, indices, CONFIG, Augmentation(True, 0.2), targets=elevation)
    seen = set()
    for patches.epoch in range(12):
        for values, target in (patches[0], patches[1]):
            np.testing.assert_array_equal(target[0], values[CONFIG.bands.index("DEM")])
            assert target.dtype == torch.float32
            seen.add(target.numpy().tobytes())
    assert len(seen) > 4  # patches were turned at all


def test_an_epoch_is_the_same_whatever_reads_it_and_after_whatever_was_before(
    packed: PackedDataset,
) -> None:
    def epochs(first: int, workers: int) -> list[torch.Tensor]:
        """Values of the second epoch, begun with an earlier one or by itself."""
        patches = PatchDataset(packed, range(13), CONFIG, Augmentation(True, 0.2))
        loader = DataLoader(patches, 4, shuffle=True, drop_last=True, num_workers=workers)
        seedable = DataLoaderConfiguration(use_seedable_sampler=True, data_seed=5)
        loader = Accelerator(cpu=True, dataloader_config=seedable).prepare(loader)
        for epoch in range(first, 2):
            patches.epoch = epoch
            loader.set_epoch(epoch)
            batches = [values for values, _ in loader]
        return batches

    whole = epochs(0, workers=0)
    assert [len(batch) for batch in whole] == [4, 4, 4]
    samples = torch.cat(whole).flatten(1)
    assert len(samples.unique(dim=0)) == 12  # no patch twice
    for first, workers in ((1, 0), (0, 2), (1, 2)):
        assert torch.equal(torch.cat(epochs(first, workers)), torch.cat(whole))


def test_a_soft_target_lies_between_the_mask_and_the_teachers_mean(
    packed: PackedDataset, tmp_path: Path
) -> None:
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        LandslideModel.from_catalog(NETWORK).save_pretrained(folder)
    teachers = load_teachers([str(folder) for folder in folders], torch.device("cpu"))
    assert [sha256 for _, sha256 in teachers] == [
        file_sha256(folder / "model.safetensors") for folder in folders
    ]
    indices = [3, 0, 4]
    targets = soft_targets(teachers, packed, indices, share=0.25)
    for target, index in zip(targets, indices, strict=True):
        patch = packed.patch(index)
        mean = np.mean([model.predict(patch).probability for model, _ in teachers], axis=0)
        np.testing.assert_allclose(target, 0.75 * patch.mask + 0.25 * mean, atol=1e-3)


def test_an_index_is_scaled_by_the_train_pixels_as_a_band_is(packed: PackedDataset) -> None:
    config = catalog_config("unet")
    scaling = fit_scaling(packed, TRAIN, config, TRAINING)
    bands = torch.from_numpy(np.stack([packed.patch(i).select(config.bands) for i in TRAIN]))
    channels = InputScaling(config).derive(bands).double().numpy()
    for i, values in enumerate(channels.swapaxes(0, 1)):
        assert scaling.mean[i] == pytest.approx(values.mean(), rel=1e-5)
        assert scaling.std[i] == pytest.approx(values.std(), rel=1e-4)
        assert values.min() <= scaling.low[i] <= np.quantile(values, 0.02)
        assert np.quantile(values, 0.98) <= scaling.high[i] <= values.max()


def scaled(data: PackedDataset, indices: list[int], training: TrainConfig) -> torch.Tensor:
    """The channels that a network sees of some patches."""
    scaling = fit_scaling(data, indices, CONFIG, training).model_dump()
    scale = InputScaling(ModelConfig.model_validate({**CONFIG.model_dump(), "scaling": scaling}))
    values = np.stack([data.patch(i).select(CONFIG.bands) for i in indices])
    return scale(torch.from_numpy(values))


def test_scaled_train_pixels_have_mean_0_and_deviation_1(packed: PackedDataset) -> None:
    channels = scaled(packed, TRAIN, TRAINING)
    # Nearly, for the ends are clipped.
    assert channels.mean(dim=(0, 2, 3)).abs().max() < 0.02
    assert (channels.std(dim=(0, 2, 3)) - 1).abs().max() < 0.05


def test_no_scaling_leaves_every_value(packed: PackedDataset) -> None:
    training = TRAINING.model_copy(update={"scaling": "none"})
    values = torch.from_numpy(packed.patch(0).select(CONFIG.bands))[None]
    assert torch.equal(scaled(packed, [0], training), values)


def test_a_constant_channel_is_shifted_and_not_blown_up(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "patches", {"train": 2}, size=32)
    samples = labelled(find_samples(folder))
    b10 = BAND_NAMES.index("B10")
    for sample in samples:
        with h5py.File(sample.image, "r+") as file:
            file["img"][..., b10] = 1.0
    data = pack(samples, tmp_path / "packed")
    assert scaled(data, [0, 1], TRAINING)[:, b10].abs().max() < 1e-3
    assert fit_scaling(data, [0, 1], CONFIG, TRAINING).std[b10] == 1
