"""Evaluation of a predictor: each patch is predicted once, and every metric comes from that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from landslide_zoo.data.landslide4sense import LabelledPatches, negative_files
from landslide_zoo.data.patch import Fingerprint, Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.errors import DataError
from landslide_zoo.evaluation.metrics import (
    SIZE_NAMES,
    Bootstrap,
    Interval,
    PixelCounts,
    Reliability,
    block_of,
    count_landslides,
    false_alarms,
    quantiles,
)
from landslide_zoo.inference.ensembles import TestTimeAugmentation
from landslide_zoo.inference.predict import (
    SCORES,
    Options,
    Prediction,
    Predictor,
    Scores,
    predict,
)
from landslide_zoo.inference.rules import rules_of, switched_on
from landslide_zoo.io import public_name
from landslide_zoo.models.record import Details, FalseAlarms, RefinedScores, Result

PAPER_BATCH = 16
"""Patches a batch in the mean of batches; the paper does not state its own."""
_BATCH = 8
"""Patches that are in memory at once."""

Statistic = Callable[[np.ndarray], float]
Row = dict[str, Any]


def _score(name: str) -> Statistic:
    return lambda counts: float(getattr(Scores(*counts), name))


STATISTICS: dict[str, tuple[str, Statistic]] = {
    **{name: ("counts", _score(name)) for name in SCORES},
    "average_precision": ("histogram", lambda total: PixelCounts(total).average_precision()),
    "calibration_error": ("reliability", lambda total: Reliability(total).error),
}
"""For each statistic: what of a patch it is computed from, and how from the sum over patches."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was counted of each patch, and the statistics made from it.

    Attributes:
        model: Name of the model, or of the ensemble, and whether it was augmented.
        steps: What was done besides the network, as in ``without clouds, with rules``.
        threshold: Probability from which a pixel counted as landslide.
        patches: The N patches.
        fingerprint: SHA-256 over their names, values and masks.
        counted: Arrays of shape (N, ...): ``counts`` (true and false
            positives, false and true negatives), ``histogram``
            (:class:`PixelCounts`), ``reliability`` (:class:`Reliability`),
            ``landslides`` (:func:`count_landslides`) and ``negatives`` (square
            metres detected as landslide, and observed, where a patch has no
            landslide).
        negatives: False alarms on further patches without landslides.
        network: The network alone; None where this is it.
    """

    model: str
    steps: str
    threshold: float
    patches: LabelledPatches
    fingerprint: str
    counted: dict[str, np.ndarray]
    negatives: tuple[FalseAlarms, ...]
    network: Evaluation | None = None

    def __repr__(self) -> str:
        patches = self.patches
        return (
            f"Evaluation({self.model!r}, {patches.dataset} {patches.protocol} {patches.subset}, "
            f"{len(patches)} patches, F1 {self.scores.f1:.4f})"
        )

    @property
    def scores(self) -> Scores:
        """Precision, recall, F1 and IoU, all pixels pooled."""
        return Scores(*map(int, self.counted["counts"].sum(axis=0)))

    @property
    def pixel_counts(self) -> PixelCounts:
        """Pixels by probability, from which every threshold's scores follow."""
        return PixelCounts(self.counted["histogram"].sum(axis=0))

    @property
    def reliability(self) -> Reliability:
        """Probabilities against the share of landslides, by bins of probability."""
        return Reliability(self.counted["reliability"].sum(axis=0))

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """Draws of blocks of the patches."""
        return Bootstrap(list(map(block_of, self.patches.places, range(len(self.patches)))))

    @cached_property
    def statistics(self) -> dict[str, float]:
        """Each of :data:`STATISTICS`, by name."""
        return {
            name: statistic(self.counted[what].sum(axis=0))
            for name, (what, statistic) in STATISTICS.items()
        }

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """95 % interval of each of :data:`STATISTICS`; none where there are too few blocks."""
        intervals = {
            name: self.bootstrap.interval(self.counted[what], statistic)
            for name, (what, statistic) in STATISTICS.items()
        }
        return {name: interval for name, interval in intervals.items() if interval}

    @property
    def batch_mean_f1(self) -> float:
        """Mean of the F1 of batches of :data:`PAPER_BATCH` patches in order, as the paper reports.

        It weighs a batch with little landslide like one with much: for
        comparison with the paper alone.
        """
        counts = self.counted["counts"]
        batches = [counts[i : i + PAPER_BATCH] for i in range(0, len(counts), PAPER_BATCH)]
        return float(np.mean([_score("f1")(batch.sum(axis=0)) for batch in batches]))

    @cached_property
    def false_alarms(self) -> list[FalseAlarms]:
        """On the patches without a landslide, and on further negatives that were given."""
        own = false_alarms(self.patches.dataset, self.counted["negatives"], self.bootstrap)
        alarms = {each.negatives: each for each in (own, *self.negatives) if each.patches}
        return list(alarms.values())

    def by_size(self) -> list[Row]:
        """Landslides found, by size, with the 95 % interval of their share, if it has one."""
        rows = []
        for k, name in enumerate(SIZE_NAMES):
            counted = self.counted["landslides"][:, k]
            landslides, found, pixels, hits = map(int, counted.sum(axis=0))
            if landslides:
                interval = self.bootstrap.interval(counted, lambda total: total[1] / total[0])
                row = {"name": name, "landslides": landslides, "found": found}
                row |= {"recall": found / landslides, "pixel_recall": hits / pixels}
                rows.append(row | {"interval": interval})
        return rows

    def by_region(self) -> list[Row]:
        """Scores by region of the benchmark, where known, with the 95 % interval of F1 if any."""
        counts = self.counted["counts"]
        regions = np.array([place[0].name if place else "" for place in self.patches.places])
        rows = []
        for name in filter(None, np.unique(regions)):
            part = counts * (regions == name)[:, None]
            scores = Scores(*map(int, part.sum(axis=0)))
            row = {"name": str(name), **{score: getattr(scores, score) for score in SCORES}}
            rows.append(row | {"interval": self.bootstrap.interval(part, _score("f1"))})
        return rows

    def result(self, command: str) -> Result:
        """The statistics as a model's record keeps them: the network's, and what steps change."""
        network, scores = self.network or self, self.scores
        refined = RefinedScores(
            steps=self.steps,
            precision=scores.precision,
            recall=scores.recall,
            f1=scores.f1,
            f1_interval=self.intervals.get("f1"),
        )
        statistics = network.statistics
        return Result.model_validate(
            {
                "dataset": self.patches.dataset,
                "fingerprint": self.fingerprint,
                "protocol": self.patches.protocol,
                "subset": self.patches.subset,
                "patches": len(self.patches),
                "threshold": self.threshold,
                **asdict(network.scores),
                **{name: statistics[name] for name in Result.model_fields.keys() & STATISTICS},
                "command": command,
                "details": Details(
                    blocks=self.bootstrap.blocks,
                    intervals=network.intervals,
                    batch_mean_f1=network.batch_mean_f1,
                    calibration_error=statistics["calibration_error"],
                    false_alarms=network.false_alarms,
                    refined=[] if scores == network.scores else [refined],
                ),
            }
        )


def evaluate(
    predictor: Predictor,
    patches: LabelledPatches,
    *,
    negatives: Sequence[Path] = (),
    progress: Callable[[Iterable[Patch]], Iterable[Patch]] = lambda patches: patches,
    **options: Unpack[Options],
) -> Evaluation:
    """Evaluate a model, an ensemble, or whatever else predicts, on labelled patches.

    What is counted is what ``predict`` answers, with clouds masked and rules applied, and
    the network alone beside it. Pixels that were not observed count nowhere.

    Args:
        predictor: What is evaluated, at its own threshold.
        patches: The patches.
        negatives: Folders of further patches without landslides, for false alarms.
        progress: Wraps the patches as they are read, to show progress.
        options: Keyword arguments of :func:`landslide_zoo.inference.predict`; with
            ``postprocess=False`` the network alone is evaluated.

    Raises:
        DataError: If a file cannot be read, or lacks what the predictor reads.
        ModelError: If a probability is not finite.

    Example:
        >>> from landslide_zoo import LandslideModel
        >>> model = LandslideModel.from_pretrained("unet-mobilenet_v2-rgb")  # doctest: +SKIP
        >>> evaluate(model, LabelledPatches.find("l4s-rgb"))  # doctest: +SKIP
        Evaluation('unet-mobilenet_v2-rgb', l4s-rgb folder test, 299 patches, F1 0.6173)
    """
    fingerprint = Fingerprint()

    def read() -> Iterator[Patch]:
        for patch in progress(patches):
            if patch.mask is None:
                raise DataError(f"{patch.name} has no mask: only labelled patches are evaluated.")
            fingerprint.add(patch)
            yield patch

    answers, networks = [], []
    for patch, answer, alone in _predictions(predictor, read(), options):
        answers.append(_count(patch, answer))
        networks.append(_count(patch, alone))
    alarms = [_on_negatives(predictor, folder, options) for folder in negatives]

    augmented = isinstance(predictor, TestTimeAugmentation)
    network = Evaluation(
        model=predictor.config.name + (" with test-time augmentation" if augmented else ""),
        steps="",
        threshold=predictor.config.threshold,
        patches=patches,
        fingerprint=fingerprint.hexdigest(),
        counted=_stacked(networks),
        negatives=tuple(alone for _, alone in alarms),
    )
    if not (steps := _steps(predictor, options)):
        return network
    return replace(
        network,
        steps=steps,
        counted=_stacked(answers),
        negatives=tuple(answer for answer, _ in alarms),
        network=network,
    )


def difference(first: Evaluation, second: Evaluation) -> tuple[float, Interval | None]:
    """By how much the first's F1 exceeds the second's, both drawn with the same blocks.

    Args:
        first: Evaluated on the same patches as the second; its draws are used.
        second: What it is compared with.

    Returns:
        The difference and its 95 % interval, None with too few blocks. If it
        does not hold 0, the two differ by more than the choice of patches explains.

    Raises:
        DataError: If they were evaluated on different patches.
    """
    if first.fingerprint != second.fingerprint:
        raise DataError(
            f"{first.model} and {second.model} were evaluated on different patches: "
            "they cannot be compared."
        )
    drawn = [first.bootstrap.totals(each.counted["counts"]) for each in (first, second)]
    interval = None
    if drawn[0] is not None and drawn[1] is not None:
        f1 = _score("f1")
        interval = quantiles([f1(a) - f1(b) for a, b in zip(*drawn, strict=True)])
    return first.scores.f1 - second.scores.f1, interval


def _steps(predictor: Predictor, options: Options) -> str:
    """What is done besides the network, in words."""
    if not options.get("postprocess", True):
        return ""
    steps = ["without clouds"] if options.get("clouds", "mask") == "mask" else []
    rules = switched_on(rules_of(predictor.config), options.get("rules_off", ()))
    return ", ".join([*steps, *(["with rules"] if rules else [])])


def _predictions(
    predictor: Predictor, patches: Iterable[Patch], options: Options
) -> Iterator[tuple[Patch, Prediction, Prediction]]:
    """Each patch with its prediction, and with that of the network alone."""
    source = iter(patches)
    while batch := list(islice(source, _BATCH)):
        for patch, answer in zip(batch, predict(predictor, batch, **options), strict=True):
            if answer.clouds is not None and answer.clouds.any():  # it saw darker clouds
                [network] = predict(predictor, [patch], postprocess=False)
            else:
                network = answer.network
            yield patch, answer, network


def _count(patch: Patch, prediction: Prediction) -> dict[str, np.ndarray]:
    """Counts of one patch, by name."""
    truth, mask, observed = patch.mask, prediction.mask, prediction.observed
    assert truth is not None
    histogram = PixelCounts()
    histogram.add(prediction.probability, truth, observed)
    return {
        "counts": np.array(astuple(Scores.of_masks(mask, truth, observed))),
        "histogram": histogram.histogram,
        "reliability": Reliability.of(prediction.probability, truth, observed).table,
        "landslides": count_landslides(mask, truth, observed, prediction.grid),
        "negatives": np.zeros(2) if truth.any() else _areas(prediction),
    }


def _stacked(rows: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _areas(prediction: Prediction) -> np.ndarray:
    """Square metres detected as landslide, and observed."""
    pixels = np.array([prediction.mask.sum(), prediction.observed.sum()], dtype=np.float64)
    return pixels * prediction.grid.pixel_area


def _on_negatives(
    predictor: Predictor, folder: Path, options: Options
) -> tuple[FalseAlarms, FalseAlarms]:
    """False alarms on a folder of negatives, of the answer and of the network alone."""
    patches = map(read_patch, negative_files(folder))
    areas = np.array(
        [
            (_areas(answer), _areas(network))
            for _, answer, network in _predictions(predictor, patches, options)
        ]
    )
    name, bootstrap = public_name(folder), Bootstrap(range(len(areas)))
    answer, network = (false_alarms(name, areas[:, variant], bootstrap) for variant in (0, 1))
    return answer, network
