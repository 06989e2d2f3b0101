from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from landslide_zoo import LandslideModel
from landslide_zoo.evaluation.calibration import Reliability, fit_temperature
from landslide_zoo.evaluation.evaluate import evaluate
from landslide_zoo.evaluation.labelled import LabelledSet


def test_said_and_seen_are_means_over_each_bin() -> None:
    probability = np.array([0.0, 0.05, 0.5, 0.52, 1.0], np.float32)
    reliability = Reliability.of(probability, np.array([0, 1, 1, 0, 1]))
    assert reliability.table[:, 0].tolist() == [2, *[0] * 6, 2, *[0] * 6, 1]
    assert reliability.said[[0, 7, 14]] == pytest.approx([0.025, 0.51, 1.0])
    assert reliability.seen[[0, 7, 14]] == pytest.approx([0.5, 0.5, 1.0])
    assert np.isnan(reliability.said[3])
    # |0.025 - 0.5| x 2/5 + |0.51 - 0.5| x 2/5 + 0
    assert reliability.error == pytest.approx(0.194)


def test_honest_probabilities_have_next_to_no_error() -> None:
    random = np.random.default_rng(0)
    probability = random.random(400_000, dtype=np.float32)
    truth = random.random(400_000) < probability
    assert Reliability.of(probability, truth).error < 0.005
    assert Reliability.of(probability**3, truth).error > 0.1


@pytest.fixture
def honest(model: LandslideModel, labelled: LabelledSet) -> LabelledSet:
    """The patches with masks drawn from the model's own probabilities."""
    random = np.random.default_rng(1)
    masks = []
    for patch in labelled:
        probability = model.predict(patch).probability
        masks.append((random.random(probability.shape) < probability).astype(np.uint8))
    return replace(labelled, read=lambda i: replace(labelled.read(i), mask=masks[i]))


@pytest.mark.parametrize("factor", [0.4, 3.0])
def test_the_temperature_undoes_what_logits_were_multiplied_by(
    honest: LabelledSet, make_model: Callable[..., LandslideModel], factor: float
) -> None:
    """A model whose probabilities were right before its logits were multiplied."""
    wrong = make_model()
    with torch.no_grad():
        for parameter in wrong.network.segmentation_head[0].parameters():
            parameter.mul_(factor)
    before = evaluate(wrong, honest)
    temperature = fit_temperature(wrong, honest)
    assert temperature == pytest.approx(factor, rel=0.1)
    after = evaluate(wrong.with_config(temperature=temperature), honest)
    assert after.calibration_error < 0.3 * before.calibration_error
    # What is in front of what stays so: the curve is the same but for its steps.
    assert after.average_precision == pytest.approx(before.average_precision, abs=0.01)


def test_a_temperature_that_is_there_already_is_counted_in(
    honest: LabelledSet, make_model: Callable[..., LandslideModel]
) -> None:
    hot = make_model(temperature=2.0)
    assert fit_temperature(hot, honest) == pytest.approx(0.5, rel=0.1)


def test_a_model_that_is_right_already_is_left_alone(
    honest: LabelledSet, model: LandslideModel
) -> None:
    assert fit_temperature(model, honest) == pytest.approx(1, abs=0.05)


def test_the_same_seed_draws_the_same_pixels(model: LandslideModel, labelled: LabelledSet) -> None:
    assert fit_temperature(model, labelled, seed=3) == fit_temperature(model, labelled, seed=3)
