"""An evaluation as JSON, Markdown and charts, and its place in a model's record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

from landslide_zoo.data.landslide4sense import ALL, LabelledPatches
from landslide_zoo.evaluation.evaluate import PAPER_BATCH, Evaluation, Row
from landslide_zoo.evaluation.metrics import FOUND_SHARE, Interval
from landslide_zoo.figures.charts import (
    precision_recall_figure,
    reliability_figure,
)
from landslide_zoo.io import markdown_table, write_whole
from landslide_zoo.models.record import Record

ALONE = "network alone"
"""Title of the network's own scores beside those of what ``predict`` answers."""
FREE_SUBSET = "validation"
"""The subset that choices are made on; every access to another one is logged."""


def to_dict(evaluation: Evaluation) -> dict[str, Any]:
    """Everything in an evaluation, as JSON holds it.

    ``counts`` is true and false positives, false and true negatives of each patch,
    ``reliability`` the pixels, the sum of their probabilities, and the landslide pixels
    among them, by equal bins of probability.
    """
    patches = evaluation.patches
    return {
        "model": evaluation.model,
        "steps": evaluation.steps,
        "dataset": patches.dataset,
        "protocol": patches.protocol,
        "subset": patches.subset,
        "fingerprint": evaluation.fingerprint,
        "patches": len(patches),
        "counts": {
            sample.image.stem: counts.tolist()
            for sample, counts in zip(patches.samples, evaluation.counted["counts"], strict=True)
        },
        "blocks": evaluation.bootstrap.blocks,
        "threshold": evaluation.threshold,
        "observed_pixels": sum(astuple(evaluation.scores)),
        **asdict(evaluation.scores),
        **evaluation.statistics,
        "batch_mean_f1": evaluation.batch_mean_f1,
        "intervals": evaluation.intervals,
        "reliability": evaluation.reliability.table.tolist(),
        "landslides": evaluation.by_size(),
        "regions": evaluation.by_region(),
        "false_alarms": [alarms.model_dump() for alarms in evaluation.false_alarms],
        "network": to_dict(evaluation.network) if evaluation.network else None,
    }


def to_markdown(evaluation: Evaluation) -> str:
    """An evaluation as a page of tables."""
    patches = evaluation.patches
    variants = {evaluation.steps or ALONE: evaluation}
    if evaluation.network:
        variants[ALONE] = evaluation.network
    statistics = [
        {"statistic": name}
        | {title: variant.statistics[name] for title, variant in variants.items()}
        | {f"{title}, 95 %": variant.intervals.get(name) for title, variant in variants.items()}
        for name in evaluation.statistics
    ]
    alarms = [
        {"after": title, **alarms.model_dump()}
        for title, variant in variants.items()
        for alarms in variant.false_alarms
    ]
    tables = {
        "Statistics": statistics,
        "False alarms": alarms,
        "Landslides by size": evaluation.by_size(),
        "By region": evaluation.by_region(),
    }
    sections = [f"## {title}\n\n{_table(rows)}" for title, rows in tables.items() if rows]
    return "\n\n".join(
        [
            f"# {evaluation.model}",
            f"{patches.dataset}, {patches.protocol} split, {patches.subset}: {len(patches)} "
            f"patches, threshold {evaluation.threshold:.4g}.",
            *sections,
            "All observed pixels of all patches pooled; 95 % intervals by bootstrap over "
            f"{evaluation.bootstrap.blocks} blocks of patches. The mean of the F1 of batches of "
            f"{PAPER_BATCH}, as the paper reports, is {evaluation.batch_mean_f1:.4f}. A landslide "
            f"is found if at least {FOUND_SHARE:.0%} of its pixels are.\n",
        ]
    )


def _table(rows: Sequence[Row]) -> str:
    def cell(value: object) -> str:
        if isinstance(value, float):
            return f"{value:.4f}"
        return interval_text(value) if value is None or isinstance(value, tuple) else str(value)

    header = [name.replace("_", " ") for name in rows[0]]
    return markdown_table(header, [[cell(value) for value in row.values()] for row in rows])


def interval_text(interval: Interval | None, digits: int = 3) -> str:
    """An interval as in ``0.610 to 0.690``, a dash where there is none."""
    return "-" if interval is None else f"{interval[0]:.{digits}f} to {interval[1]:.{digits}f}"


def write_report(evaluation: Evaluation, folder: Path) -> None:
    """Write ``evaluation.json``, ``evaluation.md`` and the charts.

    Args:
        evaluation: What was measured.
        folder: Made if need be; earlier reports are replaced.

    Raises:
        DataError: If they cannot be written.
    """
    recall, precision = evaluation.pixel_counts.curve()
    scores, reliability = evaluation.scores, evaluation.reliability
    area = evaluation.statistics["average_precision"]
    files: dict[str, str | bytes] = {
        "evaluation.json": json.dumps(to_dict(evaluation), indent=1) + "\n",
        "evaluation.md": to_markdown(evaluation),
        "reliability.png": reliability_figure(reliability.table, reliability.error),
        "precision_recall.png": precision_recall_figure(
            recall,
            precision,
            (scores.recall, scores.precision),
            f"{evaluation.model} (average precision {area:.4f})",
        ),
    }
    for name, content in files.items():
        write_whole(folder / name, content)


def leak_warning(record: Record | None, patches: LabelledPatches) -> str | None:
    """Warn that a model may have been trained on patches it is evaluated on; None if it was not."""
    if record is None or record.data.name != patches.dataset:
        return None
    if record.data.protocol == patches.protocol and patches.subset != ALL:
        return None
    return (
        f"{record.model} was trained on the {record.data.protocol} split of {patches.dataset}, "
        f"so some of the patches here ({patches.protocol} split, {patches.subset}) may be among "
        "those it learned from: the result does not hold for new patches."
    )


def keep_in_record(record: Record, evaluation: Evaluation, command: str, result: bool) -> Record:
    """A record with an evaluation noted in it.

    Args:
        record: The model's record.
        evaluation: What was measured.
        command: How, with names instead of local paths.
        result: Whether to keep the result too; access to held-out patches is
            logged in any case.
    """
    patches = evaluation.patches
    if patches.subset != FREE_SUBSET:
        record = record.with_test_access(patches.dataset, patches.protocol, patches.subset, command)
    return record.with_result(evaluation.result(command)) if result else record
