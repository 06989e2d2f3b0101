"""Every figure of an evaluation, against the same figure computed the long way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from landslide_zoo import LandslideModel
from landslide_zoo.data.folders import find_samples
from landslide_zoo.data.packed import pack
from landslide_zoo.errors import DataError, ModelError
from landslide_zoo.evaluation.evaluate import PAPER_BATCH, Evaluation, difference, evaluate
from landslide_zoo.evaluation.groups import by_region, by_size, by_stratum
from landslide_zoo.evaluation.labelled import LabelledSet
from landslide_zoo.inference.ensemble import join_predictions


@pytest.fixture(scope="module")
def result(model: LandslideModel, labelled_folder: Path) -> Evaluation:
    return evaluate(model, LabelledSet.find(labelled_folder, subset="all"))


@pytest.fixture(scope="module")
def pixels(model: LandslideModel, labelled_folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and truths of all patches, shape (8, 40, 48), as ``predict`` gives them."""
    patches = list(LabelledSet.find(labelled_folder, subset="all"))
    probability = np.stack([model.predict(patch).probability for patch in patches])
    return probability, np.stack([patch.mask for patch in patches])


def f1_of(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * np.sum(found & truth) / (np.sum(found) + np.sum(truth))


def test_the_model_finds_some_and_misses_some(pixels: tuple[np.ndarray, np.ndarray]) -> None:
    share = np.mean(pixels[0] >= 0.5, axis=(1, 2))
    assert share.min() > 0.02 and share.max() < 0.98


def test_scores_are_those_of_all_pixels_together(
    result: Evaluation, pixels: tuple[np.ndarray, np.ndarray]
) -> None:
    found, truth = pixels[0] >= np.float32(0.5), pixels[1] == 1
    scores = result.scores
    assert scores.true_positives == np.sum(found & truth)
    assert scores.true_negatives == np.sum(~found & ~truth)
    assert scores.precision == pytest.approx(np.sum(found & truth) / np.sum(found))
    assert scores.recall == pytest.approx(np.sum(found & truth) / np.sum(truth))
    assert scores.f1 == pytest.approx(f1_of(found, truth))
    assert scores.iou == pytest.approx(np.sum(found & truth) / np.sum(found | truth))


def test_average_precision_is_the_sum_over_thresholds(
    result: Evaluation, pixels: tuple[np.ndarray, np.ndarray]
) -> None:
    total, before = 0.0, 0.0
    for k in range(256, -1, -1):
        found = pixels[0] >= k / 256
        hits = np.sum(found & (pixels[1] == 1))
        recall = hits / np.sum(pixels[1])
        total += (recall - before) * hits / max(np.sum(found), 1)
        before = recall
    assert result.average_precision == pytest.approx(total)


def test_calibration_error_is_the_mean_gap_over_fifteen_bins(
    result: Evaluation, pixels: tuple[np.ndarray, np.ndarray]
) -> None:
    probability, truth = pixels[0].astype(float).ravel(), pixels[1].ravel()
    total = 0.0
    for i in range(15):
        inside = (probability >= i / 15) & (probability < (i + 1) / 15)
        if inside.any():
            total += inside.sum() * abs(probability[inside].mean() - truth[inside].mean())
    assert result.calibration_error == pytest.approx(total / truth.size)
    assert result.reliability.table[:, 0].sum() == truth.size


def test_the_papers_f1_is_a_mean_over_batches(
    make_model: Callable[..., LandslideModel], tmp_path: Path
) -> None:
    from labelled_data import write_pair

    for number in range(1, PAPER_BATCH + 4):
        write_pair(tmp_path, number, subset="")
    labelled = LabelledSet.find(tmp_path, subset="all")
    model = make_model()
    found = [model.predict(patch).mask == 1 for patch in labelled]
    truth = [patch.mask == 1 for patch in labelled]
    first, rest = slice(PAPER_BATCH), slice(PAPER_BATCH, None)
    expected = np.mean(
        [f1_of(np.stack(found[part]), np.stack(truth[part])) for part in (first, rest)]
    )
    result = evaluate(model, labelled)
    assert result.batch_mean_f1 == pytest.approx(expected)
    assert result.batch_mean_f1 != pytest.approx(result.scores.f1, abs=1e-6)


def test_regions_are_those_of_the_patches_numbers(
    result: Evaluation, pixels: tuple[np.ndarray, np.ndarray]
) -> None:
    found, truth = pixels[0] >= np.float32(0.5), pixels[1] == 1
    first, second = by_region(result)
    assert (first.name, second.name) == ("S1", "S2")
    assert second.scores.f1 == pytest.approx(f1_of(found[6:], truth[6:]))
    assert first.interval is None  # four blocks are too few


@pytest.mark.parametrize(
    ("stratum", "low", "high"), [("slope", 10, 20), ("elevation", 1000, 2000), ("NDVI", 0.4, 0.6)]
)
def test_strata_hold_the_pixels_of_their_classes(
    result: Evaluation,
    labelled: LabelledSet,
    pixels: tuple[np.ndarray, np.ndarray],
    stratum: str,
    low: float,
    high: float,
) -> None:
    bands = {"slope": "slope", "elevation": "DEM"}
    if stratum in bands:
        values = np.stack([patch.select([bands[stratum]])[0] for patch in labelled])
    else:
        near, red = np.stack([patch.select(["B8", "B4"]) for patch in labelled], axis=1)
        values = (near - red) / np.maximum(near + red, 1)
    inside = (values >= low) & (values < high)
    found, truth = pixels[0] >= np.float32(0.5), pixels[1] == 1
    (group,) = [g for g in by_stratum(result)[stratum] if g.name.startswith(f"{low:g} to {high:g}")]
    assert group.scores.true_positives == np.sum(found & truth & inside)
    assert group.scores.false_positives == np.sum(found & ~truth & inside)
    assert group.scores.false_negatives == np.sum(~found & truth & inside)
    assert group.scores.true_negatives == np.sum(~found & ~truth & inside)
    whole = sum(
        g.scores.true_positives + g.scores.false_negatives for g in by_stratum(result)[stratum]
    )
    assert whole == truth.sum()


def test_patches_without_landslides_give_the_false_alarms(
    result: Evaluation, pixels: tuple[np.ndarray, np.ndarray], labelled_folder: Path
) -> None:
    (alarms,) = result.false_alarms
    empty = pixels[0][[3, 5]] >= np.float32(0.5)
    assert alarms.ground == labelled_folder.name
    assert alarms.patches == 2
    assert alarms.square_kilometres == pytest.approx(2 * 0.4 * 0.48)
    # One pixel is 0.01 ha; a share of all ground of 1 is 10,000 ha in 100 km2.
    assert alarms.hectares_per_100_km2 == pytest.approx(10_000 * empty.mean())
    assert alarms.low is None


def test_landslides_are_counted_whatever_their_size(
    result: Evaluation, pixels: tuple[np.ndarray, np.ndarray]
) -> None:
    from scipy import ndimage

    landslides = found = 0
    for probability, truth in zip(*pixels, strict=True):
        labels, count = ndimage.label(truth, np.ones((3, 3)))
        for number in range(1, count + 1):
            landslides += 1
            found += np.mean(probability[labels == number] >= np.float32(0.5)) >= 0.5
    assert sum(group.landslides for group in by_size(result)) == landslides
    assert sum(group.found for group in by_size(result)) == found


def test_a_result_holds_what_was_measured(result: Evaluation) -> None:
    kept = result.result("a command")
    assert kept.f1 == result.scores.f1
    assert kept.details.blocks == 5
    assert kept.details.intervals["f1"][0] < kept.f1 < kept.details.intervals["f1"][1]
    assert kept.details.false_alarms == result.false_alarms
    assert type(kept).model_validate_json(kept.model_dump_json()) == kept


def test_packed_and_read_patches_give_one_result(
    model: LandslideModel, result: Evaluation, labelled_folder: Path, tmp_path: Path
) -> None:
    data = pack(find_samples(labelled_folder), tmp_path)
    again = evaluate(
        model, LabelledSet.of_packed(data, range(8), labelled_folder.name, "folder", "all")
    )
    assert again.result("x") == result.result("x")


def test_a_mean_of_one_model_is_that_model(
    model: LandslideModel, labelled: LabelledSet, result: Evaluation
) -> None:
    assert evaluate([model], labelled).result("x") == result.result("x")
    twice = evaluate([model, model], labelled)
    assert twice.result("x") == result.result("x")
    assert twice.model == "mean of 2 models"


def test_several_models_are_measured_by_their_mean(
    make_model: Callable[..., LandslideModel], labelled: LabelledSet
) -> None:
    models = [make_model(seed=1, threshold=0.25), make_model(seed=2, threshold=0.5)]
    result = evaluate(models, labelled)
    assert result.threshold == 0.375
    joined = [join_predictions([m.predict(patch) for m in models]).mean for patch in labelled]
    hits = sum(int(np.sum(j.mask & p.mask)) for j, p in zip(joined, labelled, strict=True))
    assert result.scores.true_positives == hits


def test_the_difference_of_two_models_is_paired(
    model: LandslideModel, make_model: Callable[..., LandslideModel], labelled: LabelledSet
) -> None:
    result, other = evaluate(model, labelled), evaluate(make_model(seed=3), labelled)
    value, interval = difference(result, other)
    assert value == result.scores.f1 - other.scores.f1
    assert interval is not None and interval[0] < value < interval[1]
    assert difference(result, result) == (0.0, (0.0, 0.0))


def test_models_measured_on_different_patches_are_not_compared(
    model: LandslideModel, labelled: LabelledSet, result: Evaluation, tmp_path: Path
) -> None:
    from labelled_data import write_pair

    write_pair(tmp_path, 1, subset="")
    other = evaluate(model, LabelledSet.find(tmp_path, subset="all"))
    with pytest.raises(DataError, match="measured on different patches"):
        difference(result, other)


def test_the_fingerprint_is_that_of_the_patches_and_masks(
    model: LandslideModel, labelled_folder: Path, result: Evaluation, tmp_path: Path
) -> None:
    import shutil

    from patch_files import write_h5

    copy = Path(shutil.copytree(labelled_folder, tmp_path / "copy"))
    same = evaluate(model, LabelledSet.find(copy, subset="all"))
    assert same.fingerprint == result.fingerprint
    mask = np.zeros((40, 48), np.uint8)
    mask[3, 4] = 1
    write_h5(copy / "annotations" / "mask_9.h5", mask=mask)
    changed = evaluate(model, LabelledSet.find(copy, subset="all"))
    assert changed.fingerprint != result.fingerprint


def test_a_model_that_answers_no_numbers_is_refused(
    make_model: Callable[..., LandslideModel], labelled: LabelledSet
) -> None:
    broken = make_model()
    broken.network.segmentation_head[0].bias.data.fill_(float("nan"))
    with pytest.raises(ModelError, match="answers values that are no numbers on image_1"):
        evaluate(broken, labelled)


def test_a_model_that_needs_more_than_true_colour_says_so(
    make_model: Callable[..., LandslideModel], tmp_path: Path
) -> None:
    from labelled_data import write_png_pair

    write_png_pair(tmp_path, 1, subset="")
    labelled = LabelledSet.find(tmp_path, subset="all")
    with pytest.raises(DataError, match="name ends in -rgb"):
        evaluate(make_model(name="unet-mobilenet_v2"), labelled)
    assert by_stratum(evaluate(make_model(), labelled)) == {}


def test_real_patches_give_one_result_however_they_are_measured(
    make_model: Callable[..., LandslideModel], real_data: Path
) -> None:
    """The pooled F1 of the 15 real patches is that of ``predict`` on each of them."""
    model = make_model()
    labelled = LabelledSet.find(real_data / "l4s-14band", subset="all")
    result = evaluate(model, labelled)
    found = np.stack([model.predict(patch).mask for patch in labelled]) == 1
    truth = np.stack([patch.mask for patch in labelled]) == 1
    assert len(truth) == 15
    assert result.scores.f1 == pytest.approx(f1_of(found, truth), abs=1e-12)
    assert [group.name for group in by_region(result)] == ["S1"]
