"""Optimiser, learning-rate schedule and weight averaging of a recipe."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from landslide_zoo.models.model import LandslideModel
from landslide_zoo.training.recipes import Recipe


def build_optimiser(model: LandslideModel, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW, with the encoder's own learning rate where the network has an encoder."""
    encoder: list[nn.Parameter] = []
    if model.config.encoder is not None:
        encoder = list(model.network.get_submodule("encoder").parameters())
    ids = {id(parameter) for parameter in encoder}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in ids]
    groups = [{"params": rest, "lr": recipe.learning_rate}]
    if encoder:
        groups.append({"params": encoder, "lr": recipe.learning_rate * recipe.encoder_rate})
    return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)


def build_schedule(optimiser: torch.optim.Optimizer, recipe: Recipe, steps: int) -> LRScheduler:
    """The recipe's learning-rate schedule over that many updates.

    One cycle rises over the first fifth of the updates and falls over the rest.
    """
    rates = [group["lr"] for group in optimiser.param_groups]
    if recipe.schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
    # Over five steps torch's rise has length 0, and it divides by it.
    return OneCycleLR(
        optimiser, rates, total_steps=max(steps, 6), pct_start=0.2, cycle_momentum=False
    )


class Average(AveragedModel):
    """A model of averaged weights, in ``module``."""

    module: LandslideModel


def build_average(model: LandslideModel, recipe: Recipe) -> Average:
    """A moving average of a model's weights and batch statistics."""
    return Average(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.averaging), use_buffers=True)
