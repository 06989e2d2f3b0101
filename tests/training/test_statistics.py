"""The statistics that a model scales its input with, against computing them at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from labelled_data import packed_pairs, write_pairs
from patch_files import physical_values, stored, write_h5

from landslide_zoo.data.bands import INDICES
from landslide_zoo.data.packed import PackedDataset, pack
from landslide_zoo.models.config import ModelConfig, catalog_config
from landslide_zoo.models.scaling import InputScaling
from landslide_zoo.training.statistics import measure_scaling, no_scaling

TRAIN = [0, 2, 3]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    return packed_pairs(tmp_path_factory.mktemp("statistics"), 4)


def channel(data: PackedDataset, name: str, indices: list[int]) -> np.ndarray:
    """All pixels of a channel over some patches, in float64."""

    def band(name: str) -> np.ndarray:
        return np.stack([data.patch(i).select([name]) for i in indices]).astype(np.float64).ravel()

    if name not in INDICES:
        return band(name)
    first, second = (band(one) for one in INDICES[name].bands)
    total = first + second
    return np.divide(first - second, total, out=np.zeros_like(total), where=total > 0)


@pytest.mark.parametrize("name", ["unet-resnet34", "unet"])
def test_mean_and_deviation_are_those_of_the_train_pixels(name: str, data: PackedDataset) -> None:
    config = catalog_config(name)
    scaling = measure_scaling(data, TRAIN, config, seed=0)
    for i, channel_name in enumerate(config.channels):
        values = channel(data, channel_name, TRAIN)
        assert scaling.mean[i] == pytest.approx(values.mean(), rel=1e-5)
        assert scaling.std[i] == pytest.approx(values.std(), rel=1e-4)
        assert values.min() <= scaling.low[i] <= np.quantile(values, 0.02)
        assert np.quantile(values, 0.98) <= scaling.high[i] <= values.max()


def test_held_out_patches_do_not_count(tmp_path: Path, data: PackedDataset) -> None:
    config = catalog_config("unet-resnet34")
    samples = write_pairs(tmp_path / "data", 4)
    write_h5(samples[1].image, img=stored(physical_values(32, 32) * 0 + 60_000))
    changed = pack(samples, tmp_path / "packed")
    assert measure_scaling(changed, TRAIN, config, 0) == measure_scaling(data, TRAIN, config, 0)
    assert measure_scaling(changed, [0, 1], config, 0) != measure_scaling(data, [0, 1], config, 0)


def test_scaled_train_pixels_have_mean_0_and_deviation_1(data: PackedDataset) -> None:
    config = catalog_config("unet-resnet34")
    scaling = measure_scaling(data, TRAIN, config, seed=0)
    scaled = InputScaling(_with(config, scaling.model_dump()))
    values = np.stack([data.patch(i).select(config.bands) for i in TRAIN])
    channels = scaled(torch.from_numpy(values))
    # Nearly, for the ends are clipped.
    assert channels.mean(dim=(0, 2, 3)).abs().max() < 0.02
    assert (channels.std(dim=(0, 2, 3)) - 1).abs().max() < 0.05


def test_a_constant_channel_is_shifted_and_not_blown_up(tmp_path: Path) -> None:
    samples = write_pairs(tmp_path / "data", 2)
    values = physical_values(32, 32)
    values[9] = 12  # B10
    for sample in samples:
        write_h5(sample.image, img=stored(values))
    data = pack(samples, tmp_path / "packed")
    config = catalog_config("unet-resnet34")
    scaling = measure_scaling(data, [0, 1], config, 0)
    assert scaling.std[9] == 1
    scaled = InputScaling(_with(config, scaling.model_dump()))
    elsewhere = np.full((1, 14, 32, 32), 30, np.float32)
    assert scaled(torch.from_numpy(elsewhere))[0, 9].abs().max() < 1e-3


def test_no_scaling_leaves_every_value(data: PackedDataset) -> None:
    config = catalog_config("unet-resnet34")
    scaled = InputScaling(_with(config, no_scaling(config).model_dump()))
    values = torch.from_numpy(data.patch(0).select(config.bands))[None]
    assert torch.equal(scaled(values), values)


def _with(config: ModelConfig, scaling: dict[str, object]) -> ModelConfig:
    return ModelConfig.model_validate({**config.model_dump(), "scaling": scaling})
