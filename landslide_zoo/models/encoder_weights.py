"""Pretrained weights for a network's encoder."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from segmentation_models_pytorch.encoders import encoders

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.data.hub_access import hub_errors
from landslide_zoo.errors import TrainingError
from landslide_zoo.models.model import LandslideModel
from landslide_zoo.models.record import EncoderWeights, file_sha256

IMAGENET = "imagenet"
NONE = "none"


def load_encoder_weights(model: LandslideModel, source: str) -> EncoderWeights:
    """Start a model's encoder from pretrained weights.

    The kernels that see red, green and blue go to bands B4, B3 and B2 and those
    of the other channels start at 0, so that at first the encoder computes what
    it computed on pictures.

    Args:
        model: A model with an encoder; changed in place.
        source: ``imagenet`` (from the Hub), ``none``, or a ``.pth`` or
            ``.safetensors`` file of the encoder's weights.

    Returns:
        What was loaded, for the record.

    Raises:
        TrainingError: If the weights cannot be had or do not fit.
    """
    if source == NONE:
        return EncoderWeights(source=NONE)
    if model.config.encoder is None:
        raise TrainingError(
            f"{model.config.name} has no pretrained encoder: use --encoder-weights none."
        )
    path = _imagenet(model.config.encoder) if source == IMAGENET else Path(source)
    weights = _read(path)
    encoder = model.network.get_submodule("encoder")
    for name, tensor in encoder.state_dict().items():
        given = weights.get(name)
        if given is not None and given.ndim == 4 and given.shape[1] == 3 != tensor.shape[1]:
            weights[name] = _place_true_colour(given, model.config.channels)
    try:
        encoder.load_state_dict(weights)
    except (RuntimeError, KeyError) as error:
        fault = str(error).splitlines()[-1].strip()
        raise TrainingError(
            f"The weights in {path.name} do not fit the encoder {model.config.encoder}: {fault}"
        ) from error
    name = IMAGENET if source == IMAGENET else path.name
    return EncoderWeights(source=name, sha256=file_sha256(path))


def _imagenet(encoder: str) -> Path:
    from huggingface_hub import hf_hub_download

    where = encoders[encoder]["pretrained_settings"][IMAGENET]
    with hub_errors(where["repo_id"]):
        return Path(hf_hub_download(filename="model.safetensors", **where))


def _read(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise TrainingError(
            f"There is no file {path} with encoder weights; --encoder-weights takes imagenet, "
            "none, or a .pth or .safetensors file."
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (
        *(pickle.UnpicklingError, SafetensorError),
        *(RuntimeError, EOFError, OSError, ValueError),
    ) as error:
        raise TrainingError(f"{path.name} holds no weights that can be read safely.") from error
    if not isinstance(weights, dict) or not all(map(torch.is_tensor, weights.values())):
        raise TrainingError(f"{path.name} holds no weights by name.")
    return dict(weights)


def _place_true_colour(kernels: torch.Tensor, channels: list[str]) -> torch.Tensor:
    """Kernels (O, 3, k, k) for red, green, blue as kernels (O, C, k, k) for the channels."""
    placed = kernels.new_zeros(kernels.shape[0], len(channels), *kernels.shape[2:])
    for colour, band in enumerate(TRUE_COLOUR):
        placed[:, channels.index(band)] = kernels[:, colour]
    return placed
