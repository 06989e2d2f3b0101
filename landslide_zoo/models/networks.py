"""From a configuration to a network, and the stride its input is padded to."""

from __future__ import annotations

import segmentation_models_pytorch as smp
from torch import nn

from landslide_zoo.models.config import ModelConfig
from landslide_zoo.models.plain_unet import PlainUnet

STRIDE = 32
"""Height and width of a network's input are multiples of this."""

_ARCHITECTURES = {
    "unet": smp.Unet,
    "deeplabv3plus": smp.DeepLabV3Plus,
    "segformer": smp.Segformer,
    "upernet": smp.UPerNet,
}

_UNUSED = {"efficientnet-b0": ("_conv_head", "_bn1")}
"""Layers by encoder that only its classifier used: without a gradient, which training with
several processes would wait for."""


def build_network(config: ModelConfig) -> nn.Module:
    """Build the configured network with random weights.

    Returns:
        A module from channels (N, C, H, W) to logits (N, 1, H, W), for H and W
        multiples of :data:`STRIDE`.
    """
    if config.architecture == "plain-unet":
        return PlainUnet(len(config.channels))
    network = _ARCHITECTURES[config.architecture](
        encoder_name=config.encoder,
        encoder_weights=None,
        in_channels=len(config.channels),
        classes=1,
    )
    for name in _UNUSED.get(config.encoder or "", ()):
        network.encoder.get_submodule(name).requires_grad_(False)
    return network
