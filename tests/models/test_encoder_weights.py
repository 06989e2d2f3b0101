"""Pretrained encoders: the kernels of red, green and blue land on bands 4, 3 and 2."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import torch

from landslide_zoo import LandslideModel
from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR
from landslide_zoo.errors import TrainingError
from landslide_zoo.io import file_sha256
from landslide_zoo.models.networks import load_encoder_weights
from landslide_zoo.models.record import EncoderWeights

# The first convolution that sees the image, by encoder.
FIRST = {
    "resnet34": "conv1.weight",
    "mobilenet_v2": "features.0.0.weight",
    "mit_b1": "patch_embed1.proj.weight",
}


def pretrained(encoder: str) -> dict[str, torch.Tensor]:
    """Weights of an encoder of pictures, as a file of pretrained weights holds them."""
    torch.manual_seed(1)
    return smp.encoders.get_encoder(encoder, in_channels=3, weights=None).state_dict()


def start(model: LandslideModel, source: str) -> EncoderWeights:
    return load_encoder_weights(model.network, model.config, source)


@pytest.mark.parametrize("encoder", FIRST)
def test_kernels_of_colours_go_to_their_bands(encoder: str, tmp_path: Path) -> None:
    weights = pretrained(encoder)
    path = tmp_path / f"{encoder}.pth"
    torch.save(weights, path)
    model = LandslideModel.from_catalog(f"unet-{encoder}")
    told = start(model, str(path))
    assert (told.source, told.sha256) == (path.name, file_sha256(path))

    loaded = model.network.encoder.state_dict()
    kernels = loaded[FIRST[encoder]]
    assert kernels.shape[1] == 14
    for colour, band in enumerate(TRUE_COLOUR):
        assert torch.equal(kernels[:, BAND_NAMES.index(band)], weights[FIRST[encoder]][:, colour])
    others = [i for i, band in enumerate(BAND_NAMES) if band not in TRUE_COLOUR]
    assert not kernels[:, others].any()
    for name, tensor in weights.items():
        assert name == FIRST[encoder] or torch.equal(loaded[name], tensor)


class _Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize("kind", ["missing", "other network", "harmful", "no weights", "cut short"])
def test_weights_that_cannot_be_had_are_one_sentence(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pth"
    if kind == "other network":
        torch.save(pretrained("resnet34"), path)
    elif kind == "harmful":
        path.write_bytes(pickle.dumps(_Harmful(), protocol=2))
    elif kind == "no weights":
        torch.save([1, 2, 3], path)
    elif kind == "cut short":
        torch.save(pretrained("mobilenet_v2"), path)
        path.write_bytes(path.read_bytes()[:10_000])
    sentences = {"missing": "There is no file", "other network": "do not fit the encoder"}
    model = LandslideModel.from_catalog("unet-mobilenet_v2")
    with pytest.raises(TrainingError, match=sentences.get(kind, "holds no weights")) as refused:
        start(model, str(path))
    assert "\n" not in str(refused.value) and path.name in str(refused.value)
    assert not Path("unpickled").exists()


def test_the_plain_unet_has_no_encoder_to_load() -> None:
    with pytest.raises(TrainingError, match="use --encoder-weights none"):
        start(LandslideModel.from_catalog("unet"), "imagenet")
