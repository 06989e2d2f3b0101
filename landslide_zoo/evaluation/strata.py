"""Strata: what terrain and vegetation do to accuracy, pixel by pixel.

Besides slope, elevation and NDVI, any quantity can be a stratum: a folder with
one ``.npy`` array for each patch, of the patch's stem (``image_7.npy`` for
``image_7.h5``) and its height and width. NaN marks pixels where it is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landslide_zoo.data.bands import INDICES, band
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import DataError
from landslide_zoo.evaluation.classes import class_names, count_classes


@dataclass(frozen=True)
class Stratum:
    """A quantity by whose classes pixels are counted apart.

    Attributes:
        name: What it is.
        unit: Its unit, or nothing.
        edges: Between its classes, ascending.
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

    def count(self, patch: Patch, mask: np.ndarray) -> np.ndarray:
        """True and false positives, false and true negatives by class, shape (K, 4), int64.

        Args:
            patch: A patch with its truth.
            mask: What was found, shape (H, W).
        """
        values = self.values(patch)
        if values is None:
            return np.zeros((len(self.edges) + 1, 4), dtype=np.int64)
        assert patch.mask is not None
        found, real = mask > 0, patch.mask > 0
        kinds = (found & real, found & ~real, ~found & real, ~found & ~real)
        return count_classes(values, self.edges, kinds)


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
        patches: Stems of the patches that will be measured.
        edges: Between its classes; the quartiles of its values where None.

    Raises:
        DataError: If an array is missing, is no array of numbers, or the edges do not ascend.
    """
    if edges is None:
        drawn = np.concatenate([_read(name, folder, stem).ravel() for stem in patches])
        edges = np.unique(np.nanquantile(drawn, (0.25, 0.5, 0.75))).tolist()
    if not edges or list(edges) != sorted(set(edges)):
        raise DataError(f"The edges of the stratum {name!r} must ascend: {list(edges)}.")

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
        raise DataError(f"{path} is no array that can be read: save it with np.save.") from error
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "fiub":
        raise DataError(f"{path} is no two-dimensional array of numbers.")
    return array.astype(np.float32)
