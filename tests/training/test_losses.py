"""Losses, by hand: the paper's formula, and what the weight acts on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from landslide_zoo.training.losses import WeightedBceDice, build_loss
from landslide_zoo.training.recipes import STANDARD, recipe_for

LOGITS = torch.tensor([[[[2.0, -1.0], [0.5, -3.0]]]])
MASK = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
PROBABILITY = torch.sigmoid(LOGITS)


def cross_entropy(weight: float) -> torch.Tensor:
    """-[w y log p + (1 - y) log(1 - p)], the mean over pixels."""
    p, y = PROBABILITY, MASK
    return -(weight * y * p.log() + (1 - y) * (1 - p).log()).mean()


def dice() -> torch.Tensor:
    """1 - 2 sum(p y) / (sum p + sum y)."""
    return 1 - 2 * (PROBABILITY * MASK).sum() / (PROBABILITY.sum() + MASK.sum())


def test_the_papers_loss_is_its_formula() -> None:
    recipe = recipe_for("unet-resnet34", "paper")
    assert (recipe.loss, recipe.dice_share, recipe.landslide_weight) == (
        "weighted-bce-dice",
        0.5,
        5.0,
    )
    loss = build_loss(recipe)(LOGITS, MASK)
    torch.testing.assert_close(loss, 0.5 * cross_entropy(5) + 0.5 * dice())


def test_the_papers_plain_unet_has_plain_cross_entropy() -> None:
    loss = build_loss(recipe_for("unet", "paper"))(LOGITS, MASK)
    torch.testing.assert_close(loss, cross_entropy(1))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_of_dice(share: float) -> None:
    loss = WeightedBceDice(share, 2.0)(LOGITS, MASK)
    torch.testing.assert_close(loss, (1 - share) * cross_entropy(2) + share * dice())


def test_the_weight_acts_on_landslide_pixels_alone() -> None:
    def gradient(weight: float) -> torch.Tensor:
        logits = LOGITS.clone().requires_grad_()
        WeightedBceDice(0.0, weight)(logits, MASK).backward()
        assert logits.grad is not None
        return logits.grad

    once, five_times = gradient(1.0), gradient(5.0)
    torch.testing.assert_close(five_times[MASK == 1], 5 * once[MASK == 1])
    torch.testing.assert_close(five_times[MASK == 0], once[MASK == 0])


def test_focal_tversky_weighs_missed_landslides_more() -> None:
    loss = build_loss(replace(STANDARD, loss="focal-tversky"))
    p, y = PROBABILITY, MASK
    found, false, missed = (p * y).sum(), (p * (1 - y)).sum(), ((1 - p) * y).sum()
    expected = (1 - found / (found + 0.3 * false + 0.7 * missed)) ** 0.75
    torch.testing.assert_close(loss(LOGITS, MASK), expected, rtol=1e-4, atol=1e-5)


def test_lovasz_is_0_on_a_safe_answer_and_falls_on_the_way() -> None:
    loss = build_loss(replace(STANDARD, loss="lovasz"))
    sure = (2 * MASK - 1) * 10
    assert loss(sure, MASK) == 0
    assert loss(0.5 * sure / 10, MASK) < loss(-0.5 * sure / 10, MASK)


@pytest.mark.parametrize("name", ["bce", "weighted-bce-dice", "focal-tversky", "lovasz"])
def test_a_batch_without_landslides_still_teaches(name: str) -> None:
    logits = torch.zeros(2, 1, 8, 8, requires_grad=True)
    build_loss(replace(STANDARD, loss=name))(logits, torch.zeros(2, 1, 8, 8)).backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()
    if name in ("bce", "weighted-bce-dice"):
        assert (logits.grad > 0).all()
