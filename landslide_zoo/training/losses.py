"""Losses on logits, for masks in which landslides are a few per cent of the pixels.

A target is from 0 to 1, or :data:`UNOBSERVED`: what could not be seen teaches nothing.
"""

from __future__ import annotations

import torch
from segmentation_models_pytorch.losses import BINARY_MODE, DiceLoss
from torch import nn
from torch.nn import functional

from landslide_zoo.training.config import TrainConfig

UNOBSERVED = -1
"""Target of a pixel that could not be seen."""


class WeightedBce(nn.Module):
    """Cross-entropy, the mean over the observed pixels.

    Args:
        landslide_weight: Weight on landslide pixels alone, if any; one on every pixel would
            only scale the loss.
    """

    landslide_weight: torch.Tensor | None

    def __init__(self, landslide_weight: float | None = None) -> None:
        super().__init__()
        weight = None if landslide_weight is None else torch.tensor(landslide_weight)
        self.register_buffer("landslide_weight", weight, persistent=False)

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Loss, a scalar, of logits (N, 1, H, W) against targets (N, 1, H, W)."""
        observed = (target != UNOBSERVED).to(logits.dtype)
        mean = functional.binary_cross_entropy_with_logits(
            logits, target.clamp(min=0), observed, pos_weight=self.landslide_weight
        )
        # Over the observed pixels alone: times 1 where that is all of them.
        return mean * (observed.numel() / observed.sum().clamp(min=1))


class WeightedBceDice(nn.Module):
    """The paper's loss, (1 - a) weighted BCE + a Dice.

    Args:
        dice_share: The a of the formula.
        landslide_weight: Weight on landslide pixels in BCE.
    """

    def __init__(self, dice_share: float, landslide_weight: float) -> None:
        super().__init__()
        self.dice_share = dice_share
        self.bce = WeightedBce(landslide_weight)
        self.dice = DiceLoss(BINARY_MODE, from_logits=True, ignore_index=UNOBSERVED)

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Loss, a scalar, of logits (N, 1, H, W) against targets (N, 1, H, W)."""
        bce, dice = self.bce(logits, target), self.dice(logits, target)
        return (1 - self.dice_share) * bce + self.dice_share * dice


def build_loss(config: TrainConfig) -> nn.Module:
    """The configured loss: ``bce`` is plain cross-entropy, ``weighted-bce-dice`` the paper's."""
    if config.loss == "bce":
        return WeightedBce()
    return WeightedBceDice(config.dice_share, config.landslide_weight)
