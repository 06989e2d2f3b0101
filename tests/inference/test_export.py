"""Exported models: other programs get PyTorch's probabilities, or no file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnxruntime import InferenceSession
from patch_files import sample_patches
from torch import nn
from trained_model import untrained

from landslide_zoo import LandslideModel, Patch
from landslide_zoo.data.bands import TRUE_COLOUR, display_values
from landslide_zoo.errors import DataError, ModelError
from landslide_zoo.inference.export import TILE, TOLERANCE, export_onnx
from landslide_zoo.inference.export_layers import AdaptivePooling, DisplayValues
from landslide_zoo.inference.predict import values_of
from landslide_zoo.models import catalog

ONE_OF_EACH = (  # architecture, and each way of pooling and attention
    "unet-mobilenet_v2-rgb",
    "unet-efficientnet-b0",
    "deeplabv3plus-resnet50",
    "segformer-mit_b2",
    "upernet-resnet34",
)


@pytest.fixture(scope="module")
def patches() -> list[Patch]:
    return sample_patches()


@pytest.fixture(scope="module")
def build(patches: list[Patch]) -> Callable[..., LandslideModel]:
    """A network with random weights whose batch normalisation has seen real patches.

    By half: normalised by these alone, a random MobileNet makes much of rounding errors.
    """

    def make(name: str = "unet-mobilenet_v2-rgb", **changes: object) -> LandslideModel:
        model = untrained(name, **changes).train()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.5
        with torch.no_grad():
            model(torch.from_numpy(values_of(patches, model.config)))
        return model.eval()

    return make


@pytest.fixture(scope="module")
def model(build: Callable[..., LandslideModel]) -> LandslideModel:
    return build()


def run(path: Path, values: np.ndarray) -> np.ndarray:
    """What the file gives, shape (N, H, W)."""
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    (probability,) = session.run(None, {session.get_inputs()[0].name: values})
    assert probability.dtype == np.float32 and probability.shape[1] == 1
    return probability[:, 0]


def metadata(path: Path) -> dict[str, object]:
    return {one.key: json.loads(one.value) for one in onnx.load(path).metadata_props}


def as_deepness_reads(raster: np.ndarray) -> np.ndarray:
    """What the plugin makes of a tile's bands (B, H, W): a batch of one, divided by 255."""
    return np.float32(raster[None] * 1.0 / 255.0)


@pytest.mark.parametrize(
    "name",
    [
        *ONE_OF_EACH,
        *(pytest.param(n, marks=pytest.mark.slow) for n in catalog.names() if n not in ONE_OF_EACH),
    ],
)
def test_probabilities_of_any_batch_and_size_are_those_of_pytorch(
    name: str,
    build: Callable[..., LandslideModel],
    patches: list[Patch],
    tmp_path: Path,
) -> None:
    model, path = build(name), tmp_path / "model.onnx"
    assert export_onnx(model, path, patches) <= TOLERANCE
    onnx.checker.check_model(path, full_check=True)
    values = values_of(patches, model.config)
    wide = np.concatenate([values[:1], values[1:2]], axis=3)
    for given in (values[:3, :, :33, :47], values[2:, :, 5:105], wide):
        expected = model.probabilities(given)
        assert expected.min() < expected.max()
        assert np.abs(run(path, given) - expected).max() <= TOLERANCE


def test_a_patch_scaled_in_two_ways(
    build: Callable[..., LandslideModel], patches: list[Patch], tmp_path: Path
) -> None:
    scaling = build().config.scaling
    model = build(scaling=scaling.model_copy(update={"statistics": "both"}), temperature=1.5)
    export_onnx(model, tmp_path / "model.onnx", patches)
    values = values_of(patches[:3], model.config)
    difference = np.abs(run(tmp_path / "model.onnx", values) - model.probabilities(values))
    assert difference.max() <= TOLERANCE


def test_what_the_file_says_of_itself(
    model: LandslideModel, patches: list[Patch], tmp_path: Path
) -> None:
    path = tmp_path / "new folder" / "model.onnx"
    export_onnx(model, path, patches)
    said = metadata(path)
    assert said["model"] == "unet-mobilenet_v2-rgb"
    assert (said["bands"], said["unit"]) == (["B4", "B3", "B2"], "display")
    assert said["threshold"] == model.config.threshold
    assert "model_type" not in said
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", 3, "height", "width"]
    assert session.get_outputs()[0].shape == ["batch", 1, "height", "width"]


def test_the_same_model_gives_the_same_bytes(
    model: LandslideModel, patches: list[Patch], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        export_onnx(model, tmp_path / name, patches, target="deepness", unit="physical")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert {file.name for file in tmp_path.iterdir()} == {"one", "two"}


def test_exporting_leaves_the_model_as_it_was(
    build: Callable[..., LandslideModel], patches: list[Patch], tmp_path: Path
) -> None:
    model = build("upernet-resnet34").train()
    export_onnx(model, tmp_path / "model.onnx", patches)
    assert model.training
    assert any(isinstance(module, nn.AdaptiveAvgPool2d) for module in model.modules())


def test_deepness_with_a_picture(
    model: LandslideModel, patches: list[Patch], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    export_onnx(model, path, patches, target="deepness")
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    # The plugin needs one input with a size in numbers, and tells a sigmoid by its one channel.
    assert session.get_inputs()[0].shape == ["batch", 3, TILE, TILE]
    assert session.get_outputs()[0].shape == ["batch", 1, TILE, TILE]
    said = metadata(path)
    assert said["model_type"] == "Segmentor"
    assert said["class_names"] == {"0": "background", "1": "landslide"}
    assert said["resolution"] == 1000  # centimetres
    assert said["tile_size"] == said["tiles_size"] == TILE
    assert 0 < said["tiles_overlap"] < 100
    assert said["seg_thresh"] == model.config.threshold
    assert said["seg_small_segment"] == 0
    for patch in patches:
        picture = np.rint(255 * patch.in_unit(TRUE_COLOUR, "display")).astype(np.uint8)
        (probability,) = run(path, as_deepness_reads(picture))
        assert np.abs(probability - model.predict(patch).probability).max() <= TOLERANCE


def test_deepness_with_fourteen_bands(
    build: Callable[..., LandslideModel], patches: list[Patch], tmp_path: Path
) -> None:
    model, path = build("unet-mobilenet_v2"), tmp_path / "model.onnx"
    export_onnx(model, path, patches, target="deepness")
    assert metadata(path)["unit"] == "physical"
    raster = patches[0].select(model.config.bands).astype(np.uint16)
    (probability,) = run(path, as_deepness_reads(raster))
    assert np.abs(probability - model.predict(patches[0]).probability).max() <= TOLERANCE


@pytest.mark.parametrize("gain", [1, 3])
def test_deepness_with_digital_numbers_for_a_true_colour_model(
    model: LandslideModel, patches: list[Patch], tmp_path: Path, gain: int
) -> None:
    path = tmp_path / "model.onnx"
    export_onnx(model, path, patches, target="deepness", unit="physical")
    for patch in patches:
        raster = (gain * patch.select(TRUE_COLOUR)).astype(np.uint16)
        raster[:, 3, 4:9] = 20_000  # glint, which predict cuts off too
        glinting = Patch(raster.astype(np.float32), bands=TRUE_COLOUR)
        (probability,) = run(path, as_deepness_reads(raster))
        assert np.abs(probability - model.predict(glinting).probability).max() <= TOLERANCE


def test_digital_numbers_of_any_size_for_a_true_colour_model(
    model: LandslideModel, patches: list[Patch], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    export_onnx(model, path, patches, unit="physical")
    numbers = np.concatenate([patch.select(TRUE_COLOUR) for patch in patches], axis=2)
    numbers[:, 70, 80:110] *= 9  # more glint than a patch of 128 x 128 may have
    large = Patch(numbers, bands=TRUE_COLOUR)
    difference = np.abs(run(path, numbers[None])[0] - model.predict(large).probability)
    assert difference.max() <= TOLERANCE


def test_a_file_that_does_not_agree_is_not_left(
    build: Callable[..., LandslideModel], patches: list[Patch], tmp_path: Path
) -> None:
    model, path = build(), tmp_path / "model.onnx"
    path.write_bytes(b"of yesterday")
    with torch.no_grad():
        next(model.network.parameters()).fill_(torch.nan)
    with pytest.raises(ModelError, match=r"differ from PyTorch's by nan.*was not written"):
        export_onnx(model, path, patches)
    assert path.read_bytes() == b"of yesterday"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_exported_is_refused(
    build: Callable[..., LandslideModel],
    model: LandslideModel,
    patches: list[Patch],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(ModelError, match="unet-mobilenet_v2 needs physical values"):
        export_onnx(build("unet-mobilenet_v2"), path, patches, unit="display")
    small = Patch(patches[0].values[:, :100], name="small")
    with pytest.raises(DataError, match="small is too small to compare on: 128 x 128"):
        export_onnx(model, path, [small], target="deepness")
    monkeypatch.setitem(sys.modules, "onnx", None)  # as if it were not installed
    with pytest.raises(ModelError, match=r"pip install 'landslide-zoo\[export\]'"):
        export_onnx(model, path, patches)
    assert not path.exists()


@pytest.mark.parametrize("side", [2, 3, 6])
def test_adaptive_pooling_is_torchs(side: int) -> None:
    torch.manual_seed(side)
    for height, width in ((1, 1), (2, 5), (6, 6), (7, 13), (4, 12)):
        x = torch.randn(2, 3, height, width)
        expected = nn.AdaptiveAvgPool2d(side)(x)
        torch.testing.assert_close(AdaptivePooling(side)(x), expected)


def test_display_values_are_those_of_a_patch(patches: list[Patch]) -> None:
    random = np.random.default_rng(0)
    numbers = np.stack([patch.select(TRUE_COLOUR) for patch in patches])
    glinting = numbers.copy()
    glinting[0, :, 7, :5] *= 20
    glinting[1, 0, 9, 9] *= 1.3
    one_bright = np.zeros((1, 3, 64, 64), dtype=np.float32)
    one_bright[..., 1, 1] = 5
    noise = random.integers(0, 4000, (2, 3, 200, 180)).astype(np.float32)
    for batch in (numbers, glinting, one_bright, noise, -noise, 0 * noise):
        expected = np.stack([display_values(one) for one in batch])
        assert np.array_equal(DisplayValues()(torch.from_numpy(batch)).numpy(), expected)
