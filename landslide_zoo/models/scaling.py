"""From a patch's values to what the network sees: indices, clipping, statistics."""

from __future__ import annotations

import torch
from torch import nn

from landslide_zoo.data.bands import INDICES
from landslide_zoo.models.config import ModelConfig


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
        first, second = (values[:, self.bands.index(b)] for b in INDICES[name].bands)
        total = first + second
        # Where both bands are 0 the index is undefined; 0 is neither plant nor water.
        return torch.where(total == 0, 0.0, (first - second) / torch.where(total == 0, 1.0, total))
