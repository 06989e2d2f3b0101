"""Counts of pixels and landslides, the metrics computed from them, and their intervals.

A score of a dataset is made from the true and false positives and negatives of
all its pixels together. A mean of the scores of batches, as the paper reports,
weighs a batch with little landslide like one with much. Pixels that were not
observed count nowhere.

Neighbouring patches show the same slides under the same sky: drawn one by one
they would make confidence intervals too narrow. So whole blocks are drawn, with
replacement, as many as there are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar

from landslide_zoo.data.landslide4sense import Place
from landslide_zoo.data.patch import UNPLACED, Grid, Patch
from landslide_zoo.inference.objects import connected_parts
from landslide_zoo.inference.predict import Scores, values_of
from landslide_zoo.models.record import FalseAlarms

if TYPE_CHECKING:
    from landslide_zoo.inference.model import LandslideModel

THRESHOLDS = 256
"""Thresholds are multiples of 1/256, which float32 holds exactly."""
RELIABILITY_BINS = 15
"""As many as Guo et al. use."""
SIZE_EDGES = (0.1, 0.5, 1.0, 5.0)
"""Between the classes of landslide size, in hectares."""
SIZE_NAMES = ("below 0.1 ha", "0.1 to 0.5 ha", "0.5 to 1 ha", "1 to 5 ha", "5 ha and more")
FOUND_SHARE = 0.5
"""A landslide is found if at least this share of its pixels is."""

_FIT_PIXELS = 1024
"""Pixels drawn from each patch to fit the temperature."""
_HIGHEST_TEMPERATURE = 20.0

BLOCK_SIDE = 4
"""Side of a block in patches: 5 km, farther than a storm cell or a rock face reaches."""
FEWEST_BLOCKS = 5
"""Fewer blocks give no meaningful interval."""
RESAMPLES = 1000
LEVEL = 0.95

Interval = tuple[float, float]


def block_of(place: Place | None, number: int) -> Hashable:
    """The block that a patch belongs to: a square of its region, or itself if its place is unknown.

    Args:
        place: Its region, row and column.
        number: What tells it from others.
    """
    if place is None:
        return number
    region, row, column = place
    return region.name, row // BLOCK_SIDE, column // BLOCK_SIDE


class Bootstrap:
    """Draws of blocks, the same for everything that is counted on the same blocks.

    Args:
        blocks: Block of each patch.
        seed: Seed of the draws.
        resamples: Number of draws.
    """

    def __init__(
        self, blocks: Sequence[Hashable], seed: int = 0, resamples: int = RESAMPLES
    ) -> None:
        numbers = {block: i for i, block in enumerate(dict.fromkeys(blocks))}
        self.blocks = len(numbers)
        self._block_of_patch = [numbers[block] for block in blocks]
        self._seed, self._resamples = seed, resamples

    def interval(
        self, counted: np.ndarray, statistic: Callable[[np.ndarray], float]
    ) -> Interval | None:
        """The 95 % interval of a statistic of what was counted.

        Args:
            counted: What was counted of each patch, shape (N, ...); counts of
                patches add up.
            statistic: Computes the figure from such a sum, shape (...).

        Returns:
            The interval, or None where fewer than :data:`FEWEST_BLOCKS` blocks
            have anything of what was counted.
        """
        totals = self.totals(counted)
        return None if totals is None else quantiles([statistic(total) for total in totals])

    def totals(self, counted: np.ndarray) -> np.ndarray | None:
        """Sums of counts (N, ...) over each draw of the blocks that have any of them.

        Returns:
            Shape (resamples, ...), or None where too few blocks have any.
        """
        flat = counted.reshape(len(counted), -1).astype(np.float64)
        sums = np.zeros((self.blocks, flat.shape[1]))
        np.add.at(sums, self._block_of_patch, flat)
        sums = sums[sums.any(axis=1)]
        size = len(sums)
        if size < FEWEST_BLOCKS:
            return None
        draws = np.random.default_rng(self._seed).integers(size, size=(self._resamples, size))
        times = np.stack([np.bincount(draw, minlength=size) for draw in draws])
        return (times @ sums).reshape(-1, *counted.shape[1:])


def quantiles(values: Sequence[float]) -> Interval:
    """The interval that leaves out equal shares of the values at both ends."""
    low, high = np.quantile(values, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


class PixelCounts:
    """Histograms of probability over landslide and other pixels.

    They add up over patches and processes without rounding, and give the
    scores at every threshold k / 256 at once.

    Args:
        histogram: Shape (2, 257), int64: other pixels, then landslide pixels,
            by floor(256 p).
    """

    def __init__(self, histogram: np.ndarray | None = None) -> None:
        if histogram is None:
            histogram = np.zeros((2, THRESHOLDS + 1), dtype=np.int64)
        self.histogram = histogram

    def add(
        self, probability: np.ndarray, truth: np.ndarray, observed: np.ndarray | None = None
    ) -> None:
        """Count pixels.

        Args:
            probability: Landslide probabilities, any shape.
            truth: What is there, 0 and 1, of the same shape.
            observed: Pixels that count, bool, of the same shape; all where None.
        """
        if observed is not None:
            probability, truth = probability[observed], truth[observed]
        bins = np.floor(probability.ravel() * np.float32(THRESHOLDS)).astype(np.int64)
        joint = truth.ravel().astype(np.int64) * (THRESHOLDS + 1) + bins
        counts = np.bincount(joint, minlength=self.histogram.size)
        self.histogram = self.histogram + counts.reshape(self.histogram.shape)

    def scores(self, threshold: float) -> Scores:
        """Scores at a threshold.

        Raises:
            ValueError: If the threshold is not a multiple of 1/256.
        """
        k = threshold * THRESHOLDS
        if k != int(k):
            raise ValueError(f"{threshold} is not a multiple of 1/{THRESHOLDS}")
        fp, tp = map(int, self.histogram[:, int(k) :].sum(axis=1))
        tn, fn = map(int, self.histogram[:, : int(k)].sum(axis=1))
        return Scores(tp, fp, fn, tn)

    def best_threshold(self) -> float:
        """The threshold k / 256, with k from 1, whose F1 is highest; the middle one of equals."""
        f1 = np.array([self.scores(k / THRESHOLDS).f1 for k in range(1, THRESHOLDS + 1)])
        best = np.flatnonzero(f1 == f1.max()) + 1
        return float(best[len(best) // 2]) / THRESHOLDS

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Recall, ascending, and precision at each threshold k / 256; recall 0 without landslides.

        Returns:
            Two arrays, shape (257,).
        """
        false, true = np.cumsum(self.histogram[:, ::-1], axis=1)
        return true / max(true[-1], 1), true / np.maximum(true + false, 1)

    def average_precision(self) -> float:
        """Area under the precision-recall curve, as the sum of precision x step of recall."""
        recall, precision = self.curve()
        return float(np.sum(precision * np.diff(recall, prepend=0)))


@dataclass(frozen=True, eq=False)
class Reliability:
    """Reliability table: are three of ten pixels with a probability of 0.3 landslide?

    Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks",
    ICML 2017.

    Attributes:
        table: Shape (15, 3): pixels, the sum of their probabilities, and the
            landslide pixels among them, by equal bins of probability. Tables
            of patches add up.
    """

    table: np.ndarray

    @classmethod
    def of(
        cls, probability: np.ndarray, truth: np.ndarray, observed: np.ndarray | None = None
    ) -> Reliability:
        """The table of probabilities and truths (0 and 1); arguments as :meth:`PixelCounts.add`."""
        if observed is not None:
            probability, truth = probability[observed], truth[observed]
        values = probability.ravel().astype(np.float64)
        bins = np.minimum((values * RELIABILITY_BINS).astype(np.int64), RELIABILITY_BINS - 1)
        columns = [
            np.bincount(bins, weights, RELIABILITY_BINS)
            for weights in (None, values, truth.ravel())
        ]
        return cls(np.stack(columns, axis=1).astype(np.float64))

    @property
    def error(self) -> float:
        """Expected calibration error: mean difference of the two, by pixels; 0 without pixels."""
        pixels, probabilities, landslides = self.table.T
        if not pixels.any():
            return 0.0
        return float(np.abs(probabilities - landslides).sum() / pixels.sum())


def fit_temperature(model: LandslideModel, patches: Iterable[Patch], seed: int = 0) -> float:
    """Temperature to divide a model's logits by, besides its own.

    The temperature with the lowest cross-entropy on pixels drawn from the
    patches, if it also lowers their calibration error; else 1.

    Args:
        model: Left as it is.
        patches: Patches that it was not trained on: those of validation.
        seed: Seed of the pixels that are drawn.
    """
    random = np.random.default_rng(seed)
    drawn_logits, drawn_truth = [], []
    for patch in patches:
        assert patch.mask is not None
        observed = np.flatnonzero(patch.observed)
        if not observed.size:
            continue
        pixels = observed[random.integers(observed.size, size=_FIT_PIXELS)]
        logits = model.logits(values_of([patch], model.config)).cpu().numpy()
        drawn_logits.append(logits.ravel()[pixels].astype(np.float64))
        drawn_truth.append(patch.mask.ravel()[pixels])
    logits, truth = np.concatenate(drawn_logits), np.concatenate(drawn_truth).astype(np.float64)

    def cross_entropy(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, scaled) - truth * scaled))

    def error(temperature: float) -> float:
        return Reliability.of(1 / (1 + np.exp(-logits / temperature)), truth).error

    bound = float(np.log(_HIGHEST_TEMPERATURE))
    best = float(np.exp(minimize_scalar(cross_entropy, bounds=(-bound, bound)).x))
    return best if error(best) < error(1.0) else 1.0


def count_landslides(
    mask: np.ndarray,
    truth: np.ndarray,
    observed: np.ndarray | None = None,
    grid: Grid = UNPLACED,
) -> np.ndarray:
    """Count the landslides of a patch, and those found, by size.

    A landslide that is cut by the edge, or partly not observed, has the size of
    the part that was observed.

    Args:
        mask: What was found, shape (H, W), 0 and 1.
        truth: What is there, shape (H, W), 0 and 1; pixels that touch at a
            corner are one landslide.
        observed: Pixels that count, shape (H, W), bool; all where None.
        grid: Size of the pixels.

    Returns:
        Landslides, those found, their pixels, and the pixels found, by class
        of size; shape (len(SIZE_EDGES) + 1, 4), int64.
    """
    if observed is None:
        observed = np.ones(mask.shape, dtype=bool)
    labels = connected_parts(truth)[observed]
    pixels, hits = np.bincount(labels)[1:], np.bincount(labels, weights=mask[observed])[1:]
    pixels, hits = pixels[pixels > 0], hits[pixels > 0]
    classes = np.digitize([grid.hectares(int(size)) for size in pixels], SIZE_EDGES)
    columns = (np.ones_like(pixels), hits >= FOUND_SHARE * pixels, pixels, hits)
    sums = [np.bincount(classes, column, len(SIZE_EDGES) + 1) for column in columns]
    return np.stack(sums, axis=1).astype(np.int64)


def false_alarms(negatives: str, areas: np.ndarray, bootstrap: Bootstrap) -> FalseAlarms:
    """False alarms: the area detected where there is no landslide.

    Args:
        negatives: Name of the patches without landslides.
        areas: Square metres detected as landslide, and observed, of each patch, shape (N, 2).
        bootstrap: Draws of the N patches.
    """

    def hectares_per_100_km2(total: np.ndarray) -> float:
        found, whole = total
        return float(10_000 * found / whole) if whole else 0.0

    low, high = bootstrap.interval(areas, hectares_per_100_km2) or (None, None)
    return FalseAlarms(
        negatives=negatives,
        patches=int(np.count_nonzero(areas[:, 1])),
        square_kilometres=float(areas[:, 1].sum() / 1_000_000),
        hectares_per_100_km2=hectares_per_100_km2(areas.sum(axis=0)),
        low=low,
        high=high,
    )
