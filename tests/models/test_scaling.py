"""Scaling: the model's own, in float32 whatever else runs, each channel by its own numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from patch_files import physical_values

from landslide_zoo import LandslideModel
from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.models.config import ModelConfig, Scaling, catalog_config
from landslide_zoo.models.networks import InputScaling


def scaled(config: ModelConfig, values: np.ndarray) -> torch.Tensor:
    """What the network sees of a patch that holds all bands (14, H, W)."""
    chosen = values[[BAND_NAMES.index(band) for band in config.bands]]
    return InputScaling(config)(torch.from_numpy(chosen.astype(np.float32))[None])[0]


def with_statistics(config: ModelConfig, statistics: str) -> ModelConfig:
    scaling = Scaling(**{**config.scaling.model_dump(), "statistics": statistics})
    return config.model_copy(update={"scaling": scaling})


def test_extreme_values_are_clipped() -> None:
    values = physical_values()
    values[3, 5, 5] = 65_535
    assert scaled(catalog_config("unet-resnet34"), values)[3, 5, 5] == pytest.approx(6, abs=1e-4)


def test_ndvi_comes_from_digital_numbers() -> None:
    config = catalog_config("unet")
    values = physical_values()
    values[7], values[3] = 3000, 1000
    values[[7, 3], 0, 0] = 0  # outside the scene: no NDVI
    position = config.channels.index("NDVI")
    ndvi = InputScaling(config).derive(
        torch.from_numpy(values[[BAND_NAMES.index(band) for band in config.bands]])[None]
    )[0, position]
    assert ndvi[1, 1] == 0.5
    assert ndvi[0, 0] == 0
    assert ndvi.isfinite().all()


def test_a_metre_of_elevation_survives_bfloat16() -> None:
    values = np.zeros((14, 64, 64), np.float32)
    values[13] = 3000
    values[13, :, 32:] = 3001
    model = LandslideModel.from_catalog("unet-mobilenet_v2").eval()
    seen: list[torch.Tensor] = []
    model.scaling.register_forward_hook(lambda _module, _input, output: seen.append(output))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        logits = model(torch.from_numpy(values)[None])
    assert logits.isfinite().all()
    (channels,) = seen
    assert channels.dtype == torch.float32
    step = channels[0, 13, 0, 40] - channels[0, 13, 0, 0]
    assert step.item() == pytest.approx(1 / model.config.scaling.std[13], rel=1e-3)


def test_a_batch_is_scaled_patch_by_patch() -> None:
    config = catalog_config("unet-resnet34")
    config = with_statistics(config, "patch")
    one, other = physical_values(seed=1), 1.5 * physical_values(seed=2)
    batch = InputScaling(config)(torch.from_numpy(np.stack([one, other]).astype(np.float32)))
    torch.testing.assert_close(batch[0], scaled(config, one))
    torch.testing.assert_close(batch[1], scaled(config, other))
    assert batch.mean(dim=(2, 3)).abs().max() < 1e-3


def test_with_both_statistics_the_logits_are_the_mean_of_the_two() -> None:
    model = LandslideModel.from_catalog("unet-mobilenet_v2").eval()
    values = torch.from_numpy(
        np.stack([physical_values(seed=1), 1.5 * physical_values(seed=2)]).astype(np.float32)
    )
    logits = {}
    for statistics in ("train", "patch", "both"):
        model.update_config(scaling=with_statistics(model.config, statistics).scaling.model_dump())
        with torch.inference_mode():
            logits[statistics] = model(values)
    assert not torch.allclose(logits["train"], logits["patch"])
    torch.testing.assert_close(logits["both"], (logits["train"] + logits["patch"]) / 2)
