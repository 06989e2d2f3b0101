"""A network's weights in ``model.safetensors``: written once, read strictly."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from landslide_zoo.errors import ModelError


def save_weights(network: nn.Module, path: Path, dtype: str) -> None:
    """Write a network's weights; statistics of batch normalisation stay float32.

    Args:
        network: The network, whatever its device.
        path: File to write.
        dtype: ``float32`` or ``float16``, for the parameters.

    Raises:
        OSError: If the file cannot be written.
    """
    stored = getattr(torch, dtype)
    parameters = {name for name, _ in network.named_parameters()}
    tensors = {
        name: tensor.detach().to("cpu", stored if name in parameters else tensor.dtype).contiguous()
        for name, tensor in network.state_dict().items()
    }
    # Not save_file: what it writes only its owner may read.
    path.write_bytes(save(tensors, metadata={"format": "pt"}))


def load_weights(network: nn.Module, path: Path) -> None:
    """Read weights into a network, every tensor by name, shape and kind.

    Raises:
        ModelError: If the file is missing, is no safetensors file, lacks a
            tensor, holds one too many, or one of another shape or kind.
    """
    if not path.is_file():
        raise ModelError(f"There is no model.safetensors in {path.parent}: it is no model folder.")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is no safetensors file or is cut short: {error}.") from error
    wanted = network.state_dict()
    faults = []
    for name, here in wanted.items():
        there = tensors.get(name)
        if there is None:
            faults.append(f"lacks {name}")
        elif there.shape != here.shape:
            faults.append(f"has {name} with shape {tuple(there.shape)}, not {tuple(here.shape)}")
        elif there.is_floating_point() != here.is_floating_point():
            faults.append(f"has {name} as {there.dtype}, not {here.dtype}")
    faults += [f"has {name}, which the network has not" for name in tensors if name not in wanted]
    if faults:
        more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
        raise ModelError(f"{path} does not fit its config.json: it {faults[0]}{more}.")
    network.load_state_dict(tensors, strict=True)
