"""An evaluation taken apart: by region, by stratum, and by size of landslide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landslide_zoo.evaluation.bootstrap import Bootstrap, Interval
from landslide_zoo.evaluation.counts import Scores
from landslide_zoo.evaluation.evaluate import Evaluation
from landslide_zoo.evaluation.landslides import SIZES


@dataclass(frozen=True)
class Group:
    """Pixels that have something in common.

    Attributes:
        name: What they have in common.
        scores: Their scores.
        interval: 95 % interval of their F1, if it has one.
    """

    name: str
    scores: Scores
    interval: Interval | None


@dataclass(frozen=True)
class SizeGroup:
    """Landslides of one class of size.

    Attributes:
        name: The class.
        landslides: How many there are.
        found: How many are found, by half of their pixels or more.
        recall: Share that is found; 0 where there is none.
        pixel_recall: Share of their pixels that is found.
        interval: 95 % interval of the share that is found, if it has one.
    """

    name: str
    landslides: int
    found: int
    recall: float
    pixel_recall: float
    interval: Interval | None


def by_region(evaluation: Evaluation) -> list[Group]:
    """Scores by region of the benchmark, where places are known."""
    names = np.array([place[0].name if place else "" for place in evaluation.places])
    counts = evaluation.counted["counts"]
    return [
        _group(str(name), counts * (names == name)[:, None], evaluation.bootstrap)
        for name in np.unique(names)
        if name
    ]


def by_stratum(evaluation: Evaluation) -> dict[str, list[Group]]:
    """Scores by class of each stratum; classes without a pixel are left out."""
    return {
        stratum.name: [
            _group(name, counts[:, k], evaluation.bootstrap)
            for k, name in enumerate(stratum.classes)
            if counts[:, k].any()
        ]
        for stratum, counts in evaluation.strata
    }


def by_size(evaluation: Evaluation) -> list[SizeGroup]:
    """Landslides found, by size; classes without a landslide are left out."""
    counted = evaluation.counted["landslides"]
    rows = []
    for k, name in enumerate(SIZES):
        landslides, found, pixels, hits = map(int, counted[:, k].sum(axis=0))
        if landslides:
            interval = evaluation.bootstrap.interval(counted[:, k], _share_found)
            rows.append(
                SizeGroup(name, landslides, found, found / landslides, hits / pixels, interval)
            )
    return rows


def _group(name: str, counts: np.ndarray, bootstrap: Bootstrap) -> Group:
    interval = bootstrap.interval(counts, lambda total: Scores(*total).f1)
    return Group(name, Scores(*map(int, counts.sum(axis=0))), interval)


def _share_found(total: np.ndarray) -> float:
    return float(total[1] / total[0])
