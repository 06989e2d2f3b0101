"""An evaluation as JSON, Markdown, CSV and charts, and its place in a model's record."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

from landslide_zoo.data.files import public_name
from landslide_zoo.evaluation.bootstrap import Interval
from landslide_zoo.evaluation.dataset import ALL, LabelledPatches
from landslide_zoo.evaluation.evaluate import PAPER_BATCH, Evaluation
from landslide_zoo.evaluation.metrics import FOUND_SHARE, RELIABILITY_BINS
from landslide_zoo.evaluation.strata import Group
from landslide_zoo.figures.charts import bars_figure, precision_recall_figure, reliability_figure
from landslide_zoo.inference.predict import SCORES, Scores
from landslide_zoo.io import write_whole
from landslide_zoo.models.record import Record
from landslide_zoo.text import csv_table, markdown_table

TITLES = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "iou": "IoU",
    "average_precision": "average precision",
    "calibration_error": "calibration error",
}
"""Titles of the statistics."""
ALONE = "network alone"
"""Title of the network's own column beside those of further steps."""
FREE_SUBSET = "validation"
"""The subset that choices are made on; every access to another one is logged."""


def to_dict(evaluation: Evaluation) -> dict[str, Any]:
    """Everything in an evaluation, as JSON holds it."""
    reliability = evaluation.reliability
    bins = zip(
        reliability.table[:, 0],
        reliability.mean_probability,
        reliability.landslide_share,
        strict=True,
    )
    return {
        "model": evaluation.model,
        "members": list(evaluation.members),
        "test_time_augmentation": evaluation.augmented,
        "dataset": evaluation.dataset,
        "protocol": evaluation.protocol,
        "subset": evaluation.subset,
        "fingerprint": evaluation.fingerprint,
        "patches": len(evaluation.patches),
        "blocks": evaluation.bootstrap.blocks,
        "threshold": evaluation.threshold,
        "observed_pixels": sum(astuple(evaluation.scores)),
        **asdict(evaluation.scores),
        **evaluation.statistics,
        "batch_mean_f1": evaluation.batch_mean_f1,
        "intervals": evaluation.intervals,
        "reliability": [
            {
                "from": i / RELIABILITY_BINS,
                "to": (i + 1) / RELIABILITY_BINS,
                "pixels": int(pixels),
                "mean_probability": float(probability) if pixels else None,
                "landslide_share": float(share) if pixels else None,
            }
            for i, (pixels, probability, share) in enumerate(bins)
        ],
        "landslides": [asdict(group) for group in evaluation.by_size()],
        "regions": [_group_to_dict(group) for group in evaluation.by_region()],
        "strata": {
            name: [_group_to_dict(group) for group in groups]
            for name, groups in evaluation.by_stratum().items()
        },
        "false_alarms": [alarms.model_dump() for alarms in evaluation.false_alarms],
        "refined": {name: to_dict(one) for name, one in evaluation.refined.items()},
    }


def to_markdown(evaluation: Evaluation) -> str:
    """An evaluation as a page of tables."""
    how = ", test-time augmentation" if evaluation.augmented else ""
    members = f" ({', '.join(evaluation.members)})" if len(evaluation.members) > 1 else ""
    variants = {ALONE: evaluation, **evaluation.refined} if evaluation.refined else {"": evaluation}
    header = [cell for name in variants for cell in (name or "value", "95 % interval")]
    rows = [
        (
            title,
            *(
                cell
                for one in variants.values()
                for cell in (f"{one.statistics[key]:.4f}", interval_text(one.intervals.get(key)))
            ),
        )
        for key, title in TITLES.items()
    ]
    if evaluation.refined:
        observed = [str(sum(astuple(one.scores))) for one in variants.values()]
        rows.append(("observed pixels", *(cell for count in observed for cell in (count, ""))))
    sections = [
        f"# {evaluation.model}{members}",
        f"{evaluation.dataset}, {evaluation.protocol} split, {evaluation.subset}: "
        f"{len(evaluation.patches)} patches, threshold {evaluation.threshold:.4g}{how}.",
        markdown_table(("statistic", *header), rows),
        "All observed pixels of all patches pooled; intervals by bootstrap over "
        f"{evaluation.bootstrap.blocks} blocks of patches. The mean of the F1 of batches of "
        f"{PAPER_BATCH}, as the paper reports, is {evaluation.batch_mean_f1:.4f}.",
        *_false_alarm_section(variants),
        *_size_section(evaluation),
    ]
    for name, groups in _groupings(evaluation).items():
        columns = (name, "landslide pixels", "precision", "recall", "F1", "95 % interval")
        sections += [f"## By {name}", markdown_table(columns, map(_group_cells, groups))]
    return "\n\n".join(sections) + "\n"


def interval_text(interval: Interval | None, digits: int = 3) -> str:
    """An interval as in ``0.610 to 0.690``, a dash where there is none."""
    return "-" if interval is None else f"{interval[0]:.{digits}f} to {interval[1]:.{digits}f}"


def write_report(evaluation: Evaluation, folder: Path) -> None:
    """Write ``evaluation.json``, ``evaluation.md``, ``patches.csv`` and the charts.

    Args:
        evaluation: What was measured.
        folder: Made if need be; earlier reports are replaced.

    Raises:
        DataError: If they cannot be written.
    """
    recall, precision = evaluation.pixel_counts.curve()
    scores, reliability = evaluation.scores, evaluation.reliability
    files: dict[str, str | bytes] = {
        "evaluation.json": json.dumps(to_dict(evaluation), indent=1) + "\n",
        "evaluation.md": to_markdown(evaluation),
        "patches.csv": _patches_csv(evaluation),
        "reliability.png": reliability_figure(
            reliability.mean_probability,
            reliability.landslide_share,
            reliability.table[:, 0],
            reliability.error,
        ),
        "precision_recall.png": precision_recall_figure(
            recall,
            precision,
            (scores.recall, scores.precision),
            f"{evaluation.model} (average precision {evaluation.average_precision:.4f})",
        ),
    }
    sizes = [(f"{s.name} ({s.landslides})", s.recall, s.interval) for s in evaluation.by_size()]
    panels = [("Landslides by size", "share found", sizes)] if sizes else []
    for name, groups in _groupings(evaluation).items():
        panels.append((f"By {name}", "F1", [(g.name, g.scores.f1, g.interval) for g in groups]))
    if panels:
        files["groups.png"] = bars_figure(panels)
    for name, content in files.items():
        write_whole(folder / name, content)


def leak_warning(record: Record | None, dataset: LabelledPatches) -> str | None:
    """Warn that a model may have been trained on patches it is evaluated on; None if it was not."""
    if record is None or record.data.name != dataset.dataset:
        return None
    if record.data.protocol == dataset.protocol and dataset.subset != ALL:
        return None
    return (
        f"{record.model} was trained on the {record.data.protocol} split of {dataset.dataset}, "
        f"so some of the patches here ({dataset.protocol} split, {dataset.subset}) may be among "
        "those it learned from: the result does not hold for new patches."
    )


def evaluation_command(evaluation: Evaluation, negatives: Sequence[Path] = ()) -> str:
    """The command that repeats an evaluation, with names instead of local paths."""
    words = ["landslide-zoo", "evaluate", *evaluation.members, "--data", evaluation.dataset]
    words += ["--split", evaluation.protocol, "--subset", evaluation.subset]
    words += ["--tta"] if evaluation.augmented else []
    words += ["--ensemble"] if len(evaluation.members) > 1 else []
    for folder in negatives:
        words += ["--negatives", public_name(folder)]
    return shlex.join(words)


def keep_in_record(record: Record, evaluation: Evaluation, command: str, result: bool) -> Record:
    """A record with an evaluation noted in it.

    Args:
        record: The model's record.
        evaluation: What was measured.
        command: What was run.
        result: Whether to keep the result too; access to held-out patches is
            logged in any case.
    """
    if evaluation.subset != FREE_SUBSET:
        record = record.with_test_access(
            evaluation.dataset, evaluation.protocol, evaluation.subset, command
        )
    return record.with_result(evaluation.result(command)) if result else record


def _false_alarm_section(variants: dict[str, Evaluation]) -> list[str]:
    rows = [
        (
            " ".join(filter(None, (alarms.negatives, name and f"({name})"))),
            str(alarms.patches),
            f"{alarms.square_kilometres:.1f}",
            f"{alarms.hectares_per_100_km2:.1f}",
            interval_text(None if alarms.low is None else (alarms.low, alarms.high or 0.0), 1),
        )
        for name, evaluation in variants.items()
        for alarms in evaluation.false_alarms
    ]
    header = ("patches without landslides", "patches", "km²", "ha per 100 km²", "95 % interval")
    return ["## False alarms", markdown_table(header, sorted(rows))] if rows else []


def _size_section(evaluation: Evaluation) -> list[str]:
    rows = [
        (
            group.name,
            str(group.landslides),
            str(group.found),
            f"{group.recall:.3f}",
            interval_text(group.interval),
            f"{group.pixel_recall:.3f}",
        )
        for group in evaluation.by_size()
    ]
    header = ("size", "landslides", "found", "recall", "95 % interval", "recall of pixels")
    note = f"A landslide is found if at least {FOUND_SHARE:.0%} of its pixels are."
    return ["## Landslides by size", markdown_table(header, rows), note] if rows else []


def _groupings(evaluation: Evaluation) -> dict[str, list[Group]]:
    regions = evaluation.by_region()
    return {**({"region": regions} if regions else {}), **evaluation.by_stratum()}


def _group_to_dict(group: Group) -> dict[str, Any]:
    scores = group.scores
    return {
        "name": group.name,
        **asdict(scores),
        **{name: getattr(scores, name) for name in SCORES},
        "f1_interval": group.interval,
    }


def _group_cells(group: Group) -> tuple[str, ...]:
    scores = group.scores
    pixels = scores.true_positives + scores.false_negatives
    values = (f"{value:.4f}" for value in (scores.precision, scores.recall, scores.f1))
    return group.name, str(pixels), *values, interval_text(group.interval)


def _patches_csv(evaluation: Evaluation) -> str:
    """Pixel counts of each patch, for statistics of one's own."""
    rows = []
    counted = evaluation.counted["counts"]
    for name, place, counts in zip(evaluation.patches, evaluation.places, counted, strict=True):
        region, row, column = (place[0].name, *place[1:]) if place else ("", "", "")
        pixels = asdict(Scores(*map(int, counts)))
        rows.append({"patch": name, "region": region, "row": row, "column": column, **pixels})
    return csv_table(rows)
