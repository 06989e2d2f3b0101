"""Losses on logits, for masks in which landslides are a few per cent of the pixels."""

from __future__ import annotations

import torch
from segmentation_models_pytorch.losses import BINARY_MODE, DiceLoss
from torch import nn
from torch.nn import functional

from landslide_zoo.training.config import TrainConfig


class WeightedBceDice(nn.Module):
    """The paper's loss, (1 - a) weighted BCE + a Dice.

    The weight multiplies the cross-entropy of landslide pixels alone; a weight
    on every pixel would only scale the loss.

    Args:
        dice_share: The a of the formula.
        landslide_weight: Weight on landslide pixels.
    """

    landslide_weight: torch.Tensor

    def __init__(self, dice_share: float = 0.5, landslide_weight: float = 5.0) -> None:
        super().__init__()
        self.dice_share = dice_share
        self.dice = DiceLoss(BINARY_MODE, from_logits=True)
        self.register_buffer("landslide_weight", torch.tensor(landslide_weight), persistent=False)

    def forward(self, logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Loss, a scalar, of logits (N, 1, H, W) against masks (N, 1, H, W) from 0 to 1."""
        bce = functional.binary_cross_entropy_with_logits(
            logits, mask, pos_weight=self.landslide_weight
        )
        return (1 - self.dice_share) * bce + self.dice_share * self.dice(logits, mask)


def build_loss(config: TrainConfig) -> nn.Module:
    """The configured loss: ``bce`` is plain cross-entropy, ``weighted-bce-dice`` the paper's."""
    if config.loss == "bce":
        return nn.BCEWithLogitsLoss()
    return WeightedBceDice(config.dice_share, config.landslide_weight)
