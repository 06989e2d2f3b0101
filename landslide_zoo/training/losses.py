"""Losses on logits, for masks in which landslides are a few per cent of the pixels."""

from __future__ import annotations

import torch
from segmentation_models_pytorch.losses import BINARY_MODE, DiceLoss, LovaszLoss, TverskyLoss
from torch import nn
from torch.nn import functional

from landslide_zoo.training.recipes import Recipe


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
        """Loss, a scalar, of logits (N, 1, H, W) against masks (N, 1, H, W) of 0 and 1."""
        bce = functional.binary_cross_entropy_with_logits(
            logits, mask, pos_weight=self.landslide_weight
        )
        return (1 - self.dice_share) * bce + self.dice_share * self.dice(logits, mask)


class FocalTversky(TverskyLoss):
    """The loss of Abraham and Khan (2019): (1 - Tversky index) to a power below 1.

    Of a batch without landslides the base is 0, where the power has no finite
    slope: there the loss is constant, and its gradient 0.
    """

    def aggregate_loss(self, loss: torch.Tensor) -> torch.Tensor:
        """The mean over channels, kept off 0, to the power."""
        return loss.mean().clamp_min(1e-6) ** self.gamma


def build_loss(recipe: Recipe) -> nn.Module:
    """The loss that a recipe names.

    ``bce`` is plain cross-entropy; ``weighted-bce-dice`` the paper's;
    ``focal-tversky`` that of Abraham and Khan (2019), with 0.3 on false and 0.7
    on missed landslides and exponent 3/4; ``lovasz`` that of Berman et al. (2018).
    """
    if recipe.loss == "bce":
        return nn.BCEWithLogitsLoss()
    if recipe.loss == "focal-tversky":
        return FocalTversky(BINARY_MODE, alpha=0.3, beta=0.7, gamma=0.75)
    if recipe.loss == "lovasz":
        return LovaszLoss(BINARY_MODE)
    return WeightedBceDice(recipe.dice_share, recipe.landslide_weight)
