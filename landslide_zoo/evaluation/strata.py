"""Scores by group: by stratum of terrain or vegetation, by region, by size of landslide.

Besides slope, elevation and NDVI, any quantity can be a stratum: a folder with
one ``.npy`` array for each patch, of the patch's stem (``image_7.npy`` for
``image_7.h5``) and its height and width. NaN marks pixels where it is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from landslide_zoo.data.bands import INDICES, band
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import DataError
from landslide_zoo.evaluation.bootstrap import Bootstrap, Interval
from landslide_zoo.evaluation.metrics import SIZE_EDGES, class_names
from landslide_zoo.inference.predict import Prediction, Scores


@dataclass(frozen=True)
class Stratum:
    """A quantity by whose classes pixels are counted apart.

    Attributes:
        name: What it is.
        unit: Its unit, or nothing.
        edges: Between its classes, ascending; an edge belongs to the class above it.
        values: Gives the quantity for each pixel of a patch, shape (H, W), or
            None where the patch lacks the bands for it.
    """

    name: str
    unit: str
    edges: tuple[float, ...]
    values: Callable[[Patch], np.ndarray | None]

    @property
    def classes(self) -> list[str]:
        """Names of its classes."""
        return class_names(self.edges, self.unit)

    def count(self, patch: Patch, prediction: Prediction) -> np.ndarray:
        """True and false positives, false and true negatives by class, shape (K, 4), int64.

        Args:
            patch: A patch with its mask.
            prediction: What was found in it.
        """
        values = self.values(patch)
        if values is None:
            return np.zeros((len(self.edges) + 1, 4), dtype=np.int64)
        assert patch.mask is not None
        seen = prediction.observed & np.isfinite(values)
        place, mask = np.digitize(values, self.edges), prediction.mask
        return np.array(
            [
                astuple(Scores.of_masks(mask, patch.mask, seen & (place == k)))
                for k in range(len(self.edges) + 1)
            ]
        )


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

    @classmethod
    def of(cls, name: str, counts: np.ndarray, bootstrap: Bootstrap) -> Group:
        """A group from the counts of each patch, shape (N, 4)."""
        interval = bootstrap.interval(counts, lambda total: Scores(*total).f1)
        return cls(name, Scores(*map(int, counts.sum(axis=0))), interval)


@dataclass(frozen=True)
class SizeGroup:
    """Landslides of one class of size.

    Attributes:
        name: The class.
        landslides: How many there are.
        found: How many are found, by half of their pixels or more.
        recall: Share that is found.
        pixel_recall: Share of their pixels that is found.
        interval: 95 % interval of the share that is found, if it has one.
    """

    name: str
    landslides: int
    found: int
    recall: float
    pixel_recall: float
    interval: Interval | None


def size_groups(counted: np.ndarray, bootstrap: Bootstrap) -> list[SizeGroup]:
    """Landslides found, by size; classes without a landslide are left out.

    Args:
        counted: What ``count_landslides`` counted of each patch, shape (N, K, 4).
        bootstrap: Draws of the N patches.
    """
    groups = []
    for k, name in enumerate(class_names(SIZE_EDGES, "ha")):
        landslides, found, pixels, hits = map(int, counted[:, k].sum(axis=0))
        if landslides:
            interval = bootstrap.interval(counted[:, k], lambda total: float(total[1] / total[0]))
            groups.append(
                SizeGroup(name, landslides, found, found / landslides, hits / pixels, interval)
            )
    return groups


def _of_band(name: str) -> Callable[[Patch], np.ndarray | None]:
    return lambda patch: patch.select([name])[0] if name in patch.bands else None


def _ndvi(patch: Patch) -> np.ndarray | None:
    known = patch.unit == "physical" and set(INDICES["NDVI"].bands) <= set(patch.bands)
    return patch.index("NDVI") if known else None


STRATA = (
    Stratum("slope", band("slope").unit, (10, 20, 30, 40), _of_band("slope")),
    Stratum("elevation", band("DEM").unit, (500, 1000, 2000, 3000), _of_band("DEM")),
    Stratum("NDVI", "", (0.2, 0.4, 0.6, 0.8), _ndvi),
)
"""The strata that every patch with these bands has."""


def raster_stratum(
    name: str,
    folder: Path,
    patches: Iterable[str],
    edges: Sequence[float] | None = None,
) -> Stratum:
    """A stratum from arrays of the user's own.

    Args:
        name: What it is, with its unit if it has one: ``rainfall (mm)``.
        folder: Holds ``STEM.npy`` for each patch.
        patches: Stems of the patches that will be evaluated.
        edges: Between its classes; the quartiles of its values where None.

    Raises:
        DataError: If an array is missing or is not one of numbers, or the edges are none or do
            not ascend.
    """
    if edges is None:
        drawn = np.concatenate([_read(name, folder, stem).ravel() for stem in patches])
        edges = np.unique(np.nanquantile(drawn, (0.25, 0.5, 0.75))).tolist()
    if not edges or list(edges) != sorted(set(edges)) or not np.isfinite(edges).all():
        raise DataError(
            f"The edges of the stratum {name!r} must be numbers that ascend: {list(edges)}."
        )

    def values(patch: Patch) -> np.ndarray:
        array = _read(name, folder, patch.name)
        if array.shape != patch.size:
            raise DataError(
                f"{folder / patch.name}.npy has shape {array.shape} and its patch {patch.size}: "
                f"an array of the stratum {name!r} has the size of its patch."
            )
        return array

    return Stratum(name, "", tuple(edges), values)


def _read(name: str, folder: Path, stem: str) -> np.ndarray:
    path = folder / f"{stem}.npy"
    if not path.is_file():
        raise DataError(
            f"There is no {path} for the stratum {name!r}: it needs one array for each patch."
        )
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read as an array: save it with np.save.") from error
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "fiub":
        raise DataError(f"{path} is not a two-dimensional array of numbers.")
    return array.astype(np.float32)
