"""Exported models: other programs get PyTorch's probabilities, or no file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from patch_files import sample_patches
from torch import nn
from trained_model import untrained

from landslide_zoo import LandslideModel, Patch
from landslide_zoo.errors import ModelError
from landslide_zoo.inference.export import TOLERANCE, export_onnx
from landslide_zoo.inference.predict import values_of
from landslide_zoo.models import catalog

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

OTHERS = {*catalog.names()} - {"upernet-resnet34"}  # whose pooling ONNX lacks


@pytest.fixture(scope="module")
def patches() -> list[Patch]:
    return sample_patches()


def build(patches: list[Patch], name: str = "unet-mobilenet_v2-rgb") -> LandslideModel:
    """A network with random weights whose batch normalisation has seen real patches.

    By half: normalised by these alone, a random MobileNet makes much of rounding errors.
    """
    model = untrained(name).train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.5
    with torch.no_grad():
        model(torch.from_numpy(values_of(patches, model.config)))
    return model.eval()


def run(path: Path, values: np.ndarray) -> np.ndarray:
    """What the file gives, shape (N, H, W)."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (probability,) = session.run(None, {session.get_inputs()[0].name: values})
    assert probability.dtype == np.float32 and probability.shape[1] == 1
    return probability[:, 0]


def metadata(path: Path) -> dict[str, object]:
    return {each.key: json.loads(each.value) for each in onnx.load(path).metadata_props}


@pytest.mark.parametrize(
    "name",
    [
        "unet-mobilenet_v2-rgb",
        *(pytest.param(n, marks=pytest.mark.slow) for n in sorted(OTHERS)),
    ],
)
def test_probabilities_of_any_batch_and_size_are_those_of_pytorch(
    name: str, patches: list[Patch], tmp_path: Path
) -> None:
    model, path = build(patches, name).train(), tmp_path / "new folder" / "model.onnx"
    assert export_onnx(model, path, patches) <= TOLERANCE
    assert model.training  # it is as it was
    onnx.checker.check_model(path, full_check=True)
    values = values_of(patches, model.config)
    wide = np.concatenate([values[:1], values[1:2]], axis=3)
    for given in (values[:3, :, :33, :47], values[2:, :, 5:105], wide):
        expected = torch.sigmoid(model.logits(given)).numpy()
        assert expected.min() < expected.max()
        assert np.abs(run(path, given) - expected).max() <= TOLERANCE
    said = metadata(path)
    assert (said["model"], said["bands"]) == (name, model.config.bands)
    assert (said["unit"], said["threshold"]) == (model.config.unit, model.config.threshold)


def test_a_model_that_would_answer_otherwise_is_not_written(
    patches: list[Patch], tmp_path: Path
) -> None:
    model = build(patches)
    next(model.network.parameters()).data.fill_(float("nan"))
    with pytest.raises(ModelError, match="was not written"):
        export_onnx(model, tmp_path / "model.onnx", patches)
    assert not list(tmp_path.iterdir())
