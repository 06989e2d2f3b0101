"""The study's plain U-Net: no pretrained encoder, 64 to 1,024 channels wide."""

from __future__ import annotations

import torch
from torch import nn

WIDTHS = (64, 128, 256, 512, 1024)


class PlainUnet(nn.Module):
    """U-Net of Ronneberger et al. (2015) with batch normalisation.

    Two 3x3 convolutions at each of five levels, max pooling on the way down,
    2x2 transposed convolutions on the way up, a 1x1 convolution at the end.

    Args:
        in_channels: Number of input channels C.
        widths: Channels at each level, from full resolution down.
    """

    def __init__(self, in_channels: int, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        inputs = (in_channels, *widths[:-1])
        self.encoder = nn.ModuleList(
            _double_convolution(i, o) for i, o in zip(inputs, widths, strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        steps = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.upsample = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, stride=2) for i, o in steps)
        self.decoder = nn.ModuleList(_double_convolution(2 * o, o) for _, o in steps)
        self.head = nn.Conv2d(widths[0], 1, 1)

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
