"""Everything that is measured of a model, from one prediction of each patch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from landslide_zoo.data.patch import Patch
from landslide_zoo.data.splits import Place
from landslide_zoo.errors import DataError, ModelError
from landslide_zoo.evaluation.bootstrap import (
    RESAMPLES,
    Bootstrap,
    Interval,
    block_of,
    quantiles,
)
from landslide_zoo.evaluation.calibration import Reliability
from landslide_zoo.evaluation.counts import PixelCounts, Scores
from landslide_zoo.evaluation.false_alarms import false_alarms, measure_negatives
from landslide_zoo.evaluation.labelled import LabelledSet
from landslide_zoo.evaluation.landslides import count_landslides
from landslide_zoo.evaluation.strata import STRATA, Stratum
from landslide_zoo.inference.test_time import predict_jointly
from landslide_zoo.models.model import LandslideModel
from landslide_zoo.models.prediction import Prediction
from landslide_zoo.models.record import Details, FalseAlarms, Result

PAPER_BATCH = 16
"""Patches a batch in the mean of batches; the paper does not state its own."""

Statistic = Callable[[np.ndarray], float]


def _score(name: str) -> Statistic:
    return lambda counts: getattr(Scores(*counts), name)


def _average_precision(histogram: np.ndarray) -> float:
    return PixelCounts(histogram).average_precision()


def _calibration_error(table: np.ndarray) -> float:
    return Reliability(table).error


STATISTICS: dict[str, tuple[str, Statistic]] = {
    **{name: ("counts", _score(name)) for name in ("precision", "recall", "f1", "iou")},
    "average_precision": ("histogram", _average_precision),
    "calibration_error": ("reliability", _calibration_error),
}
"""For each figure: what of a patch it is computed from, and how from the sum over patches."""


@dataclass(frozen=True)
class Evaluation:
    """What was counted of each patch, and the figures made from it.

    Attributes:
        model: Name of the model, or of the ensemble.
        members: Names of the models whose mean was measured; one for a model alone.
        augmented: Whether test-time augmentation was used.
        threshold: Probability from which a pixel counted as landslide.
        dataset: Name of the dataset.
        protocol: How it was split.
        subset: What of it was measured.
        fingerprint: SHA-256 over the names, values and masks of the patches.
        patches: Names of the N patches.
        places: Region, row and column of each, None where it is not known.
        counted: Arrays of shape (N, ...): ``counts`` (true and false
            positives, false and true negatives), ``histogram``
            (:class:`PixelCounts`), ``reliability`` (:class:`Reliability`) and
            ``landslides`` (:func:`count_landslides`).
        strata: The strata for which patches had the bands, each with its
            counts by class, shape (N, K, 4).
        negatives: False alarms on further ground without landslides.
        bootstrap: Draws of blocks of the patches.
    """

    model: str
    members: tuple[str, ...]
    augmented: bool
    threshold: float
    dataset: str
    protocol: str
    subset: str
    fingerprint: str
    patches: tuple[str, ...]
    places: tuple[Place | None, ...]
    counted: dict[str, np.ndarray]
    strata: tuple[tuple[Stratum, np.ndarray], ...]
    negatives: tuple[FalseAlarms, ...]
    bootstrap: Bootstrap

    @property
    def scores(self) -> Scores:
        """Precision, recall, F1 and IoU, all pixels pooled."""
        return Scores(*map(int, self.counted["counts"].sum(axis=0)))

    @property
    def pixel_counts(self) -> PixelCounts:
        """Pixels by probability, from which every threshold's scores follow."""
        return PixelCounts(self.counted["histogram"].sum(axis=0))

    @property
    def average_precision(self) -> float:
        """Area under the precision-recall curve."""
        return self.pixel_counts.average_precision()

    @property
    def reliability(self) -> Reliability:
        """What was said and what was seen, by bins of probability."""
        return Reliability(self.counted["reliability"].sum(axis=0))

    @property
    def calibration_error(self) -> float:
        """Expected calibration error."""
        return self.reliability.error

    @property
    def batch_mean_f1(self) -> float:
        """Mean of the F1 of batches of :data:`PAPER_BATCH` patches in order, as the paper reports.

        It weighs a batch with little landslide like one with much: for
        comparison with the paper alone.
        """
        counts = self.counted["counts"]
        starts = range(0, len(counts), PAPER_BATCH)
        return float(
            np.mean([_score("f1")(counts[i : i + PAPER_BATCH].sum(axis=0)) for i in starts])
        )

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """95 % interval of each of :data:`STATISTICS`; none where there are too few blocks."""
        found = {
            name: self.bootstrap.interval(self.counted[what], statistic)
            for name, (what, statistic) in STATISTICS.items()
        }
        return {name: interval for name, interval in found.items() if interval}

    @cached_property
    def false_alarms(self) -> list[FalseAlarms]:
        """On the patches without a landslide, and on further ground that was given."""
        found, false, missed, _ = self.counted["counts"].T
        empty = (found + missed) == 0
        pixels = np.where(empty, self.counted["counts"].sum(axis=1), 0)
        own = false_alarms(self.dataset, np.where(empty, false, 0), pixels, self.bootstrap)
        grounds = {one.ground: one for one in (own, *self.negatives) if one.patches}
        return list(grounds.values())

    def result(self, command: str) -> Result:
        """The scores as a record keeps them."""
        scores = self.scores
        return Result(
            dataset=self.dataset,
            fingerprint=self.fingerprint,
            protocol=self.protocol,
            subset=self.subset,
            patches=len(self.patches),
            threshold=self.threshold,
            true_positives=scores.true_positives,
            false_positives=scores.false_positives,
            false_negatives=scores.false_negatives,
            true_negatives=scores.true_negatives,
            precision=scores.precision,
            recall=scores.recall,
            f1=scores.f1,
            iou=scores.iou,
            average_precision=self.average_precision,
            command=command,
            details=Details(
                blocks=self.bootstrap.blocks,
                intervals=self.intervals,
                batch_mean_f1=self.batch_mean_f1,
                calibration_error=self.calibration_error,
                false_alarms=self.false_alarms,
            ),
        )


def evaluate(
    models: LandslideModel | Sequence[LandslideModel],
    labelled: LabelledSet,
    *,
    augmented: bool = False,
    strata: Sequence[Stratum] = STRATA,
    negatives: Sequence[Path] = (),
    seed: int = 0,
    resamples: int = RESAMPLES,
    progress: Callable[[Iterable[Patch]], Iterable[Patch]] = lambda patches: patches,
) -> Evaluation:
    """Measure a model, or the mean of several, on labelled patches.

    Each patch is read and predicted once, by what ``predict`` itself uses, and
    everything is counted from that.

    Args:
        models: One model, or several whose mean probability is measured at the
            mean of their thresholds.
        labelled: The patches.
        augmented: Whether to use test-time augmentation: the mean over the
            eight orientations of a patch.
        strata: Quantities by which pixels are counted apart, where a patch has
            the bands for them.
        negatives: Folders of further ground without landslides, for false alarms.
        seed: Seed of the bootstrap.
        resamples: Its number of draws.
        progress: Wraps the patches as they are read, to show progress.

    Raises:
        DataError: If a file cannot be read, or lacks what a model reads.
        ModelError: If a model's answers are no numbers.

    Example:
        >>> from landslide_zoo import LandslideModel
        >>> model = LandslideModel.from_pretrained("unet-mobilenet_v2-rgb")  # doctest: +SKIP
        >>> found = evaluate(model, LabelledSet.find("l4s-rgb"))  # doctest: +SKIP
        >>> found.scores.f1, found.intervals["f1"]  # doctest: +SKIP
    """
    members = [models] if isinstance(models, LandslideModel) else list(models)
    predict = partial(predict_jointly, members, augmented=augmented)
    digest = hashlib.sha256()
    counted: dict[str, list[np.ndarray]] = {}
    by_class: list[list[np.ndarray]] = []
    places = list(labelled.places)
    thresholds = set()
    for index, patch in enumerate(progress(labelled)):
        if patch.mask is None:
            raise DataError(f"{patch.name} has no mask: only labelled patches can be measured.")
        if patch.synthetic:
            places[index] = None
        for part in (patch.name.encode(), patch.values.tobytes(), patch.mask.tobytes()):
            digest.update(part)
        prediction = predict(patch)
        if not np.isfinite(prediction.probability).all():
            raise ModelError(
                f"{prediction.model} answers values that are no numbers on {patch.name}: its "
                "weights are damaged."
            )
        thresholds.add(prediction.threshold)
        for name, array in _count(prediction, patch.mask).items():
            counted.setdefault(name, []).append(array)
        by_class.append([stratum.count(patch, prediction.mask) for stratum in strata])
    (threshold,) = thresholds
    blocks: list[Hashable] = [block_of(place, i) for i, place in enumerate(places)]
    names = tuple(member.config.name for member in members)
    return Evaluation(
        model=names[0] if len(names) == 1 else f"mean of {len(names)} models",
        members=names,
        augmented=augmented,
        threshold=threshold,
        dataset=labelled.dataset,
        protocol=labelled.protocol,
        subset=labelled.subset,
        fingerprint=digest.hexdigest(),
        patches=tuple(sample.image.stem for sample in labelled.samples),
        places=tuple(places),
        counted={name: np.stack(arrays) for name, arrays in counted.items()},
        strata=tuple(
            (stratum, np.stack(counts))
            for stratum, counts in zip(strata, zip(*by_class, strict=True), strict=True)
            if np.any(counts)
        ),
        negatives=tuple(
            measure_negatives(predict, folder, seed, resamples) for folder in negatives
        ),
        bootstrap=Bootstrap(blocks, seed, resamples),
    )


def difference(
    first: Evaluation, second: Evaluation, figure: str = "f1"
) -> tuple[float, Interval | None]:
    """By how much the first exceeds the second, both drawn with the same blocks.

    Args:
        first: Measured on the same patches as the second; its draws are used.
        second: What it is compared with.
        figure: Name of one of :data:`STATISTICS`.

    Returns:
        The difference and its 95 % interval, None with too few blocks. If it
        does not hold 0, the two differ by more than the choice of patches explains.

    Raises:
        DataError: If they were measured on different patches.
    """
    if first.fingerprint != second.fingerprint:
        raise DataError(
            f"{first.model} and {second.model} were measured on different patches: "
            "they cannot be compared."
        )
    what, statistic = STATISTICS[figure]
    whole = [statistic(one.counted[what].sum(axis=0)) for one in (first, second)]
    drawn = [first.bootstrap.totals(one.counted[what]) for one in (first, second)]
    interval = None
    if drawn[0] is not None and drawn[1] is not None:
        interval = quantiles([statistic(a) - statistic(b) for a, b in zip(*drawn, strict=True)])
    return whole[0] - whole[1], interval


def _count(prediction: Prediction, truth: np.ndarray) -> dict[str, np.ndarray]:
    mask = prediction.mask
    histogram = PixelCounts()
    histogram.add(prediction.probability, truth)
    return {
        "counts": np.array(astuple(Scores.of_masks(mask, truth))),
        "histogram": histogram.histogram,
        "reliability": Reliability.of(prediction.probability, truth).table,
        "landslides": count_landslides(mask, truth),
    }
