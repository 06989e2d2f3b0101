"""Optimiser, schedule and averaging, for every network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from landslide_zoo.models import catalog
from landslide_zoo.models.model import LandslideModel
from landslide_zoo.training.optimisation import build_average, build_optimiser, build_schedule
from landslide_zoo.training.recipes import PAPER, STANDARD


@pytest.mark.parametrize("name", list(catalog.names()))
def test_a_gradient_reaches_every_weight_that_is_trained(name: str) -> None:
    # Several processes wait for the gradient of each weight.
    model = LandslideModel.from_catalog(name).train()
    values = torch.rand(2, len(model.config.bands), 32, 32) * 1000
    model(values).sum().backward()
    without = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is None
    ]
    assert without == []


def test_the_encoder_has_a_learning_rate_of_its_own() -> None:
    model = LandslideModel.from_catalog("unet-mobilenet_v2")
    optimiser = build_optimiser(model, replace(STANDARD, learning_rate=0.01, encoder_rate=0.1))
    rest, encoder = optimiser.param_groups
    assert (rest["lr"], encoder["lr"]) == (0.01, pytest.approx(0.001))
    ids = {id(parameter) for parameter in model.network.get_submodule("encoder").parameters()}
    assert {id(parameter) for parameter in encoder["params"]} == ids
    assert len(rest["params"]) + len(encoder["params"]) == len(list(model.parameters()))
    (only,) = build_optimiser(LandslideModel.from_catalog("unet"), STANDARD).param_groups
    assert only["lr"] == STANDARD.learning_rate


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6, 7, 10, 100])
def test_one_cycle_rises_and_falls_over_any_number_of_updates(steps: int) -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.AdamW([{"params": [weight], "lr": 0.1}])
    schedule = build_schedule(optimiser, STANDARD, steps)
    rates = []
    for _ in range(steps):
        rates.append(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
    assert rates[0] == pytest.approx(0.1 / 25)
    assert max(rates) <= 0.1 + 1e-9
    if steps == 100:
        peak = rates.index(max(rates))
        assert peak == 19 and max(rates) == pytest.approx(0.1)
        assert rates[: peak + 1] == sorted(rates[: peak + 1])
        assert rates[peak:] == sorted(rates[peak:], reverse=True) and rates[-1] < 1e-3


def test_constant_stays() -> None:
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = build_schedule(optimiser, PAPER, 10)
    for _ in range(10):
        optimiser.step()
        schedule.step()
    assert schedule.get_last_lr() == [0.1]


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_the_average_moves_by_its_decay_from_the_first_weights_on(decay: float) -> None:
    model = LandslideModel.from_catalog("unet-mobilenet_v2")
    average = build_average(model, replace(STANDARD, averaging=decay))
    batch_mean = "network.encoder.features.0.1.running_mean"
    for value, expected in ((1.0, 1.0), (3.0, decay * 1 + (1 - decay) * 3)):
        with torch.no_grad():
            for tensor in (*model.parameters(), dict(model.named_buffers())[batch_mean]):
                tensor.fill_(value)
        average.update_parameters(model)
        averaged = average.module.state_dict()
        for name in (batch_mean, "network.segmentation_head.0.weight"):
            torch.testing.assert_close(averaged[name], torch.full_like(averaged[name], expected))
