"""Every figure of an evaluation, against the same figure computed the long way; its report."""

from __future__ import annotations

import json
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from labelled_data import Red, changed, write_pair
from patch_files import write_patch
from PIL import Image
from scipy import ndimage
from trained_model import make_record

from landslide_zoo.errors import DataError
from landslide_zoo.evaluation import (
    Evaluation,
    LabelledPatches,
    difference,
    evaluate,
    write_report,
)
from landslide_zoo.evaluation.evaluate import PAPER_BATCH
from landslide_zoo.evaluation.report import keep_in_record, leak_warning
from landslide_zoo.inference import predict
from landslide_zoo.inference.predict import Scores

Pixels = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def pixels(dataset: LabelledPatches) -> Pixels:
    """Masks and truths of all patches, shape (8, 40, 48), bool, as ``predict`` gives them."""
    masks = [each.mask for each in predict(Red(), list(dataset), postprocess=False)]
    return np.stack(masks) > 0, np.stack([patch.mask for patch in dataset]) > 0


def f1_of(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * np.sum(found & truth) / (np.sum(found) + np.sum(truth))


def test_scores_are_those_of_all_pixels_together(result: Evaluation, pixels: Pixels) -> None:
    assert result.scores == Scores.of_masks(*pixels) and 0 < result.scores.f1 < 1
    assert result.statistics["f1"] == pytest.approx(f1_of(*pixels))
    first, second = result.by_region()
    assert (first["name"], second["name"]) == ("S1", "S2")
    assert second["f1"] == pytest.approx(f1_of(pixels[0][6:], pixels[1][6:]))
    assert first["interval"] is None  # four blocks are too few


def test_the_papers_f1_is_a_mean_over_batches(tmp_path: Path) -> None:
    for number in range(1, PAPER_BATCH + 4):
        write_pair(tmp_path, number, subset="")
    dataset = LabelledPatches.find(tmp_path, subset="all")
    result = evaluate(Red(), dataset, postprocess=False)
    masks = [each.mask for each in predict(Red(), list(dataset), postprocess=False)]
    found, truth = np.stack(masks) > 0, np.stack([patch.mask for patch in dataset]) > 0
    parts = (slice(PAPER_BATCH), slice(PAPER_BATCH, None))
    expected = np.mean([f1_of(found[part], truth[part]) for part in parts])
    assert result.batch_mean_f1 == pytest.approx(expected)


def test_landslides_are_counted_whatever_their_size(result: Evaluation, pixels: Pixels) -> None:
    landslides = found = 0
    for mask, truth in zip(*pixels, strict=True):
        labels, count = ndimage.label(truth, np.ones((3, 3)))
        landslides += count
        shares = [np.mean(mask[labels == number]) for number in range(1, count + 1)]
        found += sum(share >= 0.5 for share in shares)
    assert sum(row["landslides"] for row in result.by_size()) == landslides
    assert sum(row["found"] for row in result.by_size()) == found


def test_false_alarms_are_on_patches_without_landslides_and_further_negatives(
    dataset: LabelledPatches, pixels: Pixels, labelled_folder: Path, tmp_path: Path
) -> None:
    write_patch(tmp_path / "a.h5", 40, 56, seed=1)
    own, further = evaluate(Red(), dataset, negatives=[tmp_path], postprocess=False).false_alarms
    assert (own.negatives, own.patches) == (labelled_folder.name, 2)
    # One pixel is 0.01 ha; a share of 1 of all pixels is 10,000 ha in 100 km2.
    assert own.square_kilometres == pytest.approx(2 * 0.4 * 0.48) and own.low is None
    assert own.hectares_per_100_km2 == pytest.approx(10_000 * pixels[0][[3, 5]].mean())
    assert (further.negatives, further.patches) == (tmp_path.name, 1)


def test_unobserved_pixels_count_nowhere(dataset: LabelledPatches, pixels: Pixels) -> None:
    right = np.broadcast_to(np.arange(48) >= 10, (40, 48))
    partly = changed(dataset, lambda _, patch: replace(patch, observed=right))
    result = evaluate(Red(), partly, postprocess=False)
    assert result.scores == Scores.of_masks(*pixels, right)
    assert result.pixel_counts.histogram.sum() == result.reliability.table[:, 0].sum()
    assert sum(astuple(result.scores)) == 8 * right.sum()
    assert result.false_alarms[0].square_kilometres == pytest.approx(2 * 0.4 * 0.38)


def test_what_predict_answers_is_counted_and_the_network_alone_beside_it(
    dataset: LabelledPatches, result: Evaluation
) -> None:
    answer = evaluate(Red(), dataset)
    predictions = predict(Red(), list(dataset))
    counts = [
        astuple(each.scores(patch.mask)) for each, patch in zip(predictions, dataset, strict=True)
    ]
    assert astuple(answer.scores) == tuple(np.sum(counts, axis=0))
    assert answer.steps == "without clouds, with rules"
    assert answer.network is not None and answer.network.scores == result.scores != answer.scores
    kept = answer.result("a command")
    assert kept.f1 == result.scores.f1 and kept.details.blocks == 5
    assert kept.details.intervals["f1"][0] < kept.f1 < kept.details.intervals["f1"][1]
    [refined] = kept.details.refined
    assert (refined.steps, refined.f1) == (answer.steps, answer.scores.f1)


def test_a_difference_is_drawn_from_the_same_blocks(
    dataset: LabelledPatches, result: Evaluation, tmp_path: Path
) -> None:
    other = evaluate(Red(0.7), dataset, postprocess=False)
    value, interval = difference(result, other)
    assert value == pytest.approx(result.scores.f1 - other.scores.f1)
    assert interval is not None and interval[0] < value < interval[1]
    assert difference(result, result) == (0, (0, 0))
    write_pair(tmp_path, 1)
    elsewhere = evaluate(Red(), LabelledPatches.find(tmp_path, subset="train"), postprocess=False)
    with pytest.raises(DataError, match="different patches"):
        difference(result, elsewhere)


def test_the_report_holds_json_markdown_table_and_figures(
    dataset: LabelledPatches, tmp_path: Path
) -> None:
    result = evaluate(Red(), dataset, clouds="keep")
    write_report(result, tmp_path)
    figures = json.loads((tmp_path / "evaluation.json").read_text())
    assert figures["f1"] == result.scores.f1
    assert result.network is not None and figures["network"]["f1"] == result.network.scores.f1
    assert [row["name"] for row in figures["regions"]] == ["S1", "S2"]
    text = (tmp_path / "evaluation.md").read_text()
    assert f"| {result.scores.f1:.4f} | {result.network.scores.f1:.4f} |" in text
    assert "## By region" in text and "## Landslides by size" in text
    assert sum(each[0] for each in figures["counts"].values()) == figures["true_positives"]
    for name in ("reliability", "precision_recall"):
        assert np.asarray(Image.open(tmp_path / f"{name}.png")).std() > 0


def test_access_to_held_out_patches_is_noted_and_a_result_kept_on_request(
    result: Evaluation,
) -> None:
    test = replace(result, patches=replace(result.patches, dataset="l4s-rgb", subset="test"))
    record = keep_in_record(make_record(), test, "a command", False)
    assert [access.subset for access in record.test_accesses] == ["test"]
    assert record.results == make_record().results
    free = replace(result, patches=replace(result.patches, subset="validation"))
    assert keep_in_record(make_record(), free, "a command", False) == make_record()
    (kept,) = keep_in_record(make_record(), test, "a command", True).results
    assert (kept.f1, kept.command) == (result.scores.f1, "a command")


@pytest.mark.parametrize(
    ("name", "protocol", "subset", "leaks"),
    [
        ("l4s-rgb", "folder", "test", False),
        ("l4s-rgb", "folder", "all", True),
        ("l4s-rgb", "random", "validation", True),
        ("another", "random", "test", False),
    ],
)
def test_patches_that_may_have_been_trained_on_are_warned_of(
    dataset: LabelledPatches, name: str, protocol: str, subset: str, leaks: bool
) -> None:
    patches = replace(dataset, dataset=name, protocol=protocol, subset=subset)
    assert (leak_warning(make_record(), patches) is not None) is leaks
    assert leak_warning(None, patches) is None
