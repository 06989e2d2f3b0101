"""Optimizer, learning-rate schedule and moving average of the weights."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from landslide_zoo.inference.model import LandslideModel
from landslide_zoo.training.config import TrainConfig


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
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
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
