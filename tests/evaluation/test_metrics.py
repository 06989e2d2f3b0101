"""Counts and the figures made from them, against counting one pixel at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from labelled_data import changed

from landslide_zoo import LandslideModel, Patch
from landslide_zoo.data.patch import Grid
from landslide_zoo.evaluation import (
    Bootstrap,
    LabelledPatches,
    PixelCounts,
    Reliability,
    evaluate,
    fit_temperature,
)
from landslide_zoo.evaluation.metrics import (
    SIZE_EDGES,
    THRESHOLDS,
    class_names,
    count_landslides,
    false_alarms,
)
from landslide_zoo.inference.predict import Scores

Pixels = tuple[np.ndarray, np.ndarray]


def some_pixels(seed: int = 0, count: int = 5) -> list[Pixels]:
    """Probabilities (some exactly on a threshold, 0 and 1 among them) and truths that go along."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        probability = random.random((13, 17), dtype=np.float32)
        exact = random.random((13, 17)) < 0.3
        steps = random.integers(0, THRESHOLDS + 1, (13, 17)).astype(np.float32) / THRESHOLDS
        probability[exact] = steps[exact]
        truth = (random.random((13, 17)) < 0.05 + 0.3 * probability).astype(np.uint8)
        made.append((probability, truth))
    return made


def pooled(made: list[Pixels]) -> PixelCounts:
    counts = PixelCounts()
    for probability, truth in made:
        counts.add(probability, truth)
    return counts


def brute_force(made: list[Pixels], threshold: float) -> Scores:
    table = {(True, 1): 0, (True, 0): 0, (False, 1): 0, (False, 0): 0}
    for probability, truth in made:
        for p, real in zip(probability.ravel(), truth.ravel(), strict=True):
            table[bool(p >= np.float32(threshold)), int(real)] += 1
    return Scores(table[True, 1], table[True, 0], table[False, 1], table[False, 0])


@pytest.mark.parametrize("k", [0, 1, 64, 100, 128, 255, 256])
def test_pooled_scores_are_those_of_counting_every_pixel(k: int) -> None:
    made = some_pixels()
    assert pooled(made).scores(k / THRESHOLDS) == brute_force(made, k / THRESHOLDS)


def test_scores_of_masks_are_those_of_the_same_threshold() -> None:
    probability, truth = some_pixels(count=1)[0]
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


def test_unobserved_pixels_count_nowhere() -> None:
    probability, truth = some_pixels(count=1)[0]
    observed = np.random.default_rng(9).random(truth.shape) < 0.6
    counts = PixelCounts()
    counts.add(probability, truth, observed)
    kept = probability[observed], truth[observed]
    np.testing.assert_array_equal(counts.histogram, pooled([kept]).histogram)
    seen = Reliability.of(probability, truth, observed).table
    np.testing.assert_array_equal(seen, Reliability.of(*kept).table)
    assert counts.histogram.sum() == seen[:, 0].sum() == observed.sum()


def test_counts_add_up_in_any_order_and_over_any_number_of_processes() -> None:
    made = some_pixels(count=6)
    whole = pooled(made).histogram
    assert whole.sum() == 6 * 13 * 17 and whole.dtype == np.int64
    for processes in (2, 3):
        shares = [pooled(made[i::processes]).histogram for i in range(processes)]
        np.testing.assert_array_equal(sum(shares), whole)


@pytest.mark.parametrize("threshold", [0.5 + 1e-9, 1 / 3, 0.1])
def test_a_threshold_between_the_bins_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="is not a multiple of 1/256"):
        pooled(some_pixels()).scores(threshold)


def test_every_threshold_is_exact_in_float32() -> None:
    # A pixel on the threshold is landslide, one just below it is not.
    for k in range(1, THRESHOLDS + 1):
        threshold = np.float32(k) / np.float32(THRESHOLDS)
        below = np.nextafter(threshold, np.float32(0))
        counts = pooled([(np.array([below, threshold]), np.array([1, 1]))])
        assert counts.scores(k / THRESHOLDS).true_positives == 1


def test_the_best_threshold_is_that_of_trying_them_all() -> None:
    made = some_pixels(seed=3)
    f1 = {k / THRESHOLDS: brute_force(made, k / THRESHOLDS).f1 for k in range(1, THRESHOLDS + 1)}
    assert f1[pooled(made).best_threshold()] == max(f1.values())


def test_between_two_clear_groups_the_threshold_lies_in_the_middle() -> None:
    probability = np.array([0.1] * 50 + [0.9] * 5, np.float32)
    counts = pooled([(probability, (probability > 0.5).astype(np.uint8))])
    assert counts.best_threshold() == pytest.approx(0.5, abs=0.01)


def test_average_precision_of_a_perfect_and_of_a_blind_ranking() -> None:
    truth = np.array([1, 1, 0, 0, 0, 0, 0, 0], np.uint8)
    perfect = pooled([(np.where(truth, 0.9, 0.1).astype(np.float32), truth)])
    assert perfect.average_precision() == 1
    blind = pooled([(np.full(8, 0.5, np.float32), truth)])
    assert blind.average_precision() == 0.25  # the share of landslide pixels


def test_the_curve_ends_at_full_recall_and_the_share_of_landslides() -> None:
    made = some_pixels()
    recall, precision = pooled(made).curve()
    assert (np.diff(recall) >= 0).all()
    assert recall[-1] == 1
    assert precision[-1] == pytest.approx(np.mean([truth for _, truth in made]))
    at_half = brute_force(made, 0.5)
    half = THRESHOLDS // 2
    assert (recall[half], precision[half]) == (at_half.recall, at_half.precision)


def test_reliability_holds_means_over_each_bin() -> None:
    probability = np.array([0.0, 0.05, 0.5, 0.52, 1.0], np.float32)
    reliability = Reliability.of(probability, np.array([0, 1, 1, 0, 1]))
    assert reliability.table[:, 0].tolist() == [2, *[0] * 6, 2, *[0] * 6, 1]
    assert reliability.mean_probability[[0, 7, 14]] == pytest.approx([0.025, 0.51, 1.0])
    assert reliability.landslide_share[[0, 7, 14]] == pytest.approx([0.5, 0.5, 1.0])
    assert np.isnan(reliability.mean_probability[3])
    # |0.025 - 0.5| x 2/5 + |0.51 - 0.5| x 2/5 + 0
    assert reliability.error == pytest.approx(0.194)


def test_honest_probabilities_have_next_to_no_error() -> None:
    random = np.random.default_rng(0)
    probability = random.random(400_000, dtype=np.float32)
    truth = random.random(400_000) < probability
    assert Reliability.of(probability, truth).error < 0.005
    assert Reliability.of(probability**3, truth).error > 0.1


@pytest.fixture
def honest(model: LandslideModel, dataset: LabelledPatches) -> LabelledPatches:
    """The patches with masks drawn from the model's own probabilities."""
    random = np.random.default_rng(1)
    masks = [
        (random.random(patch.size) < model.predict(patch).probability).astype(np.uint8)
        for patch in dataset
    ]
    return changed(dataset, lambda i, patch: replace(patch, mask=masks[i]))


@pytest.mark.parametrize("factor", [0.4, 3.0])
def test_the_temperature_undoes_what_logits_were_multiplied_by(
    honest: LabelledPatches, make_model: Callable[..., LandslideModel], factor: float
) -> None:
    """A model whose probabilities were right before its logits were multiplied."""
    wrong = make_model()
    with torch.no_grad():
        for parameter in wrong.network.segmentation_head[0].parameters():
            parameter.mul_(factor)
    before = evaluate(wrong, honest)
    temperature = fit_temperature(wrong, honest)
    assert temperature == pytest.approx(factor, rel=0.1)
    after = evaluate(wrong.update_config(temperature=temperature), honest)
    assert after.calibration_error < 0.3 * before.calibration_error
    # What comes before what stays so: the curve is the same but for its steps.
    assert after.average_precision == pytest.approx(before.average_precision, abs=0.01)


def test_a_temperature_that_is_there_already_is_counted_in(
    honest: LabelledPatches, make_model: Callable[..., LandslideModel]
) -> None:
    assert fit_temperature(make_model(temperature=2.0), honest) == pytest.approx(0.5, rel=0.1)


def test_a_model_that_is_right_already_is_left_alone(
    honest: LabelledPatches, model: LandslideModel
) -> None:
    assert fit_temperature(model, honest, seed=3) == pytest.approx(1, abs=0.05)
    assert fit_temperature(model, honest, seed=3) == fit_temperature(model, honest, seed=3)


def test_unobserved_pixels_do_not_move_the_temperature(
    honest: LabelledPatches, model: LandslideModel
) -> None:
    """Half of each mask is wrong, and that half was not observed."""

    def half_wrong(patch: Patch, observed: bool) -> Patch:
        assert patch.mask is not None
        left = np.arange(patch.size[1]) < patch.size[1] // 2
        mask = np.where(left, 1 - patch.mask, patch.mask).astype(np.uint8)
        seen = np.broadcast_to(~left, patch.size) if observed else None
        return replace(patch, mask=mask, observed=seen)

    masked = [half_wrong(patch, True) for patch in honest]
    assert fit_temperature(model, masked) == pytest.approx(1, abs=0.1)
    wrong = [half_wrong(patch, False) for patch in honest]
    assert fit_temperature(model, wrong) > 2


def square(side: int, size: int = 128, at: tuple[int, int] = (2, 2)) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    mask[at[0] : at[0] + side, at[1] : at[1] + side] = 1
    return mask


def only_class(mask: np.ndarray, truth: np.ndarray, **how: object) -> tuple[str, list[int]]:
    """The only class of size that has a landslide, and its counts."""
    counted = count_landslides(mask, truth, **how)
    (k,) = np.flatnonzero(counted[:, 0])
    return class_names(SIZE_EDGES, "ha")[k], counted[k].tolist()


def test_a_landslide_is_found_if_half_of_it_is() -> None:
    truth = square(10)
    half = truth.copy()
    half[7:] = 0
    assert only_class(half, truth) == ("1 to 5 ha", [1, 1, 100, 50])
    half[2, 2] = 0
    assert only_class(half, truth) == ("1 to 5 ha", [1, 0, 100, 49])


def test_the_size_of_a_landslide_depends_on_its_pixels_and_theirs() -> None:
    truth = np.zeros((40, 40), np.uint8)
    truth[3, 3:13] = 1
    assert only_class(truth, truth)[0] == "0.1 to 0.5 ha"  # exactly 0.1 ha
    assert only_class(truth, truth, grid=Grid((30.0, 30.0)))[0] == "0.5 to 1 ha"
    truth[3, 3] = 0
    assert only_class(truth, truth)[0] == "below 0.1 ha"
    assert only_class(square(23), square(23))[0] == "5 ha and more"


def test_pixels_that_touch_at_a_corner_are_one_landslide() -> None:
    truth = square(3) | square(3, at=(5, 5))
    assert only_class(truth, truth) == ("0.1 to 0.5 ha", [1, 1, 18, 18])
    apart = square(3) | square(3, at=(6, 6))
    assert only_class(apart, apart) == ("below 0.1 ha", [2, 2, 18, 18])


def test_a_landslide_counts_by_the_pixels_of_it_that_were_observed() -> None:
    truth = square(10) | square(5, at=(50, 50))
    observed = np.ones((128, 128), bool)
    observed[6, :] = False  # runs through the first, which stays one landslide
    observed[50:60] = False  # covers the second
    found = truth.copy()
    found[8:] = 0
    assert only_class(found, truth, observed=observed) == ("0.5 to 1 ha", [1, 1, 90, 50])


def test_finds_beside_a_landslide_do_not_count() -> None:
    truth = square(10)
    assert count_landslides(1 - truth, truth).sum(axis=0).tolist() == [1, 0, 100, 0]
    assert not count_landslides(square(5), np.zeros((128, 128), np.uint8)).any()


def test_false_alarms_by_area() -> None:
    """One pixel in a square kilometre is one hectare in a hundred; enough patches: an interval."""
    alarms = false_alarms("n", np.array([[100.0, 1e6], [0, 0]]), Bootstrap(range(2)))
    assert (alarms.patches, alarms.square_kilometres, alarms.low) == (1, 1.0, None)
    assert alarms.hectares_per_100_km2 == pytest.approx(1.0)
    areas = np.stack([np.random.default_rng(0).integers(0, 300, 40) * 100, [1638400] * 40], axis=1)
    alarms = false_alarms("n", areas, Bootstrap(range(40)))
    assert alarms.low is not None and alarms.high is not None
    assert alarms.low < alarms.hectares_per_100_km2 < alarms.high


def test_classes_are_named_by_their_edges() -> None:
    assert class_names((0.5, 1), "ha") == ["below 0.5 ha", "0.5 to 1 ha", "1 ha and more"]
