"""What a network sees: patches and targets turned alike, and the statistics that scale them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate import Accelerator, DataLoaderConfiguration
from patch_files import physical_values
from torch.utils.data import DataLoader
from trained_model import untrained

from landslide_zoo import Patch
from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.errors import DataError
from landslide_zoo.models.config import catalog_config
from landslide_zoo.training import TrainConfig
from landslide_zoo.training.data import Augmentation, PatchDataset, fit_scaling, soft_targets
from landslide_zoo.training.optimisation import UNOBSERVED

NETWORK = "unet-mobilenet_v2"
CONFIG = catalog_config(NETWORK)
TRAINING = TrainConfig(model=[NETWORK], data="patches")


@pytest.fixture(scope="module")
def half(patches: list[Patch]) -> list[Patch]:
    """The same, without the right half of each patch, which holds what was filled in."""
    blank = []
    for patch in patches:
        values, observed = patch.values.copy(), patch.observed.copy()
        values[..., 16:], observed[:, 16:] = 7, False
        blank.append(replace(patch, values=values, observed=observed))
    return blank


def test_what_was_not_observed_is_marked_however_it_is_turned(half: list[Patch]) -> None:
    data = PatchDataset(half, CONFIG, Augmentation(True, 0.0))
    for data.epoch in range(8):
        values, mask = data[3]
        assert ((mask[0] == UNOBSERVED) == (values == 7).all(dim=0)).all()


def test_targets_are_turned_with_their_patch(patches: list[Patch]) -> None:
    # Elevation as its own target: wherever it goes, the target must be.
    elevation = np.stack([patch.select(["DEM"])[0] for patch in patches])
    data = PatchDataset(patches, CONFIG, Augmentation(True, 0.2), targets=elevation)
    turned = set()
    for data.epoch in range(12):
        values, target = data[1]
        np.testing.assert_array_equal(target[0], values[CONFIG.bands.index("DEM")])
        turned.add(target.numpy().tobytes())
    assert len(turned) > 4


def test_an_epoch_is_the_same_whatever_reads_it_and_after_whatever_was_before(
    patches: list[Patch],
) -> None:
    def epochs(first: int, workers: int) -> torch.Tensor:
        """Values of the second epoch, begun with an earlier one or by itself."""
        data = PatchDataset(patches, CONFIG, Augmentation(True, 0.2))
        loader = DataLoader(data, 4, shuffle=True, drop_last=True, num_workers=workers)
        seedable = DataLoaderConfiguration(use_seedable_sampler=True, data_seed=5)
        loader = Accelerator(cpu=True, dataloader_config=seedable).prepare(loader)
        for epoch in range(first, 2):
            data.epoch = epoch
            loader.set_epoch(epoch)
            batches = [values for values, _ in loader]
        return torch.cat(batches)

    whole = epochs(0, workers=0)
    assert len(whole) == 12 == len(whole.flatten(1).unique(dim=0))  # no patch twice
    assert torch.equal(epochs(1, workers=0), whole) and torch.equal(epochs(0, workers=2), whole)


def test_a_soft_target_lies_between_the_mask_and_the_teachers_mean(patches: list[Patch]) -> None:
    models = [untrained(NETWORK, seed) for seed in (0, 1)]
    targets = soft_targets([(model, "") for model in models], patches[:2], share=0.25)
    for target, patch in zip(targets, patches, strict=False):
        mean = np.mean([model.predict(patch).probability for model in models], axis=0)
        np.testing.assert_allclose(target, 0.75 * patch.mask + 0.25 * mean, atol=0.01)


def test_scaling_is_that_of_the_observed_pixels_of_train(half: list[Patch]) -> None:
    split = {"train": half[:3], "validation": half[3:]}
    scaling, fingerprint = fit_scaling(split, CONFIG, TRAINING)
    pixels = np.concatenate([patch.values[..., :16].reshape(14, -1) for patch in half[:3]], axis=1)
    np.testing.assert_allclose(scaling.mean, pixels.mean(axis=1, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(scaling.std, pixels.std(axis=1, dtype=np.float64), rtol=1e-6)
    low, high = np.quantile(pixels, (0.02, 0.98), axis=1)
    assert (scaling.low <= low).all() and (scaling.high >= high).all()
    again = fit_scaling({"train": half[:3], "validation": half[4:]}, CONFIG, TRAINING)
    assert again[0] == scaling and again[1] != fingerprint  # of all patches, this one


def test_patches_of_two_sizes_are_refused(patches: list[Patch]) -> None:
    small = replace(patches[1], values=patches[1].values[:, :30], name="image_9")
    with pytest.raises(DataError, match="image_9"):
        fit_scaling({"train": [patches[0], small]}, CONFIG, TRAINING)


def augmented(
    patch: tuple[np.ndarray, np.ndarray], seed: int, **settings: object
) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return Augmentation(**settings)(*patch, BAND_NAMES, "physical", random)


@pytest.mark.parametrize(("width", "ways"), [(8, 8), (12, 4)])
def test_patches_are_turned_all_ways_with_their_mask(width: int, ways: int) -> None:
    mask = np.zeros((8, width), np.uint8)
    mask[1, 2] = 1
    values = physical_values(8, width).astype(np.float32)
    turned = set()
    for seed in range(60):
        changed, truth = augmented((values, mask), seed)
        assert truth.shape == mask.shape
        ((row, column),) = np.argwhere(truth)
        np.testing.assert_array_equal(changed[:, row, column], values[:, 1, 2])
        turned.add(changed.tobytes())
    assert len(turned) == ways


def test_light_changes_the_optical_bands_alike_and_never_the_terrain() -> None:
    patch = physical_values(8, 8).astype(np.float32), np.zeros((8, 8), np.uint8)
    ratios = []
    for seed in range(60):
        changed, _ = augmented(patch, seed, flips=False, brightness=0.3)
        ratios.append(changed.mean(axis=(1, 2)) / patch[0].mean(axis=(1, 2)))
    optical, terrain = np.split(np.array(ratios), [12], axis=1)
    assert (terrain == 1).all() and np.ptp(optical, axis=1).max() < 1e-3
    assert 0.7 - 1e-3 < optical.min() < 0.8 and 1.2 < optical.max() < 1.3 + 1e-3
