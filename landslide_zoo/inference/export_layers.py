"""What ONNX has no operator for, or what an exported model does besides the network."""

from __future__ import annotations

import torch
from torch import nn

from landslide_zoo.data.bands import HANDFUL, SPREAD, STEP, TRUE_COLOUR, divisors


class AdaptivePooling(nn.Module):
    """``nn.AdaptiveAvgPool2d`` as two matrix products, which any input size allows.

    ONNX can pool adaptively only where the output's side divides an input's side
    that is known beforehand.

    Args:
        side: Height and width of the output.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    @classmethod
    def replace(cls, module: nn.Module) -> None:
        """Put it in the place of each adaptive pooling to more than one pixel."""
        for name, child in module.named_children():
            side = child.output_size if isinstance(child, nn.AdaptiveAvgPool2d) else None
            if isinstance(side, int) and side > 1:
                setattr(module, name, cls(side))
            else:
                cls.replace(child)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Means (N, C, side, side) of equal parts of (N, C, H, W)."""
        return self._means(x.shape[2], x) @ x @ self._means(x.shape[3], x).T

    def _means(self, length: int, like: torch.Tensor) -> torch.Tensor:
        """Weights (side, length) of the pixels in each part's mean."""
        pixel = torch.arange(length, device=like.device)[None]
        part = torch.arange(self.side, device=like.device)[:, None]
        first = part * length // self.side
        end = ((part + 1) * length + self.side - 1) // self.side
        inside = ((pixel >= first) & (pixel < end)).to(like.dtype)
        return inside / inside.sum(dim=1, keepdim=True)


class DisplayValues(nn.Module):
    """``data.bands.display_values`` for a batch, in float64 as there."""

    divisors: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("divisors", torch.from_numpy(divisors(TRUE_COLOUR)), persistent=False)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Display values (N, 3, H, W), float32, from B4, B3, B2 in digital numbers."""
        v = values.double() / self.divisors
        peak = self._brightest(v)[:, None, None, None]
        lit = peak > 0
        steps = torch.floor(255.0 * torch.minimum(v.clamp(min=0), peak) / torch.where(lit, peak, 1))
        return torch.where(lit, steps / 255.0, 0.0).float()

    @staticmethod
    def _brightest(v: torch.Tensor) -> torch.Tensor:
        """``data.bands.brightest`` of each patch, shape (N,)."""
        pixels = v.amax(dim=1).flatten(1)
        # A tensor, so that a traced graph keeps the dependence on the size.
        handful = torch.as_tensor(pixels.shape[1] // 1000).clamp(min=HANDFUL)
        ascending = pixels.sort(dim=1).values[:, -handful - 1 :]
        darkest, rest = ascending[:, :1], ascending[:, 1:]
        far = (rest > STEP * ascending[:, :-1]) | (rest > SPREAD * darkest)
        near = torch.cumsum(far.long(), dim=1) == 0
        usual = torch.where(near, rest, darkest).amax(dim=1)
        return torch.where(darkest[:, 0] > 0, usual, ascending[:, -1])


class DigitalNumbers(nn.Module):
    """What a raster held before it was divided by 255.

    Args:
        whole: Whether the values are whole numbers, which the division left inexact.
    """

    def __init__(self, whole: bool) -> None:
        super().__init__()
        self.whole = whole

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values times 255, of any shape."""
        numbers = values * 255.0
        return numbers.round() if self.whole else numbers
