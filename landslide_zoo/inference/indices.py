"""Layers computed from the bands of a patch, such as NDVI and slope, that describe objects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import scipy

from landslide_zoo.data.bands import INDICES, TRUE_COLOUR, Unit, normalised_difference
from landslide_zoo.data.checks import slope_of
from landslide_zoo.data.patch import Patch

_NDVI = INDICES["NDVI"]
_SPECTRAL = ("B4", "B8", "B11", "B12")
_VEGETATION = {
    "vegetation_ndvi": (*_NDVI, 0.55),
    "vegetation_nbr2": ("B11", "B12", 0.3),
    "vegetation_swir_red": ("B11", "B4", 0.3),
}
"""First and second band of each normalised difference, and the least that its value on
vegetation is taken to be, a tenth below the lowest of the labelled 14-band patches (0.60, 0.32,
0.33): where next to nothing grows there is no vegetation to measure by."""
References = Mapping[str, float | np.ndarray]
"""Properties of a patch as a whole, by which some layers are measured: one number each, or one
for each pixel, shape (H, W), where it changes over a scene."""


EVERYWHERE = (slice(None), slice(None))
"""All rows and columns of a patch."""


class _Differences:
    """Normalised differences of a patch's bands, each computed once.

    Args:
        patch: Holds the bands that are asked for.
    """

    def __init__(self, patch: Patch) -> None:
        self.patch = patch
        self._made: dict[tuple[str, ...], np.ndarray] = {}

    def __call__(self, *pair: str) -> np.ndarray:
        """That of two bands, shape (H, W)."""
        if pair not in self._made:
            self._made[pair] = normalised_difference(*self.patch.select(pair))
        return self._made[pair]


def references_in(
    patch: Patch, names: Collection[str], places: Iterable[tuple[slice, slice]]
) -> Iterator[dict[str, float]]:
    """The references of parts of a patch: the observed pixels of each alone say what it is like.

    Args:
        patch: With the bands that the references need.
        names: Those wanted, of the references that :data:`LAYERS` name.
        places: Rows and columns of each part.
    """
    difference = _Differences(patch)
    for place in places:
        yield _references(difference, names, place)


def _references(
    difference: _Differences, names: Collection[str], place: tuple[slice, slice]
) -> dict[str, float]:
    if not names:
        return {}
    green = _greener_half(difference(*_NDVI)[place], difference.patch.observed[place])
    references = {}
    for name in names:
        first, second, least = _VEGETATION[name]
        own = difference(first, second)[place][green]
        references[name] = max(float(np.median(own)), least) if own.size else least
    return references


def _greener_half(ndvi: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """The greener half of the land that is observed, shape (H, W), bool."""
    land = observed & (ndvi > 0)
    if not land.any():
        return observed
    return land & (ndvi >= np.median(ndvi[land]))


def _relative(difference: _Differences, references: References, name: str) -> np.ndarray:
    """A normalised difference, divided by its median on the patch's own vegetation."""
    first, second, _ = _VEGETATION[name]
    return difference(first, second) / references[name]


def _vegetation(difference: _Differences, references: References) -> np.ndarray:
    parts = [_relative(difference, references, name) for name in _VEGETATION]
    return np.stack(parts).mean(axis=0)


def _slope(difference: _Differences, _: References) -> np.ndarray:
    """Slope in degrees: its own band, or from the DEM, smoothed as its 30 m source is."""
    patch = difference.patch
    if "slope" in patch.bands:
        return patch.select(("slope",))[0]
    (dem,) = patch.select(("DEM",))
    return slope_of(scipy.ndimage.gaussian_filter(dem, 1.0), patch.grid.pixel_size)


@dataclass(frozen=True)
class Layer:
    """A quantity that every pixel has.

    Attributes:
        name: As in ``ndvi``; a rule may bound it.
        bands: What it needs: one of these sets.
        compute: Makes it, shape (H, W), from a patch's differences and its references.
        physical: Whether it needs physical values.
        references: Names of the references that it is measured by.
    """

    name: str
    bands: tuple[tuple[str, ...], ...]
    compute: Callable[[_Differences, References], np.ndarray]
    physical: bool = True
    references: tuple[str, ...] = ()


LAYERS: tuple[Layer, ...] = (
    Layer("ndvi", (_NDVI,), lambda difference, _: difference(*_NDVI)),
    Layer(  # NDVI, relative to that of the patch's vegetation
        "relative_ndvi",
        (("B8", "B4"),),
        lambda difference, references: _relative(difference, references, "vegetation_ndvi"),
        references=("vegetation_ndvi",),
    ),
    # NDVI and two more differences, each relative to the patch's vegetation, in the mean: 1 on
    # plants, green or dry; 0 on bare rock and soil.
    Layer("vegetation", (_SPECTRAL,), _vegetation, references=tuple(_VEGETATION)),
    Layer(
        "brightness",
        (TRUE_COLOUR,),
        lambda difference, _: difference.patch.select(TRUE_COLOUR).mean(axis=0),
        physical=False,
    ),
    Layer("slope", (("slope",), ("DEM",)), _slope),
    Layer("elevation", (("DEM",),), lambda difference, _: difference.patch.select(("DEM",))[0]),
    # Above 0 on open water.
    Layer("ndwi", (("B3", "B8"),), lambda difference, _: difference("B3", "B8")),
)


def layers_fitting(bands: Collection[str], unit: Unit) -> list[Layer]:
    """The layers that bands in a unit allow."""
    return [
        layer
        for layer in LAYERS
        if (unit == "physical" or not layer.physical)
        and any(set(names) <= set(bands) for names in layer.bands)
    ]


def layers_of(patch: Patch, references: References | None = None) -> dict[str, np.ndarray]:
    """The layers that a patch's bands allow, by name, each of shape (H, W), float32.

    Args:
        patch: Its observed pixels alone say what its vegetation is like.
        references: What they are measured by; the patch's own where None.
    """
    fitting, difference = layers_fitting(patch.bands, patch.unit), _Differences(patch)
    if references is None:
        names = {name for layer in fitting for name in layer.references}
        references = _references(difference, names, EVERYWHERE)
    return {
        layer.name: layer.compute(difference, references).astype(np.float32, copy=False)
        for layer in fitting
    }
