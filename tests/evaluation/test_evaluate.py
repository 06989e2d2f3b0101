"""Every figure of an evaluation, against the same figure computed the long way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from labelled_data import changed, write_pair
from patch_files import write_patch, write_png
from scipy import ndimage

from landslide_zoo import LandslideModel, Patch, read_patch
from landslide_zoo.errors import DataError
from landslide_zoo.evaluation import Evaluation, LabelledPatches, difference, evaluate
from landslide_zoo.evaluation.evaluate import PAPER_BATCH
from landslide_zoo.inference import Ensemble, TestTimeAugmentation, join_predictions
from landslide_zoo.inference.predict import Prediction, Scores

Pixels = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def pixels(model: LandslideModel, labelled_folder: Path) -> Pixels:
    """Probabilities and truths of all patches, shape (8, 40, 48), as ``predict`` gives them."""
    patches = list(LabelledPatches.find(labelled_folder, subset="all"))
    probability = np.stack([one.probability for one in model.predict(patches)])
    return probability, np.stack([patch.mask for patch in patches])


def f1_of(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * np.sum(found & truth) / (np.sum(found) + np.sum(truth))


def test_the_model_finds_some_and_misses_some(pixels: Pixels) -> None:
    share = np.mean(pixels[0] >= 0.5, axis=(1, 2))
    assert share.min() > 0.02 and share.max() < 0.98


def test_scores_are_those_of_all_pixels_together(result: Evaluation, pixels: Pixels) -> None:
    found, truth = pixels[0] >= np.float32(0.5), pixels[1] == 1
    scores = result.scores
    assert scores.true_positives == np.sum(found & truth)
    assert scores.true_negatives == np.sum(~found & ~truth)
    assert scores.precision == pytest.approx(np.sum(found & truth) / np.sum(found))
    assert scores.recall == pytest.approx(np.sum(found & truth) / np.sum(truth))
    assert scores.f1 == pytest.approx(f1_of(found, truth))
    assert scores.iou == pytest.approx(np.sum(found & truth) / np.sum(found | truth))


def test_average_precision_is_the_sum_over_thresholds(result: Evaluation, pixels: Pixels) -> None:
    total, before = 0.0, 0.0
    for k in range(256, -1, -1):
        found = pixels[0] >= k / 256
        hits = np.sum(found & (pixels[1] == 1))
        recall = hits / np.sum(pixels[1])
        total += (recall - before) * hits / max(np.sum(found), 1)
        before = recall
    assert result.average_precision == pytest.approx(total)


def test_the_papers_f1_is_a_mean_over_batches(model: LandslideModel, tmp_path: Path) -> None:
    for number in range(1, PAPER_BATCH + 4):
        write_pair(tmp_path, number, subset="")
    dataset = LabelledPatches.find(tmp_path, subset="all")
    found = np.stack([one.mask == 1 for one in model.predict(list(dataset))])
    truth = np.stack([patch.mask == 1 for patch in dataset])
    parts = (slice(PAPER_BATCH), slice(PAPER_BATCH, None))
    result = evaluate(model, dataset)
    expected = np.mean([f1_of(found[part], truth[part]) for part in parts])
    assert result.batch_mean_f1 == pytest.approx(expected)
    assert result.batch_mean_f1 != pytest.approx(result.scores.f1, abs=1e-6)


def test_regions_are_those_of_the_patches_numbers(result: Evaluation, pixels: Pixels) -> None:
    found, truth = pixels[0] >= np.float32(0.5), pixels[1] == 1
    first, second = result.by_region()
    assert (first.name, second.name) == ("S1", "S2")
    assert second.scores.f1 == pytest.approx(f1_of(found[6:], truth[6:]))
    assert first.interval is None  # four blocks are too few


@pytest.mark.parametrize(
    ("stratum", "low", "high"), [("slope", 10, 20), ("elevation", 1000, 2000), ("NDVI", 0.4, 0.6)]
)
def test_strata_hold_the_pixels_of_their_classes(
    result: Evaluation,
    dataset: LabelledPatches,
    pixels: Pixels,
    stratum: str,
    low: float,
    high: float,
) -> None:
    bands = {"slope": "slope", "elevation": "DEM"}
    if stratum in bands:
        values = np.stack([patch.select([bands[stratum]])[0] for patch in dataset])
    else:
        near, red = np.stack([patch.select(["B8", "B4"]) for patch in dataset], axis=1)
        values = (near - red) / np.maximum(near + red, 1)
    inside = (values >= low) & (values < high)
    found, truth = pixels[0] >= np.float32(0.5), pixels[1] == 1
    groups = result.by_stratum()[stratum]
    (group,) = [g for g in groups if g.name.startswith(f"{low:g} to {high:g}")]
    assert group.scores == Scores.of_masks(found, truth, inside)
    assert group.scores.true_positives > 0
    whole = sum(g.scores.true_positives + g.scores.false_negatives for g in groups)
    assert whole == truth.sum()


def test_patches_without_landslides_give_the_false_alarms(
    result: Evaluation, pixels: Pixels, labelled_folder: Path
) -> None:
    (alarms,) = result.false_alarms
    empty = pixels[0][[3, 5]] >= np.float32(0.5)
    assert alarms.negatives == labelled_folder.name
    assert alarms.patches == 2
    assert alarms.square_kilometres == pytest.approx(2 * 0.4 * 0.48)
    # One pixel is 0.01 ha; a share of 1 of all pixels is 10,000 ha in 100 km2.
    assert alarms.hectares_per_100_km2 == pytest.approx(10_000 * empty.mean())
    assert alarms.low is None


def test_further_negatives_give_false_alarms_of_their_own(
    model: LandslideModel, dataset: LabelledPatches, labelled_folder: Path, tmp_path: Path
) -> None:
    coast = tmp_path / "coast"
    coast.mkdir()
    write_patch(coast / "a.h5", 40, 56, seed=1)
    write_png(coast / "b.png", 64, 32)
    masks = [model.predict(read_patch(coast / name)).mask for name in ("a.h5", "b.png")]
    share = sum(mask.sum() for mask in masks) / sum(mask.size for mask in masks)
    own, further = evaluate(model, dataset, negatives=[labelled_folder, coast]).false_alarms
    assert [own] == evaluate(model, dataset).false_alarms  # the same patches, given once more
    assert (further.negatives, further.patches) == ("coast", 2)
    assert further.hectares_per_100_km2 == pytest.approx(10_000 * share)


def test_landslides_are_counted_whatever_their_size(result: Evaluation, pixels: Pixels) -> None:
    landslides = found = 0
    for probability, truth in zip(*pixels, strict=True):
        labels, count = ndimage.label(truth, np.ones((3, 3)))
        for number in range(1, count + 1):
            landslides += 1
            found += np.mean(probability[labels == number] >= np.float32(0.5)) >= 0.5
    assert sum(group.landslides for group in result.by_size()) == landslides
    assert sum(group.found for group in result.by_size()) == found


def test_a_result_holds_what_was_measured(result: Evaluation) -> None:
    kept = result.result("a command")
    assert kept.f1 == result.scores.f1
    assert kept.details.blocks == 5
    assert kept.details.intervals["f1"][0] < kept.f1 < kept.details.intervals["f1"][1]
    assert kept.details.false_alarms == result.false_alarms
    assert type(kept).model_validate_json(kept.model_dump_json()) == kept


def unobserved_left(patch: Patch) -> np.ndarray:
    return np.broadcast_to(np.arange(patch.size[1]) >= 10, patch.size)


def test_unobserved_pixels_count_nowhere(
    model: LandslideModel, dataset: LabelledPatches, pixels: Pixels
) -> None:
    partly = changed(dataset, lambda _, patch: replace(patch, observed=unobserved_left(patch)))
    result = evaluate(model, partly)
    found, truth = pixels[0][..., 10:] >= np.float32(0.5), pixels[1][..., 10:] == 1
    assert result.scores == Scores.of_masks(found, truth)
    assert result.pixel_counts.histogram.sum() == result.reliability.table[:, 0].sum() == found.size
    for groups in result.by_stratum().values():
        assert sum(g.scores.true_negatives for g in groups) == result.scores.true_negatives
    assert result.false_alarms[0].square_kilometres == pytest.approx(2 * 0.4 * 0.38)


def test_further_steps_are_counted_from_the_same_predictions(
    model: LandslideModel, dataset: LabelledPatches, result: Evaluation, tmp_path: Path
) -> None:
    """The network alone stays what it is; each step is measured as its own predictions say."""
    write_patch(tmp_path / "a.h5")
    read: list[str] = []

    def without_left(patch: Patch, prediction: Prediction) -> Prediction:
        read.append(patch.name)
        return replace(prediction, observed=unobserved_left(patch))

    def nothing(patch: Patch, prediction: Prediction) -> Prediction:
        return replace(prediction, probability=np.zeros_like(prediction.probability))

    steps = {"without left": without_left, "nothing": nothing}
    both = evaluate(model, dataset, refine=steps, negatives=[tmp_path])
    assert replace(both, refined={}).result("x").f1 == result.result("x").f1
    assert read == [*result.patches, "a"]
    masked, empty = both.refined["without left"], both.refined["nothing"]
    assert masked.pixel_counts.histogram.sum() == 8 * 40 * 38
    assert masked.scores != both.scores and masked.fingerprint == both.fingerprint
    assert (empty.scores.f1, empty.false_alarms[1].hectares_per_100_km2) == (0, 0)
    assert both.false_alarms[1].hectares_per_100_km2 > 0
    assert difference(both, empty)[0] == both.scores.f1


def test_an_ensemble_is_measured_by_its_mean(
    make_model: Callable[..., LandslideModel], dataset: LabelledPatches
) -> None:
    models = [make_model(seed=1, threshold=0.25), make_model(seed=2, threshold=0.5)]
    result = evaluate(Ensemble(models, "two"), dataset)
    assert (result.model, result.threshold) == ("two", 0.375)
    assert result.members == ("unet-mobilenet_v2-rgb",) * 2
    joined = [join_predictions([m.predict(patch) for m in models]).mean for patch in dataset]
    hits = sum(int(np.sum(j.mask & p.mask)) for j, p in zip(joined, dataset, strict=True))
    assert result.scores.true_positives == hits


def test_test_time_augmentation_is_told(
    model: LandslideModel, dataset: LabelledPatches, result: Evaluation
) -> None:
    augmented = evaluate(TestTimeAugmentation(model), dataset)
    assert augmented.augmented and not result.augmented
    assert augmented.members == result.members
    assert augmented.scores != result.scores


def test_the_difference_of_two_models_is_paired(
    result: Evaluation, make_model: Callable[..., LandslideModel], dataset: LabelledPatches
) -> None:
    other = evaluate(make_model(seed=3), dataset)
    value, interval = difference(result, other)
    assert value == result.scores.f1 - other.scores.f1
    assert interval is not None and interval[0] < value < interval[1]
    assert difference(result, result) == (0.0, (0.0, 0.0))


def test_models_evaluated_on_different_patches_are_not_compared(
    model: LandslideModel, result: Evaluation, tmp_path: Path
) -> None:
    write_pair(tmp_path, 1, subset="")
    other = evaluate(model, LabelledPatches.find(tmp_path, subset="all"))
    with pytest.raises(DataError, match="evaluated on different patches"):
        difference(result, other)


def test_pictures_have_no_strata(model: LandslideModel, tmp_path: Path) -> None:
    write_pair(tmp_path, 1, subset="", kind="png")
    assert evaluate(model, LabelledPatches.find(tmp_path, subset="all")).by_stratum() == {}
