"""Loss by hand, the paper's formula; optimizer, schedule and averaging."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from landslide_zoo.training import TrainConfig
from landslide_zoo.training.optimisation import (
    UNOBSERVED,
    build_loss,
    build_scheduler,
)

LOGITS = torch.tensor([[[[2.0, -1.0], [0.5, -3.0]]]])
MASK = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
PROBABILITY = torch.sigmoid(LOGITS)


def config(network: str = "unet-mobilenet_v2", **settings: Any) -> TrainConfig:
    return TrainConfig(model=[network], data="patches", **settings).for_model(network)


def cross_entropy(weight: float) -> torch.Tensor:
    """-[w y log p + (1 - y) log(1 - p)], the mean over pixels."""
    return -(weight * MASK * PROBABILITY.log() + (1 - MASK) * (1 - PROBABILITY).log()).mean()


def test_the_papers_losses_are_its_formulas() -> None:
    dice = 1 - 2 * (PROBABILITY * MASK).sum() / (PROBABILITY.sum() + MASK.sum())
    paper = build_loss(config(recipe="paper"))
    torch.testing.assert_close(paper(LOGITS, MASK), 0.5 * cross_entropy(5) + 0.5 * dice)
    plain = build_loss(config("unet", recipe="paper"))
    torch.testing.assert_close(plain(LOGITS, MASK), cross_entropy(1))
    other = build_loss(config(dice_share=0.3, landslide_weight=2.0))
    torch.testing.assert_close(other(LOGITS, MASK), 0.7 * cross_entropy(2) + 0.3 * dice)


@pytest.mark.parametrize("name", ["bce", "weighted-bce-dice"])
def test_what_was_not_observed_teaches_nothing_and_ground_without_landslides_does(
    name: str,
) -> None:
    loss = build_loss(config(loss=name))
    observed = torch.ones_like(MASK, dtype=torch.bool)
    observed[..., 0] = False
    logits = LOGITS.clone().requires_grad_()
    value = loss(logits, MASK.where(observed, UNOBSERVED))
    torch.testing.assert_close(value, loss(LOGITS[..., 1:], MASK[..., 1:]))
    value.backward()
    assert logits.grad is not None and (logits.grad.ne(0) == observed).all()
    assert loss(LOGITS, torch.full_like(MASK, UNOBSERVED)) == 0
    logits = torch.zeros(2, 1, 8, 8, requires_grad=True)
    loss(logits, torch.zeros(2, 1, 8, 8)).backward()
    assert logits.grad is not None and (logits.grad > 0).all()


@pytest.mark.parametrize("steps", [1, 5, 6, 100])
def test_one_cycle_rises_and_falls_over_any_number_of_updates(steps: int) -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = build_scheduler(optimizer, config(), steps)
    rates = []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    assert rates[0] == pytest.approx(0.1 / 25) and max(rates) <= 0.1 + 1e-9
    if steps == 100:
        assert rates.index(max(rates)) == 19 and rates[-1] < 1e-3
