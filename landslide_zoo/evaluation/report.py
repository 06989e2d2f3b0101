"""An evaluation as JSON, Markdown and figures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from landslide_zoo.data.files import write_whole
from landslide_zoo.evaluation.bootstrap import Interval
from landslide_zoo.evaluation.calibration import BINS
from landslide_zoo.evaluation.evaluate import PAPER_BATCH, STATISTICS, Evaluation
from landslide_zoo.evaluation.groups import Group, SizeGroup, by_region, by_size, by_stratum
from landslide_zoo.evaluation.landslides import FOUND_SHARE
from landslide_zoo.figures.scores import (
    Bars,
    bars_figure,
    precision_recall_figure,
    reliability_figure,
)

TITLES = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "iou": "IoU",
    "average_precision": "average precision",
    "calibration_error": "calibration error",
}
"""How each of the figures with an interval is called."""
_ALARMS = ("ground without landslides", "patches", "km2", "ha per 100 km2", "95 % interval")
_SIZES = ("size", "landslides", "found", "recall", "95 % interval", "recall of pixels")
_GROUP = ("landslide pixels", "precision", "recall", "F1", "95 % interval")


def as_dict(evaluation: Evaluation) -> dict[str, Any]:
    """All figures of an evaluation, as JSON holds them."""
    reliability = evaluation.reliability
    bins = zip(reliability.table, reliability.said, reliability.seen, strict=True)
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
        **asdict(evaluation.scores),
        **figures(evaluation),
        "batch_mean_f1": evaluation.batch_mean_f1,
        "intervals": evaluation.intervals,
        "reliability": [
            {
                "from": i / BINS,
                "to": (i + 1) / BINS,
                "pixels": int(row[0]),
                "said": float(said) if row[0] else None,
                "seen": float(seen) if row[0] else None,
            }
            for i, (row, said, seen) in enumerate(bins)
        ],
        "landslides": [asdict(group) for group in by_size(evaluation)],
        "regions": [_group(group) for group in by_region(evaluation)],
        "strata": {
            name: [_group(group) for group in groups]
            for name, groups in by_stratum(evaluation).items()
        },
        "false_alarms": [alarms.model_dump() for alarms in evaluation.false_alarms],
    }


def figures(evaluation: Evaluation) -> dict[str, float]:
    """The figures that have intervals, by name."""
    return {
        name: statistic(evaluation.counted[what].sum(axis=0))
        for name, (what, statistic) in STATISTICS.items()
    }


def as_markdown(evaluation: Evaluation) -> str:
    """An evaluation as a page of tables."""
    how = ", test-time augmentation" if evaluation.augmented else ""
    members = f" ({', '.join(evaluation.members)})" if len(evaluation.members) > 1 else ""
    intervals = evaluation.intervals
    lines = [
        f"# {evaluation.model}{members}",
        "",
        f"{evaluation.dataset}, {evaluation.protocol} split, {evaluation.subset}: "
        f"{len(evaluation.patches)} patches, threshold {evaluation.threshold:.4g}{how}.",
        "",
        *_table(
            ("figure", "value", "95 % interval"),
            [
                (TITLES[name], f"{value:.4f}", interval_text(intervals.get(name)))
                for name, value in figures(evaluation).items()
            ],
        ),
        "",
        "All pixels of all patches pooled; intervals by bootstrap over "
        f"{evaluation.bootstrap.blocks} blocks of patches. The mean of the F1 of batches of "
        f"{PAPER_BATCH}, as the paper reports, is {evaluation.batch_mean_f1:.4f}.",
    ]
    alarms = [
        (
            one.ground,
            str(one.patches),
            f"{one.square_kilometres:.1f}",
            f"{one.hectares_per_100_km2:.1f}",
            interval_text(None if one.low is None else (one.low, one.high or 0.0), 1),
        )
        for one in evaluation.false_alarms
    ]
    if alarms:
        lines += ["", "## False alarms", "", *_table(_ALARMS, alarms)]
    sizes = by_size(evaluation)
    if sizes:
        rows = [_size_cells(group) for group in sizes]
        lines += ["", "## Landslides by size", "", *_table(_SIZES, rows)]
        lines += ["", f"A landslide is found if at least {FOUND_SHARE:.0%} of its pixels are."]
    for name, groups in _groupings(evaluation).items():
        rows = [_cells(group) for group in groups]
        lines += ["", f"## By {name}", "", *_table((name, *_GROUP), rows)]
    return "\n".join(lines) + "\n"


def interval_text(interval: Interval | None, digits: int = 3) -> str:
    """An interval in words, a dash where there is none."""
    return "-" if interval is None else f"{interval[0]:.{digits}f} to {interval[1]:.{digits}f}"


def write_report(evaluation: Evaluation, folder: Path) -> None:
    """Write ``evaluation.json``, ``evaluation.md``, ``patches.csv`` and the figures.

    Args:
        evaluation: What was measured.
        folder: Made if need be; earlier reports are replaced.

    Raises:
        DataError: If they cannot be written.
    """
    recall, precision = evaluation.pixel_counts.curve()
    scores, reliability = evaluation.scores, evaluation.reliability
    files: dict[str, str | bytes] = {
        "evaluation.json": json.dumps(as_dict(evaluation), indent=1) + "\n",
        "evaluation.md": as_markdown(evaluation),
        "patches.csv": _patches(evaluation),
        "reliability.png": reliability_figure(
            reliability.said, reliability.seen, reliability.table[:, 0], reliability.error
        ),
        "precision_recall.png": precision_recall_figure(
            recall,
            precision,
            (scores.recall, scores.precision),
            f"{evaluation.model} (average precision {evaluation.average_precision:.4f})",
        ),
    }
    panels = _panels(evaluation)
    if panels:
        files["groups.png"] = bars_figure(panels)
    for name, content in files.items():
        write_whole(folder / name, content)


def _groupings(evaluation: Evaluation) -> dict[str, list[Group]]:
    regions = by_region(evaluation)
    return {**({"region": regions} if regions else {}), **by_stratum(evaluation)}


def _panels(evaluation: Evaluation) -> list[Bars]:
    panels: list[Bars] = []
    sizes = by_size(evaluation)
    if sizes:
        bars = [(f"{one.name} ({one.landslides})", one.recall, one.interval) for one in sizes]
        panels.append(("Landslides by size", "share found", bars))
    for name, groups in _groupings(evaluation).items():
        panels.append(
            (f"By {name}", "F1", [(one.name, one.scores.f1, one.interval) for one in groups])
        )
    return panels


def _group(group: Group) -> dict[str, Any]:
    scores = group.scores
    return {
        "name": group.name,
        **asdict(scores),
        **{name: getattr(scores, name) for name in ("precision", "recall", "f1", "iou")},
        "f1_interval": group.interval,
    }


def _cells(group: Group) -> tuple[str, ...]:
    scores = group.scores
    pixels = scores.true_positives + scores.false_negatives
    values = (f"{value:.4f}" for value in (scores.precision, scores.recall, scores.f1))
    return group.name, str(pixels), *values, interval_text(group.interval)


def _size_cells(group: SizeGroup) -> tuple[str, ...]:
    return (
        group.name,
        str(group.landslides),
        str(group.found),
        f"{group.recall:.3f}",
        interval_text(group.interval),
        f"{group.pixel_recall:.3f}",
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _patches(evaluation: Evaluation) -> str:
    """What was counted of each patch, as CSV, for statistics of one's own."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    names = ("true_positives", "false_positives", "false_negatives", "true_negatives")
    table.writerow(("patch", "region", "row", "column", *names))
    counts: np.ndarray = evaluation.counted["counts"]
    for name, place, row in zip(evaluation.patches, evaluation.places, counts, strict=True):
        where = (place[0].name, place[1], place[2]) if place else ("", "", "")
        table.writerow((name, *where, *map(int, row)))
    return file.getvalue()
