"""The bundled models on real patches: what their records say is what they do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import Answer

from landslide_zoo import LandslideModel, read_mask, read_patch
from landslide_zoo.evaluation.counts import Scores
from landslide_zoo.models.location import bundled_folders

MODEL = "unet-mobilenet_v2-rgb"


@pytest.fixture(scope="module")
def model() -> LandslideModel:
    return LandslideModel.from_pretrained(MODEL, device="cpu")


def pooled(masks: list[np.ndarray], truths: list[np.ndarray]) -> Scores:
    return Scores.of_masks(np.stack(masks), np.stack(truths))


def test_bundled_weights_are_small_enough_to_ship() -> None:
    sizes = [(folder / "model.safetensors").stat().st_size for folder in bundled_folders().values()]
    assert max(sizes) <= 14_000_000
    assert sum(sizes) <= 25_000_000


def test_the_test_block_scores_what_the_record_says(model: LandslideModel, real_data: Path) -> None:
    images = sorted((real_data / "l4s-rgb/images/test").glob("image_*.png"))
    truths = [
        read_mask(
            real_data / f"l4s-rgb/annotations/test/mask_{path.stem.removeprefix('image_')}.png"
        )
        for path in images
    ]
    scores = pooled([model.predict(read_patch(path)).mask for path in images], truths)
    assert model.record is not None
    (recorded,) = (result for result in model.record.results if result.subset == "test")
    assert scores.f1 == pytest.approx(recorded.f1, abs=1e-3)
    assert scores.f1 >= 0.6


def test_fourteen_band_patches_from_the_command_line_and_the_library(
    model: LandslideModel, real_data: Path, tmp_path: Path, command: Callable[..., Answer]
) -> None:
    images = sorted((real_data / "l4s-14band/images").glob("image_*.h5"))
    numbers = [path.stem.removeprefix("image_") for path in images]
    truths = [read_mask(real_data / f"l4s-14band/annotations/mask_{n}.h5") for n in numbers]
    done = command("predict", real_data / "l4s-14band/images", "--output", tmp_path)
    assert done.status == 0, done.err
    written = [read_mask(tmp_path / f"mask_{number}.h5") for number in numbers]
    ours = [model.predict(read_patch(path)).mask for path in images]
    assert all(np.array_equal(a, b) for a, b in zip(written, ours, strict=True))
    assert pooled(written, truths).f1 >= 0.5


def test_landslides_of_a_real_patch_are_found(model: LandslideModel, real_data: Path) -> None:
    patch = read_patch(
        real_data / "l4s-14band/images/image_150.h5",
        real_data / "l4s-14band/annotations/mask_150.h5",
    )
    assert patch.mask is not None
    assert Scores.of_masks(model.predict(patch).mask, patch.mask).iou >= 0.4
