"""Networks: builders by architecture, the scaling of their input, and pretrained encoders.

A new architecture is one decorated function here, or in another package::

    @register("wide-unet", CatalogEntry("wide-unet", "wide-unet", "A U-Net. It is wide."))
    def build(encoder: str | None, channels: int) -> nn.Module: ...

A package names the module that holds it in the entry point group ``landslide_zoo.networks``.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path

import segmentation_models_pytorch as smp
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from segmentation_models_pytorch.encoders import encoders
from torch import nn

from landslide_zoo.data.bands import INDICES, TRUE_COLOUR
from landslide_zoo.errors import ModelError, TrainingError, hub_errors
from landslide_zoo.io import file_sha256
from landslide_zoo.models import catalog
from landslide_zoo.models.catalog import CatalogEntry
from landslide_zoo.models.config import ModelConfig
from landslide_zoo.models.record import EncoderWeights

STRIDE = 32
"""Height and width of a network's input are multiples of this."""

Builder = Callable[[str | None, int], nn.Module]
"""From the name of an encoder and the number of channels C to a network with random weights, which
gives logits (N, 1, H, W) of channels (N, C, H, W), for H and W multiples of :data:`STRIDE`."""
_BUILDERS: dict[str, Builder] = {}

_UNUSED = {"efficientnet-b0": ("_conv_head", "_bn1")}
"""Layers by encoder that only its classifier used: without a gradient, which training with
several processes would wait for."""

_WIDTHS = (64, 128, 256, 512, 1024)
"""Channels of the plain U-Net at each level, from full resolution down."""

_UNREADABLE = (pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError, OSError, ValueError)

IMAGENET = "imagenet"
NONE = "none"


def register(architecture: str, entry: CatalogEntry | None = None) -> Callable[[Builder], Builder]:
    """Register the decorated function as the builder of an architecture.

    Args:
        architecture: What a configuration and the catalog call it.
        entry: A network of it, for the catalog, where ``catalog.toml`` has none.
    """

    def decorate(builder: Builder) -> Builder:
        _BUILDERS[architecture] = builder
        if entry is not None:
            catalog.add(entry)
        return builder

    return decorate


def build_network(config: ModelConfig) -> nn.Module:
    """Build the configured network with random weights.

    Raises:
        ModelError: If its architecture is not registered.
    """
    builder = _BUILDERS.get(config.architecture)
    if builder is None:
        raise ModelError(
            f"{config.name} is a {config.architecture!r}, which no package here builds; known "
            f"are {', '.join(_BUILDERS)}."
        )
    return builder(config.encoder, len(config.channels))


def _with_encoder(architecture: type[nn.Module], encoder: str | None, channels: int) -> nn.Module:
    network = architecture(encoder, encoder_weights=None, in_channels=channels, classes=1)
    for name in _UNUSED.get(encoder or "", ()):
        network.get_submodule(f"encoder.{name}").requires_grad_(False)
    return network


register("unet")(partial(_with_encoder, smp.Unet))
register("deeplabv3plus")(partial(_with_encoder, smp.DeepLabV3Plus))
register("segformer")(partial(_with_encoder, smp.Segformer))
register("upernet")(partial(_with_encoder, smp.UPerNet))
register("plain-unet")(lambda _, channels: PlainUnet(channels))


def load_encoder_weights(network: nn.Module, config: ModelConfig, source: str) -> EncoderWeights:
    """Start a network's encoder from pretrained weights.

    The kernels that see red, green and blue go to bands B4, B3 and B2 and those
    of the other channels start at 0, so that at first the encoder computes what
    it computed on pictures.

    Args:
        network: A network with an encoder; changed in place.
        config: Its configuration.
        source: ``imagenet`` (from the Hub), ``none``, or a ``.pth`` or
            ``.safetensors`` file of the encoder's weights.

    Returns:
        What was loaded, for the record.

    Raises:
        TrainingError: If the weights cannot be had or do not fit.
    """
    if source == NONE:
        return EncoderWeights(source=NONE)
    if config.encoder is None:
        raise TrainingError(f"{config.name} has no pretrained encoder: use --encoder-weights none.")
    path = _imagenet(config.encoder) if source == IMAGENET else Path(source)
    weights = _read(path)
    encoder = network.get_submodule("encoder")
    for name, tensor in encoder.state_dict().items():
        kernels = weights.get(name)
        if kernels is not None and kernels.ndim == 4 and kernels.shape[1] == 3 != tensor.shape[1]:
            weights[name] = _place_true_colour(kernels, config.channels)
    try:
        encoder.load_state_dict(weights)
    except (RuntimeError, KeyError) as error:
        fault = str(error).splitlines()[-1].strip()
        raise TrainingError(
            f"The weights in {path.name} do not fit the encoder {config.encoder}: {fault}"
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
    except _UNREADABLE as error:
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


class PlainUnet(nn.Module):
    """The paper's plain U-Net, that of Ronneberger et al. (2015) with batch normalisation.

    Two 3x3 convolutions at each of five levels, max pooling on the way down,
    2x2 transposed convolutions on the way up, a 1x1 convolution at the end.

    Args:
        in_channels: Number of input channels C.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        inputs = (in_channels, *_WIDTHS[:-1])
        self.encoder = nn.ModuleList(map(_double_convolution, inputs, _WIDTHS))
        self.pool = nn.MaxPool2d(2)
        steps = list(zip(_WIDTHS[:0:-1], _WIDTHS[-2::-1], strict=True))
        self.upsample = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, stride=2) for i, o in steps)
        self.decoder = nn.ModuleList(_double_convolution(2 * o, o) for _, o in steps)
        self.head = nn.Conv2d(_WIDTHS[0], 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, 1, H, W) from channels (N, C, H, W); H and W multiples of 16."""
        skips: list[torch.Tensor] = []
        for level, convolution in enumerate(self.encoder):
            x = convolution(x if level == 0 else self.pool(x))
            skips.append(x)
        for upsample, convolution, skip in zip(
            self.upsample, self.decoder, reversed(skips[:-1]), strict=True
        ):
            x = convolution(torch.cat([skip, upsample(x)], dim=1))
        return self.head(x)


def _double_convolution(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [
            nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class InputScaling(nn.Module):
    """Derive the channels from the bands and scale them, in float32 whatever else runs.

    The numbers are buffers that move with the model and stay out of its
    weights: they live in ``config.json``.

    Args:
        config: Names the bands and channels and holds the scaling.
    """

    mean: torch.Tensor
    std: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.bands = list(config.bands)
        self.channels = list(config.channels)
        self.statistics = config.scaling.statistics
        for name in ("mean", "std", "low", "high"):
            numbers = getattr(config.scaling, name)
            buffer = torch.tensor(numbers, dtype=torch.float32)[:, None, None]
            self.register_buffer(name, buffer, persistent=False)

    @property
    def views(self) -> int:
        """How many views of each patch the network sees: 2 with both statistics, 1 in training."""
        return 2 if self.statistics == "both" and not self.training else 1

    def derive(self, values: torch.Tensor) -> torch.Tensor:
        """Channels (N, C, H, W), float32, unscaled, from bands (N, B, H, W)."""
        values = values.float()
        return torch.stack([self._channel(values, name) for name in self.channels], dim=1)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Scaled channels (V x N, C, H, W), float32, from bands (N, B, H, W).

        V is the number of :attr:`views` of each patch; where it is 2, the patches
        scaled by the train patches' statistics come first. In training, with both
        statistics, every other patch of a batch is scaled by its own.
        """
        with torch.autocast(values.device.type, enabled=False):
            channels = self.derive(values).clamp(self.low, self.high)
            if self.statistics == "patch":
                return self._by_patch(channels)
            by_train = (channels - self.mean) / self.std
            if self.statistics == "train":
                return by_train
            if not self.training:
                return torch.cat([by_train, self._by_patch(channels)])
            own = torch.arange(len(channels), device=channels.device) % 2 == 1
            return torch.where(own[:, None, None, None], self._by_patch(channels), by_train)

    def _by_patch(self, channels: torch.Tensor) -> torch.Tensor:
        deviation, mean = torch.std_mean(channels, dim=(2, 3), keepdim=True)
        # A channel without texture stays flat instead of turning noise into contrast.
        return (channels - mean) / torch.maximum(deviation, 0.05 * self.std)

    def _channel(self, values: torch.Tensor, name: str) -> torch.Tensor:
        if name not in INDICES:
            return values[:, self.bands.index(name)]
        first, second = (values[:, self.bands.index(b)] for b in INDICES[name])
        total = first + second
        # Where both bands are 0 the index is undefined; 0 is neither plant nor water.
        return torch.where(total == 0, 0.0, (first - second) / torch.where(total == 0, 1.0, total))
