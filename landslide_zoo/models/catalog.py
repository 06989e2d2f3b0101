"""The fifteen networks of the zoo, as data. Adding a network is adding an entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR
from landslide_zoo.errors import ModelError

Architecture = Literal["plain-unet", "unet", "deeplabv3plus", "segformer", "upernet"]

RGB_SUFFIX = "-rgb"
PLAIN_UNET_CHANNELS = ("B4", "B3", "B2", "NDVI", "slope", "DEM")

_TORCHVISION = "torchvision (BSD-3-Clause)"
_CADENE = "pretrained-models.pytorch (BSD-3-Clause)"
_NVIDIA = "NVIDIA SegFormer (NVIDIA Source Code License: research use only)"


@dataclass(frozen=True)
class CatalogEntry:
    """One network of the zoo.

    Attributes:
        name: Its name in the zoo.
        architecture: The segmentation architecture.
        encoder: The encoder's name in segmentation-models-pytorch, or None.
        description: Two sentences for people who choose a model.
        encoder_origin: Where the ImageNet weights of the encoder come from,
            with their licence; None where the network has no such weights.
        paper_f1: The F1 the paper reports for it (random split, mean over
            batches), or None where it reports none.
        channels: What the network sees by default: bands and indices.
    """

    name: str
    architecture: Architecture
    encoder: str | None
    description: str
    encoder_origin: str | None
    paper_f1: float | None
    channels: tuple[str, ...] = BAND_NAMES

    @property
    def research_only(self) -> bool:
        """Whether what starts from its ImageNet weights may be used for research alone."""
        return self.encoder_origin == _NVIDIA


CATALOG: tuple[CatalogEntry, ...] = (
    CatalogEntry(
        "unet",
        "plain-unet",
        None,
        "The plain U-Net of the paper: five levels of two 3x3 convolutions, no pretrained "
        "encoder. It sees true colour, NDVI, slope and elevation.",
        None,
        0.7012,
        PLAIN_UNET_CHANNELS,
    ),
    CatalogEntry(
        "unet-resnet34",
        "unet",
        "resnet34",
        "U-Net with a ResNet-34 encoder, the best network of the paper. "
        "A dependable middle ground between size and accuracy.",
        _TORCHVISION,
        0.7470,
    ),
    CatalogEntry(
        "unet-vgg16",
        "unet",
        "vgg16",
        "U-Net with a VGG-16 encoder, plain stacked convolutions. "
        "Large and slow, with sharp outlines.",
        _TORCHVISION,
        0.7357,
    ),
    CatalogEntry(
        "unet-efficientnet-b0",
        "unet",
        "efficientnet-b0",
        "U-Net with an EfficientNet-B0 encoder, depthwise convolutions with channel attention. "
        "Small, and accurate for its size.",
        "EfficientNet-PyTorch (Apache-2.0)",
        0.7341,
    ),
    CatalogEntry(
        "unet-resnext50_32x4d",
        "unet",
        "resnext50_32x4d",
        "U-Net with a ResNeXt-50 encoder, residual blocks of 32 grouped paths. "
        "More capacity than ResNet-34 at a moderate cost.",
        _TORCHVISION,
        0.7330,
    ),
    CatalogEntry(
        "unet-se_resnet50",
        "unet",
        "se_resnet50",
        "U-Net with an SE-ResNet-50 encoder, residual blocks with channel attention. "
        "The most precise of the paper's encoders, at some recall.",
        _CADENE,
        0.7328,
    ),
    CatalogEntry(
        "unet-densenet121",
        "unet",
        "densenet121",
        "U-Net with a DenseNet-121 encoder, each layer connected to all before it. "
        "Few weights, balanced precision and recall.",
        _TORCHVISION,
        0.7290,
    ),
    CatalogEntry(
        "unet-se_resnext50_32x4d",
        "unet",
        "se_resnext50_32x4d",
        "U-Net with an SE-ResNeXt-50 encoder, grouped paths with channel attention. "
        "The highest recall among the larger encoders of the paper.",
        _CADENE,
        0.7279,
    ),
    CatalogEntry(
        "unet-inceptionv4",
        "unet",
        "inceptionv4",
        "U-Net with an Inception-v4 encoder, parallel filters of several sizes. "
        "Heavy; for comparison with the paper.",
        _CADENE,
        0.7246,
    ),
    CatalogEntry(
        "unet-inceptionresnetv2",
        "unet",
        "inceptionresnetv2",
        "U-Net with an Inception-ResNet-v2 encoder, parallel filters with residual links. "
        "The heaviest of the zoo; for comparison with the paper.",
        _CADENE,
        0.7151,
    ),
    CatalogEntry(
        "unet-mobilenet_v2",
        "unet",
        "mobilenet_v2",
        "U-Net with a MobileNet-v2 encoder, made for small devices. "
        "The fastest of the zoo on a CPU.",
        _TORCHVISION,
        0.7119,
    ),
    CatalogEntry(
        "unet-mit_b1",
        "unet",
        "mit_b1",
        "U-Net with a Mix Transformer B1 encoder, attention over the whole patch. "
        "A transformer with a convolutional decoder.",
        _NVIDIA,
        0.6989,
    ),
    CatalogEntry(
        "deeplabv3plus-resnet50",
        "deeplabv3plus",
        "resnet50",
        "DeepLabV3+ with a ResNet-50 encoder, dilated convolutions at several rates. "
        "It sees wide context at once.",
        _TORCHVISION,
        0.7141,
    ),
    CatalogEntry(
        "segformer-mit_b2",
        "segformer",
        "mit_b2",
        "SegFormer with a Mix Transformer B2 encoder and a light decoder. "
        "Attention over the whole patch at a quarter of its resolution.",
        _NVIDIA,
        None,
    ),
    CatalogEntry(
        "upernet-resnet34",
        "upernet",
        "resnet34",
        "UPerNet with a ResNet-34 encoder: pyramid pooling and a feature pyramid. "
        "It joins the context of the whole patch with fine detail.",
        _TORCHVISION,
        None,
    ),
)

_BY_NAME = {entry.name: entry for entry in CATALOG}


def names() -> Iterator[str]:
    """The names of the fifteen."""
    return iter(_BY_NAME)


def lookup(name: str) -> CatalogEntry:
    """The catalog's entry for a name, with or without ``-rgb`` at its end.

    Raises:
        ModelError: If the catalog has no such network.

    Example:
        >>> lookup("unet-resnet34-rgb").encoder
        'resnet34'
    """
    entry = _BY_NAME.get(name.removesuffix(RGB_SUFFIX))
    if entry is None:
        raise ModelError(f"There is no network {name!r}; the zoo has {', '.join(_BY_NAME)}.")
    return entry


def channels_of(name: str) -> tuple[str, ...]:
    """What the named network sees: true colour for ``-rgb``, else its default channels."""
    entry = lookup(name)
    return TRUE_COLOUR if name.endswith(RGB_SUFFIX) else entry.channels
