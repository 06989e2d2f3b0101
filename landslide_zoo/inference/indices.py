"""Layers computed from the bands of a patch, such as NDVI and slope, that describe objects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

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
_DARKEST, _BRIGHTEST = "dark", "bright"
_PERCENTILES = {_DARKEST: 1, _BRIGHTEST: 99}
_STEPS = 16

References = Mapping[str, float | np.ndarray]
"""Properties of a patch as a whole, by which some layers are measured: one number each, or one
for each pixel, shape (H, W), where it changes over a scene."""


EVERYWHERE = (slice(None), slice(None))
"""All rows and columns of a patch."""


@dataclass(frozen=True, eq=False)
class _Measures:
    """What layers and references are made of, each made once.

    Attributes:
        patch: Holds the bands that are asked for.
    """

    patch: Patch
    _differences: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def difference(self, first: str, second: str) -> np.ndarray:
        """The normalised difference of two bands, shape (H, W)."""
        pair = first, second
        if pair not in self._differences:
            self._differences[pair] = normalised_difference(*self.patch.select(pair))
        return self._differences[pair]

    @cached_property
    def brightness(self) -> np.ndarray:
        """Mean of the true colour, shape (H, W)."""
        return self.patch.select(TRUE_COLOUR).mean(axis=0)


def references_in(
    patch: Patch, names: Collection[str], places: Iterable[tuple[slice, slice]]
) -> Iterator[dict[str, float]]:
    """The references of parts of a patch: the observed pixels of each alone say what it is like.

    Args:
        patch: With the bands that the references need.
        names: Those wanted, of the references that :data:`LAYERS` name.
        places: Rows and columns of each part.
    """
    measures = _Measures(patch)
    for place in places:
        yield _references(measures, names, place)


def _references(
    measures: _Measures, names: Collection[str], place: tuple[slice, slice]
) -> dict[str, float]:
    vegetation = [name for name in _VEGETATION if name in names]
    percentiles = [name for name in _PERCENTILES if name in names]
    observed = measures.patch.observed[place]
    references: dict[str, float] = {}
    if vegetation:
        green = _greener_half(measures.difference(*_NDVI)[place], observed)
    for name in vegetation:
        first, second, least = _VEGETATION[name]
        own = measures.difference(first, second)[place][green]
        references[name] = max(float(np.median(own)), least) if own.size else least
    if percentiles:
        bright = measures.brightness[place]
        visible = bright[observed] if observed.any() else bright
        shares = [_PERCENTILES[name] for name in percentiles]
        references |= zip(percentiles, np.percentile(visible, shares).tolist(), strict=True)
    return references


def _greener_half(ndvi: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """The greener half of the land that is observed, shape (H, W), bool."""
    land = observed & (ndvi > 0)
    if not land.any():
        return observed
    return land & (ndvi >= np.median(ndvi[land]))


def _relative(measures: _Measures, references: References, name: str) -> np.ndarray:
    """A normalised difference, divided by its median on the patch's own vegetation."""
    first, second, _ = _VEGETATION[name]
    return measures.difference(first, second) / references[name]


def _vegetation(measures: _Measures, references: References) -> np.ndarray:
    parts = [_relative(measures, references, name) for name in _VEGETATION]
    return np.stack(parts).mean(axis=0)


def _slope(measures: _Measures, _: References) -> np.ndarray:
    """Slope in degrees: its own band, or from the DEM, smoothed as its 30 m source is."""
    patch = measures.patch
    if "slope" in patch.bands:
        return patch.select(("slope",))[0]
    (dem,) = patch.select(("DEM",))
    return slope_of(scipy.ndimage.gaussian_filter(dem, 1.0), patch.grid.pixel_size)


def _entropy(measures: _Measures, references: References) -> np.ndarray:
    """Entropy in bits of the brightness within 3 pixels, in 16 steps of its range."""
    low, high = references[_DARKEST], references[_BRIGHTEST]
    shares = np.clip((measures.brightness - low) / np.maximum(high - low, 1e-6), 0, 1)
    steps = (shares * (_STEPS - 1)).astype(np.uint8)
    counts = _within_3_pixels(steps == np.arange(_STEPS)[:, None, None])
    weighted = np.arange(30) * np.log2(np.maximum(np.arange(30), 1))  # 29 pixels at most
    weighted = weighted.astype(np.float32)
    total = np.zeros(steps.shape, dtype=np.float32)
    for count in counts:
        total += weighted[count]
    pixels = counts.sum(axis=0, dtype=np.float32)
    return np.log2(pixels) - total / pixels


def _within_3_pixels(chosen: np.ndarray) -> np.ndarray:
    """How many pixels are chosen within 3 pixels of each, shape (N, H, W), uint8.

    Args:
        chosen: Shape (N, H, W), bool.
    """
    height, width = chosen.shape[1:]
    padded = np.pad(chosen.view(np.uint8), ((0, 0), (3, 3), (3, 3)))

    def along_rows(reach: int) -> np.ndarray:
        counts = padded[..., 3 - reach : 3 - reach + width].copy()
        for i in range(4 - reach, 4 + reach):
            counts += padded[..., i : i + width]
        return counts

    # A disc, row by row: one pixel, five, five, seven, five, five, one.
    one, five, seven = (along_rows(reach) for reach in (0, 2, 3))
    counts = one[:, :height] + one[:, 6:]
    for i in (1, 2, 4, 5):
        counts += five[:, i : i + height]
    return counts + seven[:, 3 : 3 + height]


@dataclass(frozen=True)
class Layer:
    """A quantity that every pixel has.

    Attributes:
        name: As in ``ndvi``; a rule may bound it.
        bands: What it needs: one of these sets.
        compute: Makes it, shape (H, W), from a patch's measures and its references.
        physical: Whether it needs physical values.
        references: Names of the references that it is measured by.
    """

    name: str
    bands: tuple[tuple[str, ...], ...]
    compute: Callable[[_Measures, References], np.ndarray]
    physical: bool = True
    references: tuple[str, ...] = ()

    @property
    def needs(self) -> str:
        """The bands that it needs, in words."""
        return " or ".join(", ".join(names) for names in self.bands)

    def fits(self, bands: Collection[str], unit: Unit) -> bool:
        """Whether bands in a unit are what it needs."""
        if self.physical and unit != "physical":
            return False
        return any(set(names) <= set(bands) for names in self.bands)


LAYERS: tuple[Layer, ...] = (
    Layer("ndvi", (_NDVI,), lambda measures, _: measures.difference(*_NDVI)),
    Layer(  # NDVI, relative to that of the patch's vegetation
        "relative_ndvi",
        (("B8", "B4"),),
        lambda measures, references: _relative(measures, references, "vegetation_ndvi"),
        references=("vegetation_ndvi",),
    ),
    # NDVI and two more differences, each relative to the patch's vegetation, in the mean: 1 on
    # plants, green or dry; 0 on bare rock and soil.
    Layer("vegetation", (_SPECTRAL,), _vegetation, references=tuple(_VEGETATION)),
    Layer("brightness", (TRUE_COLOUR,), lambda measures, _: measures.brightness, physical=False),
    Layer("slope", (("slope",), ("DEM",)), _slope),
    Layer("elevation", (("DEM",),), lambda measures, _: measures.patch.select(("DEM",))[0]),
    # Above 0 on open water.
    Layer("ndwi", (("B3", "B8"),), lambda measures, _: measures.difference("B3", "B8")),
    Layer("texture", (TRUE_COLOUR,), _entropy, physical=False, references=tuple(_PERCENTILES)),
)


def layers_fitting(bands: Collection[str], unit: Unit = "physical") -> list[Layer]:
    """The layers that bands allow."""
    return [layer for layer in LAYERS if layer.fits(bands, unit)]


def layers_of(
    patch: Patch, names: Iterable[str] | None = None, references: References | None = None
) -> dict[str, np.ndarray]:
    """The layers that a patch's bands allow, by name, each of shape (H, W), float32.

    Args:
        patch: Its observed pixels alone say what its vegetation is like.
        names: The layers wanted; all of them where None.
        references: What they are measured by; the patch's own where None.
    """
    fitting = [
        layer
        for layer in layers_fitting(patch.bands, patch.unit)
        if names is None or layer.name in set(names)
    ]
    measures = _Measures(patch)
    if references is None:
        names = {name for layer in fitting for name in layer.references}
        references = _references(measures, names, EVERYWHERE)
    return {
        layer.name: layer.compute(measures, references).astype(np.float32, copy=False)
        for layer in fitting
    }


class PatchLayers(Mapping[str, np.ndarray]):
    """The layers that a patch's bands allow, by name, each made when it is first asked for.

    Of the patch only the bands are kept that layers are made of.

    Args:
        patch: As :func:`layers_of` takes it.
    """

    def __init__(self, patch: Patch) -> None:
        self._names = [layer.name for layer in layers_fitting(patch.bands, patch.unit)]
        used = {name for layer in LAYERS for names in layer.bands for name in names}
        bands = tuple(name for name in patch.bands if name in used)
        self._patch = replace(patch, values=patch.select(bands), bands=bands, mask=None)
        self._made: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        return self.select([name])[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def select(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Those of the named layers that the bands allow, made together."""
        wanted = [name for name in self._names if name in set(names)]
        self._made |= layers_of(self._patch, [name for name in wanted if name not in self._made])
        return {name: self._made[name] for name in wanted}
