"""Distillation: targets between the mask and the teachers, turned with the patch, on the record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trainer
from labelled_data import packed_pairs

from landslide_zoo import LandslideModel
from landslide_zoo.data.augmentation import Augmentation
from landslide_zoo.data.packed import PackedDataset
from landslide_zoo.data.synthetic import write_dataset
from landslide_zoo.models.config import catalog_config
from landslide_zoo.models.record import file_sha256
from landslide_zoo.training.batches import PatchTensors
from landslide_zoo.training.distillation import Teacher, load_teachers, soft_targets

NETWORK = "unet-mobilenet_v2"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    return packed_pairs(tmp_path_factory.mktemp("distillation"), 5)


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> list[Teacher]:
    folders = [tmp_path_factory.mktemp("teacher") for _ in range(2)]
    for folder in folders:
        LandslideModel.from_catalog(NETWORK).save_pretrained(folder)
    return load_teachers([str(folder) for folder in folders], "cpu")


def test_a_target_lies_between_the_mask_and_the_teachers_mean(
    data: PackedDataset, teachers: list[Teacher]
) -> None:
    indices = [3, 0, 4]
    targets = soft_targets(teachers, data, indices, share=0.25)
    assert targets.dtype == np.float16
    for target, index in zip(targets, indices, strict=True):
        patch = data.patch(index)
        mean = np.mean([one.model.predict(patch).probability for one in teachers], axis=0)
        np.testing.assert_allclose(target, 0.75 * patch.mask + 0.25 * mean, atol=1e-3)


def test_targets_are_turned_with_their_patch(data: PackedDataset) -> None:
    config = catalog_config(NETWORK)
    indices = [2, 1]
    # Elevation as its own target: wherever it goes, the target must be.
    elevation = np.stack([data.patch(index).select(["DEM"])[0] for index in indices])
    patches = PatchTensors(data, indices, config, Augmentation(brightness=0.2), targets=elevation)
    seen = set()
    for epoch in range(12):
        for sample in range(2):
            values, target = patches[epoch, sample]
            np.testing.assert_array_equal(target[0], values[config.bands.index("DEM")])
            seen.add(target.numpy().tobytes())
    assert len(seen) > 4  # patches were turned at all


def test_the_record_names_the_teachers_and_a_run_stays_with_them(tmp_path: Path) -> None:
    write_dataset(tmp_path / "patches", train=6, validation=2, test=2, size=(64, 64))
    teacher = tmp_path / "teacher"
    LandslideModel.from_catalog(NETWORK).save_pretrained(teacher)
    options = [
        *("--model", NETWORK, "--data", "patches", "--encoder-weights", "none", "--epochs", 1),
        *("--batch-size", 3, "--tracker", "none", "--set", "distillation=0.7"),
    ]
    with trainer.start(*options, "--teacher", teacher, cwd=tmp_path) as process:
        assert process.end() == 0, process.said
    record = LandslideModel.from_pretrained(tmp_path / "runs" / NETWORK / "model").record
    assert record is not None
    sha256 = file_sha256(teacher / "model.safetensors")
    assert record.recipe["teachers"] == f"{NETWORK} sha256:{sha256}"
    assert record.recipe["distillation"] == 0.7

    with trainer.start(*options, cwd=tmp_path) as process:
        assert process.end() == 1
        assert "begun with other settings (teachers)" in process.sentence
