"""Counts, the figures made from them and their intervals, against doing it the long way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from landslide_zoo.data.landslide4sense import place
from landslide_zoo.data.patch import Grid, Patch
from landslide_zoo.evaluation import LabelledPatches, PixelCounts, fit_temperature
from landslide_zoo.evaluation.metrics import (
    FEWEST_BLOCKS,
    SIZE_NAMES,
    THRESHOLDS,
    Bootstrap,
    Reliability,
    block_of,
    count_landslides,
)
from landslide_zoo.inference.predict import Scores
from landslide_zoo.models.config import PredictorConfig

RANDOM = np.random.default_rng(0)
# Some probabilities exactly on a threshold, 0 and 1 among them, and truths that go along.
PROBABILITY = np.where(
    RANDOM.random((40, 50)) < 0.3,
    RANDOM.integers(0, THRESHOLDS + 1, (40, 50)) / THRESHOLDS,
    RANDOM.random((40, 50)),
).astype(np.float32)
TRUTH = (RANDOM.random((40, 50)) < 0.05 + 0.3 * PROBABILITY).astype(np.uint8)


def pooled(
    probability: np.ndarray = PROBABILITY, truth: np.ndarray = TRUTH, *observed: np.ndarray
) -> PixelCounts:
    counts = PixelCounts()
    for part in (slice(0, 7), slice(7, None)):  # as of two patches
        counts.add(probability[part], truth[part], *(each[part] for each in observed))
    return counts


@pytest.mark.parametrize("k", [0, 1, 100, 128, 256])
def test_pooled_scores_are_those_of_all_pixels_at_the_threshold(k: int) -> None:
    scores = pooled().scores(k / THRESHOLDS)
    assert scores == Scores.of_masks(np.float32(k / THRESHOLDS) <= PROBABILITY, TRUTH)
    with pytest.raises(ValueError, match="multiple of 1/256"):
        pooled().scores(0.1)


def test_precision_recall_f1_and_iou_by_hand() -> None:
    scores = Scores(true_positives=6, false_positives=2, false_negatives=4, true_negatives=88)
    assert (scores.precision, scores.recall, scores.iou) == (6 / 8, 6 / 10, 6 / 12)
    assert scores.f1 == pytest.approx(2 * (6 / 8) * (6 / 10) / (6 / 8 + 6 / 10))
    nothing = Scores(0, 0, 0, 100)
    assert (nothing.precision, nothing.recall, nothing.f1, nothing.iou) == (0, 0, 0, 0)


def test_the_best_threshold_is_that_of_trying_them_all_and_the_middle_one() -> None:
    f1 = {k / 256: pooled().scores(k / 256).f1 for k in range(1, 257)}
    assert f1[pooled().best_threshold()] == max(f1.values())
    apart = np.array([0.1] * 50 + [0.9] * 5, np.float32)
    assert pooled(apart, apart > 0.5).best_threshold() == pytest.approx(0.5, abs=0.01)


def test_average_precision_is_the_sum_over_thresholds() -> None:
    total, before = 0.0, 0.0
    for k in range(256, -1, -1):
        scores = pooled().scores(k / 256)
        total += (scores.recall - before) * scores.precision
        before = scores.recall
    assert pooled().average_precision() == pytest.approx(total)
    blind = np.full(TRUTH.shape, 0.5, np.float32)
    assert pooled(blind).average_precision() == TRUTH.mean()
    assert pooled(blind, 0 * TRUTH).average_precision() == 0


def test_reliability_holds_means_over_each_bin() -> None:
    probability = np.array([0.0, 0.05, 0.5, 0.52, 1.0], np.float32)
    reliability = Reliability.of(probability, np.array([0, 1, 1, 0, 1]))
    means = reliability.table[[0, 7, 14], 1:] / reliability.table[[0, 7, 14], :1]
    assert means == pytest.approx(np.array([[0.025, 0.5], [0.51, 0.5], [1, 1]]))
    # |0.025 - 0.5| x 2/5 + |0.51 - 0.5| x 2/5 + 0
    assert reliability.error == pytest.approx(0.194)


class Honest:
    """Logits whose probabilities were right before the logits were multiplied."""

    config = PredictorConfig(name="honest", bands=["B4"], unit="physical", threshold=0.5)

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def logits(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self.factor * (values[:, 0] / 200 - 3))


def test_the_temperature_undoes_what_logits_were_multiplied_by(dataset: LabelledPatches) -> None:
    patches: list[Patch] = []
    for patch in dataset:
        p = 1 / (1 + np.exp(-Honest(1.0).logits(patch.select(["B4"])[None])[0].numpy()))
        patches.append(replace(patch, mask=(RANDOM.random(p.shape) < p).astype(np.uint8)))
    for factor in (0.4, 3.0):
        assert fit_temperature(Honest(factor), patches) == pytest.approx(factor, rel=0.15)
    half = np.arange(48) < 24
    wrong = [replace(p, mask=np.where(half, 1 - p.mask, p.mask).astype(np.uint8)) for p in patches]
    seen = [replace(p, observed=np.broadcast_to(~half, p.size)) for p in wrong]
    assert fit_temperature(Honest(3.0), seen) == pytest.approx(3.0, rel=0.2)
    assert fit_temperature(Honest(3.0), wrong) != pytest.approx(3.0, rel=0.2)


def test_a_landslide_is_found_if_half_of_it_is_and_has_the_size_that_is_observed() -> None:
    truth = np.zeros((64, 64), np.uint8)
    truth[2:12, 2:12] = 1

    def only(mask: np.ndarray, **how: object) -> tuple[str, list[int]]:
        counted = count_landslides(mask, truth, **how)
        (k,) = np.flatnonzero(counted[:, 0])
        return SIZE_NAMES[k], counted[k].tolist()

    half = truth.copy()
    half[7:] = 0
    assert only(half) == ("1 to 5 ha", [1, 1, 100, 50])
    assert only(half, grid=Grid(pixel_size=(30.0, 30.0)))[0] == "5 ha and more"
    half[2, 2] = 0
    assert only(half) == ("1 to 5 ha", [1, 0, 100, 49])
    assert only(half, observed=np.arange(64)[:, None] < [7] * 64) == (
        "0.5 to 1 ha",
        [1, 1, 50, 49],
    )


def mean_of(total: np.ndarray) -> float:
    return float(total[0] / total[1])


def test_a_draw_is_the_sum_of_whole_blocks() -> None:
    """Against the long way: draw the blocks one by one with the same generator."""
    counted = RANDOM.integers(1, 9, (12, 2, 3))
    totals = Bootstrap([f"block {i % 6}" for i in range(12)], seed=3, resamples=5).totals(counted)
    assert totals is not None
    sums = [counted[block::6].sum(axis=0) for block in range(6)]
    for total, draw in zip(totals, np.random.default_rng(3).integers(6, size=(5, 6)), strict=True):
        np.testing.assert_array_equal(total, sum(sums[block] for block in draw))


def test_the_interval_covers_the_truth_as_often_as_it_says_and_neighbours_widen_it() -> None:
    covered = 0
    for _ in range(100):
        counted = np.stack([RANDOM.binomial(50, 0.3, 40), np.full(40, 50)], axis=1)
        interval = Bootstrap(range(40), resamples=300).interval(counted, mean_of)
        assert interval is not None
        covered += interval[0] <= 0.3 <= interval[1]
    assert 0.85 <= covered / 100 <= 1
    counted = np.repeat(counted, 10, axis=0)
    one_by_one = Bootstrap(range(400)).interval(counted, mean_of)
    in_blocks = Bootstrap([i // 10 for i in range(400)]).interval(counted, mean_of)
    assert one_by_one is not None and in_blocks is not None
    assert in_blocks[1] - in_blocks[0] > 2 * (one_by_one[1] - one_by_one[0])
    counted[10 * (FEWEST_BLOCKS - 1) :] = 0  # too few blocks hold anything
    assert Bootstrap([i // 10 for i in range(400)]).interval(counted, mean_of) is None


@pytest.mark.parametrize(
    ("second", "together"),
    [(4, True), (5, False), (1 + 3 * 41, True), (1 + 4 * 41, False), (3034, False)],
)
def test_a_block_is_a_square_of_a_region(second: int, together: bool) -> None:
    assert (block_of(place(1), 1) == block_of(place(second), second)) is together
    assert block_of(None, 1) != block_of(None, second)
