"""Evaluation of a predictor: each patch is predicted once, and every metric comes from that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np

from landslide_zoo.data.files import public_name
from landslide_zoo.data.landslide4sense import Place
from landslide_zoo.data.patch import Fingerprint, Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.errors import DataError
from landslide_zoo.evaluation.bootstrap import Bootstrap, Interval, block_of, quantiles
from landslide_zoo.evaluation.dataset import LabelledPatches, negative_files
from landslide_zoo.evaluation.metrics import (
    PixelCounts,
    Reliability,
    count_landslides,
    false_alarms,
)
from landslide_zoo.evaluation.strata import STRATA, Group, SizeGroup, Stratum, size_groups
from landslide_zoo.inference.ensembles import Ensemble
from landslide_zoo.inference.predict import SCORES, Prediction, Predictor, Scores, predict
from landslide_zoo.inference.tta import TestTimeAugmentation
from landslide_zoo.models.record import Details, FalseAlarms, RefinedScores, Result

PAPER_BATCH = 16
"""Patches a batch in the mean of batches; the paper does not state its own."""
_BATCH = 8
"""Patches that are in memory at once."""

Refine = Callable[[Patch, Prediction], Prediction]
"""A step after the network, such as leaving out clouds and dropping objects by rules."""
Statistic = Callable[[np.ndarray], float]


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
        model: Name of the model, or of the ensemble.
        members: Names of the models whose mean was evaluated; one for a model alone.
        augmented: Whether test-time augmentation was used.
        threshold: Probability from which a pixel counted as landslide.
        dataset: Name of the dataset.
        protocol: How it was split.
        subset: What of it was evaluated.
        fingerprint: SHA-256 over the names, values and masks of the patches.
        patches: Names of the N patches.
        places: Region, row and column of each, None where it is not known.
        counted: Arrays of shape (N, ...): ``counts`` (true and false
            positives, false and true negatives), ``histogram``
            (:class:`PixelCounts`), ``reliability`` (:class:`Reliability`),
            ``landslides`` (:func:`count_landslides`) and ``negatives`` (square
            metres detected as landslide, and observed, where a patch has no
            landslide); and by the name of each stratum what ``counts`` counts,
            by class, shape (N, K, 4).
        strata: The strata for which patches had the bands.
        negatives: False alarms on further patches without landslides.
        bootstrap: Draws of blocks of the patches.
        refined: The same predictions after each further step, by its name.
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
    strata: tuple[Stratum, ...]
    negatives: tuple[FalseAlarms, ...]
    bootstrap: Bootstrap
    refined: Mapping[str, Evaluation] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"Evaluation({self.model!r}, {self.dataset} {self.protocol} {self.subset}, "
            f"{len(self.patches)} patches, F1 {self.scores.f1:.4f})"
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
    def statistics(self) -> dict[str, float]:
        """Each of :data:`STATISTICS`, by name."""
        return {
            name: statistic(self.counted[what].sum(axis=0))
            for name, (what, statistic) in STATISTICS.items()
        }

    @property
    def average_precision(self) -> float:
        """Area under the precision-recall curve."""
        return self.pixel_counts.average_precision()

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
        batches = [counts[i : i + PAPER_BATCH] for i in range(0, len(counts), PAPER_BATCH)]
        return float(np.mean([_score("f1")(batch.sum(axis=0)) for batch in batches]))

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
        """On the patches without a landslide, and on further negatives that were given."""
        own = false_alarms(self.dataset, self.counted["negatives"], self.bootstrap)
        return list({one.negatives: one for one in (own, *self.negatives) if one.patches}.values())

    def by_region(self) -> list[Group]:
        """Scores by region of the benchmark, where places are known."""
        names = np.array([place[0].name if place else "" for place in self.places])
        counts = self.counted["counts"]
        return [
            Group.of(str(name), counts * (names == name)[:, None], self.bootstrap)
            for name in np.unique(names)
            if name
        ]

    def by_stratum(self) -> dict[str, list[Group]]:
        """Scores by class of each stratum; classes without a pixel are left out."""
        return {
            stratum.name: [
                Group.of(name, counts[:, k], self.bootstrap)
                for k, name in enumerate(stratum.classes)
                if (counts := self.counted[_key(stratum)])[:, k].any()
            ]
            for stratum in self.strata
        }

    def by_size(self) -> list[SizeGroup]:
        """Landslides found, by size; classes without a landslide are left out."""
        return size_groups(self.counted["landslides"], self.bootstrap)

    def result(self, command: str) -> Result:
        """The statistics as a model's record keeps them."""
        return Result.model_validate(
            {
                "dataset": self.dataset,
                "fingerprint": self.fingerprint,
                "protocol": self.protocol,
                "subset": self.subset,
                "patches": len(self.patches),
                "threshold": self.threshold,
                **asdict(self.scores),
                **{name: self.statistics[name] for name in Result.model_fields.keys() & STATISTICS},
                "command": command,
                "details": Details(
                    blocks=self.bootstrap.blocks,
                    intervals=self.intervals,
                    batch_mean_f1=self.batch_mean_f1,
                    calibration_error=self.calibration_error,
                    false_alarms=self.false_alarms,
                    refined=[
                        RefinedScores(
                            steps=steps,
                            precision=one.scores.precision,
                            recall=one.scores.recall,
                            f1=one.scores.f1,
                            f1_interval=one.intervals.get("f1"),
                        )
                        for steps, one in self.refined.items()
                        if one.scores != self.scores
                    ],
                ),
            }
        )


def evaluate(
    predictor: Predictor,
    dataset: LabelledPatches,
    *,
    refine: Mapping[str, Refine] | None = None,
    strata: Sequence[Stratum] = STRATA,
    negatives: Sequence[Path] = (),
    progress: Callable[[Iterable[Patch]], Iterable[Patch]] = lambda patches: patches,
) -> Evaluation:
    """Evaluate a model, an ensemble, or whatever else predicts, on labelled patches.

    Each patch is read and predicted once, by what ``predict`` itself uses, and
    everything is counted from that. Pixels that were not observed count nowhere.

    Args:
        predictor: What is evaluated, at its own threshold.
        dataset: The patches.
        refine: Further steps after the network, by name; each is counted too,
            from the same predictions (:attr:`Evaluation.refined`).
        strata: Quantities by which pixels are counted apart, where a patch has
            the bands for them.
        negatives: Folders of further patches without landslides, for false alarms.
        progress: Wraps the patches as they are read, to show progress.

    Raises:
        DataError: If a file cannot be read, or lacks what the predictor reads.
        ModelError: If a probability is not finite.

    Example:
        >>> from landslide_zoo import LandslideModel
        >>> model = LandslideModel.from_pretrained("unet-mobilenet_v2-rgb")  # doctest: +SKIP
        >>> evaluate(model, LabelledPatches.find("l4s-rgb"))  # doctest: +SKIP
        Evaluation('unet-mobilenet_v2-rgb', l4s-rgb folder test, 233 patches, F1 0.6174)
    """
    steps = refine or {}
    fingerprint = Fingerprint()

    def read() -> Iterator[Patch]:
        for patch in progress(dataset):
            if patch.mask is None:
                raise DataError(f"{patch.name} has no mask: only labelled patches are evaluated.")
            fingerprint.add(patch)
            yield patch

    counted: list[list[dict[str, np.ndarray]]] = [[] for _ in range(1 + len(steps))]
    for patch, predictions in _predictions(predictor, read(), steps.values()):
        for rows, prediction in zip(counted, predictions, strict=True):
            rows.append(_count(patch, prediction, strata))
    alarms = [_on_negatives(predictor, folder, steps) for folder in negatives]

    bootstrap = Bootstrap(list(map(block_of, dataset.places, range(len(dataset)))))
    augmented = isinstance(predictor, TestTimeAugmentation)
    inner = predictor.predictor if isinstance(predictor, TestTimeAugmentation) else predictor
    # One that is a folder of its own is evaluated again by its own name.
    members = inner.members if isinstance(inner, Ensemble) and not inner.stated else [inner]

    def evaluation(variant: int, refined: Mapping[str, Evaluation]) -> Evaluation:
        rows = counted[variant]
        stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return Evaluation(
            model=predictor.config.name,
            members=tuple(member.config.name for member in members),
            augmented=augmented,
            threshold=predictor.config.threshold,
            dataset=dataset.dataset,
            protocol=dataset.protocol,
            subset=dataset.subset,
            fingerprint=fingerprint.hexdigest(),
            patches=tuple(sample.image.stem for sample in dataset.samples),
            places=dataset.places,
            counted=stacked,
            strata=tuple(stratum for stratum in strata if stacked[_key(stratum)].any()),
            negatives=tuple(one[variant] for one in alarms),
            bootstrap=bootstrap,
            refined=refined,
        )

    return evaluation(0, {name: evaluation(i, {}) for i, name in enumerate(steps, start=1)})


def difference(
    first: Evaluation, second: Evaluation, statistic: str = "f1"
) -> tuple[float, Interval | None]:
    """By how much the first exceeds the second, both drawn with the same blocks.

    Args:
        first: Evaluated on the same patches as the second; its draws are used.
        second: What it is compared with.
        statistic: Name of one of :data:`STATISTICS`.

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
    what, value = STATISTICS[statistic]
    whole = [value(one.counted[what].sum(axis=0)) for one in (first, second)]
    drawn = [first.bootstrap.totals(one.counted[what]) for one in (first, second)]
    interval = None
    if drawn[0] is not None and drawn[1] is not None:
        interval = quantiles([value(a) - value(b) for a, b in zip(*drawn, strict=True)])
    return whole[0] - whole[1], interval


def _predictions(
    predictor: Predictor, patches: Iterable[Patch], steps: Iterable[Refine]
) -> Iterator[tuple[Patch, list[Prediction]]]:
    """Each patch with its prediction, and with that prediction after each step."""
    source, steps = iter(patches), list(steps)
    while batch := list(islice(source, _BATCH)):
        for patch, prediction in zip(
            batch, predict(predictor, batch, postprocess=False), strict=True
        ):
            yield patch, [prediction, *(step(patch, prediction) for step in steps)]


def _count(
    patch: Patch, prediction: Prediction, strata: Sequence[Stratum]
) -> dict[str, np.ndarray]:
    """Counts of one patch, by name."""
    assert patch.mask is not None
    probability, mask, observed = prediction.probability, prediction.mask, prediction.observed
    histogram = PixelCounts()
    histogram.add(probability, patch.mask, observed)
    area = np.zeros(2) if patch.mask.any() else _areas(prediction)
    return {
        "counts": np.array(astuple(Scores.of_masks(mask, patch.mask, observed))),
        "histogram": histogram.histogram,
        "reliability": Reliability.of(probability, patch.mask, observed).table,
        "landslides": count_landslides(mask, patch.mask, observed, prediction.grid),
        "negatives": area,
        **{_key(stratum): stratum.count(patch, prediction) for stratum in strata},
    }


def _key(stratum: Stratum) -> str:
    return f"stratum {stratum.name}"


def _areas(prediction: Prediction) -> np.ndarray:
    """Square metres detected as landslide, and observed."""
    pixels = np.array([prediction.mask.sum(), prediction.observed.sum()], dtype=np.float64)
    return pixels * prediction.grid.pixel_area


def _on_negatives(
    predictor: Predictor, folder: Path, steps: Mapping[str, Refine]
) -> list[FalseAlarms]:
    """False alarms on a folder of negatives, of the network alone and after each step."""
    patches = map(read_patch, negative_files(folder))
    found = [
        [_areas(one) for one in predictions]
        for _, predictions in _predictions(predictor, patches, steps.values())
    ]
    bootstrap = Bootstrap(range(len(found)))
    return [
        false_alarms(public_name(folder), np.stack(areas), bootstrap)
        for areas in zip(*found, strict=True)
    ]
