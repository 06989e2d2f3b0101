"""Models with random weights, and a pytest plugin: a folder with one as training would leave it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from landslide_zoo import LandslideModel
from landslide_zoo.models.record import DataRecord, EncoderWeights, Record, Result

MODEL = "unet-mobilenet_v2-rgb"
NAME = "trial-rgb"  # no name of a bundled model
FINGERPRINT = "0" * 64


def make_record() -> Record:
    """A record with one result, F1 0.6 on the test subset."""
    result = Result(
        dataset="l4s-rgb",
        fingerprint=FINGERPRINT,
        protocol="folder",
        subset="test",
        patches=2,
        threshold=0.4,
        true_positives=3,
        false_positives=2,
        false_negatives=2,
        true_negatives=9,
        precision=0.6,
        recall=0.6,
        f1=0.6,
        iou=3 / 7,
        command="landslide-zoo evaluate",
    )
    return Record(
        model=MODEL,
        created="2026-01-01T00:00:00Z",
        command="train_accelerate.py --model unet-mobilenet_v2 --bands rgb",
        seed=42,
        data=DataRecord(
            name="l4s-rgb", fingerprint=FINGERPRINT, protocol="folder", patches={"train": 4}
        ),
        encoder_weights=EncoderWeights(source="none"),
        recipe={"epochs": 1},
        versions={"torch": torch.__version__},
        epochs=1,
        best_epoch=1,
        results=[result],
    )


def untrained(name: str = MODEL, seed: int = 0, **config: object) -> LandslideModel:
    """A network of the catalog with the random weights of a seed."""
    torch.manual_seed(seed)
    return LandslideModel.from_catalog(name).update_config(**config).eval()


@pytest.fixture(scope="session")
def _saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = untrained(threshold=0.4, dtype="float16")
    model.record = make_record()
    model.extra_files = {"examples.png": b"\x89PNG\0 a figure"}
    folder = tmp_path_factory.mktemp("saved") / NAME
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def model_folder(_saved_model: Path, tmp_path: Path) -> Path:
    """A model folder that the test may change."""
    return Path(shutil.copytree(_saved_model, tmp_path / "zoo" / NAME))
