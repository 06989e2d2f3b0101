"""Loss, optimizer, learning-rate schedule and moving average of the weights.

A target is from 0 to 1, or :data:`UNOBSERVED`: what could not be seen teaches nothing.
"""

from __future__ import annotations

import torch
from segmentation_models_pytorch.losses import BINARY_MODE, DiceLoss
from torch import nn
from torch.nn import functional
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from landslide_zoo.inference.model import LandslideModel
from landslide_zoo.training.config import TrainConfig

UNOBSERVED = -1
"""Target of a pixel that could not be seen."""


class WeightedBceDice(nn.Module):
    """The paper's loss, (1 - a) weighted BCE + a Dice.

    Both are over the observed pixels alone.

    Args:
        dice_share: The a of the formula.
        landslide_weight: Weight on landslide pixels in BCE.
    """

    landslide_weight: torch.Tensor

    def __init__(self, dice_share: float, landslide_weight: float) -> None:
        super().__init__()
        self.dice_share = dice_share
        self.register_buffer("landslide_weight", torch.tensor(landslide_weight), persistent=False)
        self.dice = DiceLoss(BINARY_MODE, from_logits=True, ignore_index=UNOBSERVED)

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Loss, a scalar, of logits (N, 1, H, W) against targets (N, 1, H, W)."""
        observed = (target != UNOBSERVED).to(logits.dtype)
        mean = functional.binary_cross_entropy_with_logits(
            logits, target.clamp(min=0), observed, pos_weight=self.landslide_weight
        )
        bce = mean * (observed.numel() / observed.sum().clamp(min=1))
        if not self.dice_share:
            return bce
        return (1 - self.dice_share) * bce + self.dice_share * self.dice(logits, target)


def build_loss(config: TrainConfig) -> nn.Module:
    """The configured loss: ``bce`` is plain cross-entropy, ``weighted-bce-dice`` the paper's."""
    if config.loss == "bce":
        return WeightedBceDice(0.0, 1.0)
    return WeightedBceDice(config.dice_share, config.landslide_weight)


def build_optimizer(model: LandslideModel, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW, with the encoder's own learning rate where the network has an encoder."""
    encoder: list[nn.Parameter] = []
    if model.config.encoder is not None:
        encoder = list(model.network.get_submodule("encoder").parameters())
    ids = {id(parameter) for parameter in encoder}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in ids]
    groups = [{"params": rest, "lr": config.learning_rate}]
    if encoder:
        rate = config.learning_rate * config.encoder_lr_factor
        groups.append({"params": encoder, "lr": rate})
    return torch.optim.AdamW(groups, weight_decay=config.weight_decay)


def build_scheduler(
    optimizer: torch.optim.Optimizer, config: TrainConfig, updates: int
) -> LRScheduler:
    """The configured learning-rate schedule over that many updates of the weights.

    One cycle rises over the first fifth of the updates and falls over the rest.
    """
    if config.schedule == "constant":
        return ConstantLR(optimizer, factor=1.0)
    rates = [group["lr"] for group in optimizer.param_groups]
    # With five steps or fewer torch's warm-up has length 0, and it divides by that length.
    return OneCycleLR(
        optimizer, rates, total_steps=max(updates, 6), pct_start=0.2, cycle_momentum=False
    )


class ModelEma(AveragedModel):
    """A model of averaged weights, in ``module``."""

    module: LandslideModel


def build_ema(model: LandslideModel, config: TrainConfig) -> ModelEma:
    """An exponential moving average of a model's weights and batch statistics."""
    return ModelEma(model, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay), use_buffers=True)
