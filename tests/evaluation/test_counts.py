"""Pooled counts and the scores made from them, against counting one pixel at a time."""

from __future__ import annotations

import numpy as np
import pytest

from landslide_zoo.evaluation.counts import BINS, PixelCounts, Scores


def patches(seed: int = 0, count: int = 5) -> list[tuple[np.ndarray, np.ndarray]]:
    """Probabilities (some exactly on a threshold, 0 and 1 among them) and truths that go along."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        probability = random.random((13, 17), dtype=np.float32)
        exact = random.random((13, 17)) < 0.3
        steps = random.integers(0, BINS + 1, (13, 17)).astype(np.float32) / BINS
        probability[exact] = steps[exact]
        truth = (random.random((13, 17)) < 0.05 + 0.3 * probability).astype(np.uint8)
        made.append((probability, truth))
    return made


def pooled(made: list[tuple[np.ndarray, np.ndarray]]) -> PixelCounts:
    counts = PixelCounts()
    for probability, truth in made:
        counts.add(probability, truth)
    return counts


def brute_force(made: list[tuple[np.ndarray, np.ndarray]], threshold: float) -> Scores:
    table = {(True, 1): 0, (True, 0): 0, (False, 1): 0, (False, 0): 0}
    for probability, truth in made:
        for p, real in zip(probability.ravel(), truth.ravel(), strict=True):
            table[bool(p >= np.float32(threshold)), int(real)] += 1
    return Scores(table[True, 1], table[True, 0], table[False, 1], table[False, 0])


@pytest.mark.parametrize("k", [0, 1, 64, 100, 128, 255, 256])
def test_pooled_scores_are_those_of_counting_every_pixel(k: int) -> None:
    made = patches()
    assert pooled(made).scores(k / BINS) == brute_force(made, k / BINS)


def test_scores_of_masks_are_those_of_the_same_threshold() -> None:
    probability, truth = patches(count=1)[0]
    mask = (probability >= 0.375).astype(np.uint8)
    assert Scores.of_masks(mask, truth) == pooled([(probability, truth)]).scores(0.375)


def test_precision_recall_f1_and_iou_by_hand() -> None:
    scores = Scores(true_positives=6, false_positives=2, false_negatives=4, true_negatives=88)
    assert scores.precision == 6 / 8
    assert scores.recall == 6 / 10
    assert scores.f1 == pytest.approx(2 * (6 / 8) * (6 / 10) / (6 / 8 + 6 / 10))
    assert scores.iou == 6 / 12


def test_without_landslides_or_finds_scores_are_0_not_an_error() -> None:
    nothing = Scores(0, 0, 0, 100)
    assert (nothing.precision, nothing.recall, nothing.f1, nothing.iou) == (0, 0, 0, 0)
    counts = pooled([(np.full((4, 4), 0.3, np.float32), np.zeros((4, 4), np.uint8))])
    assert counts.average_precision() == 0
    assert 0 < counts.best_threshold() <= 1


def test_pooling_is_no_mean_of_patches() -> None:
    # One landslide of 90 pixels found, one of 10 missed: F1 of the pool 0.947, mean 0.5.
    found, missed = np.zeros((10, 10), np.uint8), np.zeros((10, 10), np.uint8)
    found.ravel()[:90], missed.ravel()[:10] = 1, 1
    counts = pooled([(found * 0.9, found), (missed * 0.1, missed)])
    assert counts.scores(0.5).f1 == pytest.approx(2 * 90 / (2 * 90 + 10))


def test_counts_add_up_in_any_order_and_over_any_number_of_processes() -> None:
    made = patches(count=6)
    whole = pooled(made).histogram
    assert whole.sum() == 6 * 13 * 17 and whole.dtype == np.int64
    for processes in (2, 3):
        shares = [pooled(made[i::processes]).histogram for i in range(processes)]
        np.testing.assert_array_equal(sum(shares), whole)


@pytest.mark.parametrize("threshold", [0.5 + 1e-9, 1 / 3, 0.1])
def test_a_threshold_between_the_bins_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="is no multiple of 1/256"):
        pooled(patches()).scores(threshold)


def test_every_threshold_is_exact_in_float32() -> None:
    # A pixel on the threshold is landslide, one just below it is not.
    for k in range(1, BINS + 1):
        threshold = np.float32(k) / np.float32(BINS)
        assert float(threshold) == k / BINS
        below = np.nextafter(threshold, np.float32(0))
        counts = pooled([(np.array([below, threshold]), np.array([1, 1]))])
        assert counts.scores(k / BINS).true_positives == 1


def test_the_best_threshold_is_that_of_trying_them_all() -> None:
    made = patches(seed=3)
    best = pooled(made).best_threshold()
    f1 = {k / BINS: brute_force(made, k / BINS).f1 for k in range(1, BINS + 1)}
    assert f1[best] == max(f1.values())


def test_between_two_clear_groups_the_threshold_lies_in_the_middle() -> None:
    probability = np.array([0.1] * 50 + [0.9] * 5, np.float32)
    counts = pooled([(probability, (probability > 0.5).astype(np.uint8))])
    assert counts.best_threshold() == pytest.approx(0.5, abs=0.01)


def test_average_precision_is_the_area_under_the_steps() -> None:
    made = patches(seed=1)
    probability = np.concatenate([p.ravel() for p, _ in made])
    truth = np.concatenate([t.ravel() for _, t in made])
    # By ranking: for every distinct probability (in steps of 1/256), what lies at or above it.
    steps = np.floor(probability * BINS)
    area, before = 0.0, 0.0
    for step in sorted(set(steps), reverse=True):
        above = steps >= step
        recall = truth[above].sum() / truth.sum()
        area += (recall - before) * truth[above].mean()
        before = recall
    assert pooled(made).average_precision() == pytest.approx(area, rel=1e-12)


def test_average_precision_of_a_perfect_and_of_a_blind_ranking() -> None:
    truth = np.array([1, 1, 0, 0, 0, 0, 0, 0], np.uint8)
    perfect = pooled([(np.where(truth, 0.9, 0.1).astype(np.float32), truth)])
    assert perfect.average_precision() == 1
    blind = pooled([(np.full(8, 0.5, np.float32), truth)])
    assert blind.average_precision() == 0.25  # the share of landslide pixels


def test_the_curve_ends_at_full_recall_and_the_share_of_landslides() -> None:
    made = patches()
    recall, precision = pooled(made).curve()
    assert recall.shape == precision.shape == (BINS + 1,)
    assert (np.diff(recall) >= 0).all()
    assert recall[-1] == 1
    assert precision[-1] == pytest.approx(np.mean([truth for _, truth in made]))
    at_half = brute_force(made, 0.5)
    assert (recall[BINS // 2], precision[BINS // 2]) == (at_half.recall, at_half.precision)
