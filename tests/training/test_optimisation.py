"""Optimizer, schedule and averaging."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from landslide_zoo.inference.model import LandslideModel
from landslide_zoo.training import TrainConfig
from landslide_zoo.training.optimisation import build_ema, build_optimizer, build_scheduler


def config(**settings: Any) -> TrainConfig:
    return TrainConfig(model=["unet"], data="patches", **settings)


def test_the_encoder_has_a_learning_rate_of_its_own() -> None:
    model = LandslideModel.from_catalog("unet-mobilenet_v2")
    optimizer = build_optimizer(model, config(learning_rate=0.01, encoder_lr_factor=0.1))
    rest, encoder = optimizer.param_groups
    assert (rest["lr"], encoder["lr"]) == (0.01, pytest.approx(0.001))
    ids = {id(parameter) for parameter in model.network.get_submodule("encoder").parameters()}
    assert {id(parameter) for parameter in encoder["params"]} == ids
    assert len(rest["params"]) + len(encoder["params"]) == len(list(model.parameters()))
    (only,) = build_optimizer(LandslideModel.from_catalog("unet"), config()).param_groups
    assert only["lr"] == config().learning_rate


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6, 7, 10, 100])
def test_one_cycle_rises_and_falls_over_any_number_of_updates(steps: int) -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([{"params": [weight], "lr": 0.1}])
    scheduler = build_scheduler(optimizer, config(), steps)
    rates = []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    assert rates[0] == pytest.approx(0.1 / 25)
    assert max(rates) <= 0.1 + 1e-9
    if steps == 100:
        peak = rates.index(max(rates))
        assert peak == 19 and max(rates) == pytest.approx(0.1)
        assert rates[: peak + 1] == sorted(rates[: peak + 1])
        assert rates[peak:] == sorted(rates[peak:], reverse=True) and rates[-1] < 1e-3


def test_constant_stays() -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = build_scheduler(optimizer, config(schedule="constant"), 10)
    for _ in range(10):
        optimizer.step()
        scheduler.step()
    assert scheduler.get_last_lr() == [0.1]


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_the_average_moves_by_its_decay_from_the_first_weights_on(decay: float) -> None:
    model = LandslideModel.from_catalog("unet-mobilenet_v2")
    ema = build_ema(model, config(ema_decay=decay))
    batch_mean = "network.encoder.features.0.1.running_mean"
    for value, expected in ((1.0, 1.0), (3.0, decay * 1 + (1 - decay) * 3)):
        with torch.no_grad():
            for tensor in (*model.parameters(), dict(model.named_buffers())[batch_mean]):
                tensor.fill_(value)
        ema.update_parameters(model)
        averaged = ema.module.state_dict()
        for name in (batch_mean, "network.segmentation_head.0.weight"):
            torch.testing.assert_close(averaged[name], torch.full_like(averaged[name], expected))
