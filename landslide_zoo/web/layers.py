"""Every layer of a patch: its picture, its range, and how landslides differ in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landslide_zoo.data.bands import BAND_NAMES, band
from landslide_zoo.data.patch import Patch
from landslide_zoo.figures import band_picture, false_colour, hillshade, ndvi, true_colour

BINS = 40
_DISPLAY_UNIT = "display value"


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of a patch.

    Attributes:
        key: Short name for files and the page.
        title: What it is called.
        caption: How to read it.
        pixels: Shape (H, W, 3), uint8.
    """

    key: str
    title: str
    caption: str
    pixels: np.ndarray


@dataclass(frozen=True)
class Histogram:
    """Shares of the pixels of one kind in equal bins from a band's lowest to its highest value.

    Attributes:
        kind: ``landslide``, ``other`` or ``all``.
        shares: Share of the kind's pixels in each bin, at most :data:`BINS` + 1 of them.
        mean: Mean of the kind's pixels.
    """

    kind: str
    shares: tuple[float, ...]
    mean: float


@dataclass(frozen=True)
class Layer:
    """Figures of one band.

    Attributes:
        name: Its name, as in ``B4``.
        title: What it shows.
        unit: Unit of its values.
        low: Lowest value.
        high: Highest value.
        mean: Mean value.
        std: Standard deviation.
        histograms: Of landslide and other pixels where a mask is known, else of all.
    """

    name: str
    title: str
    unit: str
    low: float
    high: float
    mean: float
    std: float
    histograms: tuple[Histogram, ...]

    def figures(self) -> dict[str, object]:
        """The figures as plain values for JSON."""
        means = {
            f"{one.kind}_mean": round(one.mean, 4) for one in self.histograms if one.kind != "all"
        }
        return {
            "name": self.name,
            "title": self.title,
            "unit": self.unit,
            "min": round(self.low, 4),
            "max": round(self.high, 4),
            "mean": round(self.mean, 4),
            "std": round(self.std, 4),
            **means,
        }


def describe_layers(patch: Patch) -> list[Layer]:
    """Figures of every band of a patch, in its order."""
    return [
        Layer(
            name=name,
            title=band(name).title,
            unit=band(name).unit if patch.unit == "physical" else _DISPLAY_UNIT,
            low=float(values.min()),
            high=float(values.max()),
            mean=float(values.mean()),
            std=float(values.std()),
            histograms=_histograms(values, patch.mask, whole=patch.unit == "physical"),
        )
        for name, values in zip(patch.bands, patch.values, strict=True)
    ]


def composites(patch: Patch) -> list[Picture]:
    """True colour, and what else its bands allow: false colour, NDVI and hillshade."""
    pictures = [
        Picture(
            "true_colour",
            "True colour",
            "B4, B3, B2 as red, green and blue, each stretched for this patch.",
            true_colour(patch),
        )
    ]
    if set(patch.bands) == set(BAND_NAMES):
        pictures += [
            Picture(
                "false_colour",
                "False colour",
                "B8, B4, B3: plants are red, bare ground is grey to cyan.",
                false_colour(patch),
            ),
            Picture(
                "ndvi", "NDVI", "Pale where ground is bare, green where plants grow.", ndvi(patch)
            ),
            Picture(
                "hillshade",
                "Hillshade",
                "The DEM lit from the north-west.",
                hillshade(patch.select(["DEM"])[0]),
            ),
        ]
    return pictures


def band_pictures(patch: Patch) -> list[Picture]:
    """Every band in grey."""
    return [
        Picture(
            name, name, f"{band(name).title}: dark is low, bright is high.", band_picture(values)
        )
        for name, values in zip(patch.bands, patch.values, strict=True)
    ]


def _histograms(values: np.ndarray, mask: np.ndarray | None, whole: bool) -> tuple[Histogram, ...]:
    """Histograms of a band; bins of whole numbers hold as many of them each."""
    low, high = float(values.min()), float(values.max())
    width = max((high - low) / BINS, 1e-6)
    if whole:
        low, width = low - 0.5, max(1.0, np.ceil((high - low + 1) / BINS))
    count = max(1, int(np.ceil((high - low) / width)))
    edges = low + width * np.arange(count + 1)

    def of(kind: str, chosen: np.ndarray) -> Histogram:
        counts = np.histogram(chosen, edges)[0]
        shares = tuple(float(share) for share in counts / chosen.size)
        return Histogram(kind, shares, float(chosen.mean()))

    if mask is None or not mask.any() or mask.all():
        return (of("all", values),)
    return of("landslide", values[mask > 0]), of("other", values[mask == 0])
