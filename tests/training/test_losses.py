"""Losses, by hand: the paper's formula, and what the weight acts on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from landslide_zoo.training import TrainConfig
from landslide_zoo.training.losses import UNOBSERVED, build_loss

LOGITS = torch.tensor([[[[2.0, -1.0], [0.5, -3.0]]]])
MASK = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
PROBABILITY = torch.sigmoid(LOGITS)


def loss_of(network: str = "unet-resnet34", **settings: Any) -> nn.Module:
    return build_loss(TrainConfig(model=[network], data="patches", **settings).for_model(network))


def cross_entropy(weight: float) -> torch.Tensor:
    """-[w y log p + (1 - y) log(1 - p)], the mean over pixels."""
    p, y = PROBABILITY, MASK
    return -(weight * y * p.log() + (1 - y) * (1 - p).log()).mean()


def dice() -> torch.Tensor:
    """1 - 2 sum(p y) / (sum p + sum y)."""
    return 1 - 2 * (PROBABILITY * MASK).sum() / (PROBABILITY.sum() + MASK.sum())


def test_the_papers_losses_are_its_formulas() -> None:
    paper = loss_of(recipe="paper")
    torch.testing.assert_close(paper(LOGITS, MASK), 0.5 * cross_entropy(5) + 0.5 * dice())
    plain = loss_of("unet", recipe="paper")
    torch.testing.assert_close(plain(LOGITS, MASK), cross_entropy(1))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_of_dice(share: float) -> None:
    loss = loss_of(dice_share=share, landslide_weight=2.0)(LOGITS, MASK)
    torch.testing.assert_close(loss, (1 - share) * cross_entropy(2) + share * dice())


def test_the_weight_acts_on_landslide_pixels_alone() -> None:
    def gradient(weight: float) -> torch.Tensor:
        logits = LOGITS.clone().requires_grad_()
        loss_of(dice_share=0.0, landslide_weight=weight)(logits, MASK).backward()
        assert logits.grad is not None
        return logits.grad

    once, five_times = gradient(1.0), gradient(5.0)
    torch.testing.assert_close(five_times[MASK == 1], 5 * once[MASK == 1])
    torch.testing.assert_close(five_times[MASK == 0], once[MASK == 0])


@pytest.mark.parametrize("name", ["bce", "weighted-bce-dice"])
def test_what_was_not_observed_teaches_nothing(name: str) -> None:
    observed = torch.ones_like(MASK, dtype=torch.bool)
    observed[..., 0] = False
    logits = LOGITS.clone().requires_grad_()
    loss = loss_of(loss=name)(logits, MASK.where(observed, UNOBSERVED))
    loss.backward()
    seen = loss_of(loss=name)(LOGITS[..., 1:], MASK[..., 1:])
    torch.testing.assert_close(loss, seen)
    assert logits.grad is not None and (logits.grad.ne(0) == observed).all()
    nothing = loss_of(loss=name)(LOGITS, torch.full_like(MASK, UNOBSERVED))
    assert nothing == 0


@pytest.mark.parametrize("name", ["bce", "weighted-bce-dice"])
def test_a_batch_without_landslides_still_teaches(name: str) -> None:
    logits = torch.zeros(2, 1, 8, 8, requires_grad=True)
    loss_of(loss=name)(logits, torch.zeros(2, 1, 8, 8)).backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()
    assert (logits.grad > 0).all()
