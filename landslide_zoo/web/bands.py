"""The tab Bands: what a patch holds, layer by layer and pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np

from landslide_zoo.data.bands import BAND_NAMES, band
from landslide_zoo.data.checks import check_patch
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures.images import band_picture, false_colour, hillshade, ndvi, true_colour
from landslide_zoo.web.components import (
    AT_ONCE,
    WORK,
    Picture,
    filled,
    html,
    number,
    problem,
    render,
    table,
)
from landslide_zoo.web.inputs import Inputs
from landslide_zoo.web.service import Service, Upload

_DISPLAY_UNIT = "display value"
_COLUMNS = ("Band", "At the pixel", "Lowest", "Highest", "Mean", "Unit", "Shows")
# A click on the picture tells the server which pixel, as shares of height and width.
_PROBE = """
element.addEventListener("click", (event) => {
  const stack = event.target.closest("[data-probe]");
  if (!stack) return;
  const box = stack.getBoundingClientRect();
  trigger("probe", { row: (event.clientY - box.top) / box.height,
                     column: (event.clientX - box.left) / box.width });
});
"""
_EMPTY = {
    "lead": "Look into a patch",
    "text": "Give a patch to see its fourteen layers, its composites, and the values of any pixel.",
}


@dataclass(frozen=True)
class BandSummary:
    """Figures of one band.

    Attributes:
        name: Its name, as in ``B4``.
        title: What it shows.
        unit: Unit of its values.
        low: Lowest value.
        high: Highest value.
        mean: Mean value.
        std: Standard deviation.
        means: Of ``landslide`` and ``other`` pixels, where a mask tells them apart.
    """

    name: str
    title: str
    unit: str
    low: float
    high: float
    mean: float
    std: float
    means: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values for JSON."""
        figures = {"min": self.low, "max": self.high, "mean": self.mean, "std": self.std}
        figures |= {f"{kind}_mean": mean for kind, mean in self.means.items()}
        rounded = {name: number(value, 4) for name, value in figures.items()}
        return {"name": self.name, "title": self.title, "unit": self.unit, **rounded}


def build_bands(service: Service, inputs: Inputs) -> None:
    """Lay out the tab and wire its events.

    Args:
        service: Reads the patches.
        inputs: The visitor's patches.
    """
    looked_at = gr.State(None)
    viewer = html(render("empty", **_EMPTY), js_on_load=_PROBE, elem_id="lz-bands")
    with gr.Row(visible=False, elem_id="lz-pixel") as chooser:
        row = gr.Number(0, label="Row", precision=0, minimum=0, min_width=90)
        column = gr.Number(0, label="Column", precision=0, minimum=0, min_width=90)
    pixel = html(elem_id="lz-at-pixel")
    values = table(_COLUMNS, label="Values", visible=False, elem_id="lz-values", max_height=700)
    at_pixel = [pixel, values]

    def show(uploads: list[Upload], shown: int | None) -> list[Any]:
        seen, page, y, x = None, render("empty", **_EMPTY), 0, 0
        try:
            if uploads:
                patch = service.read(uploads[shown or 0])
                seen = _Seen(patch, summarise_bands(patch))
                page = _page(patch)
                y, x = (side // 2 for side in patch.size)
        except LandslideZooError as error:
            page = problem(error)
        return [seen, page, gr.Row(visible=seen is not None), y, x, *read_pixel(seen, y, x)]

    def read_pixel(seen: _Seen | None, at_row: float | None, at_column: float | None) -> list[Any]:
        if seen is None:
            return ["", filled([], _COLUMNS)]
        height, width = seen.patch.size
        y = min(max(int(at_row or 0), 0), height - 1)
        x = min(max(int(at_column or 0), 0), width - 1)
        mask = seen.patch.mask
        truth = None if mask is None else bool(mask[y, x])
        text = render("pixel", row=y, column=x, height=height, width=width, truth=truth)
        return [text, filled(seen.values_at(y, x), _COLUMNS)]

    def probe(seen: _Seen | None, event: gr.EventData) -> list[Any]:
        height, width = seen.patch.size if seen else (0, 0)
        y, x = int(event.row * height), int(event.column * width)
        return [y, x, *read_pixel(seen, y, x)]

    gr.on(
        [inputs.uploads.change, inputs.shown.change],
        show,
        [inputs.uploads, inputs.shown],
        [looked_at, viewer, chooser, row, column, *at_pixel],
        trigger_mode="always_last",
        show_progress="hidden",
        **WORK,
    )
    viewer.probe(probe, looked_at, [row, column, *at_pixel], **AT_ONCE)
    gr.on([row.input, column.input], read_pixel, [looked_at, row, column], at_pixel, **AT_ONCE)


@dataclass(frozen=True, eq=False)
class _Seen:
    """A patch on show, and the figures of its bands."""

    patch: Patch
    summaries: list[BandSummary]

    def values_at(self, row: int, column: int) -> list[list[object]]:
        """A row of the table for each band."""
        digits = 0 if self.patch.unit == "physical" else 2
        rows: list[list[object]] = []
        for one, values in zip(self.summaries, self.patch.values, strict=True):
            numbers = (float(values[row, column]), one.low, one.high, one.mean)
            rows.append([one.name, *(number(n, digits) for n in numbers), one.unit, one.title])
        return rows


def summarise_bands(patch: Patch) -> list[BandSummary]:
    """Figures of every band of a patch, in its order."""
    return [
        BandSummary(
            name=name,
            title=band(name).title,
            unit=band(name).unit if patch.unit == "physical" else _DISPLAY_UNIT,
            low=float(values.min()),
            high=float(values.max()),
            mean=float(values.mean()),
            std=float(values.std()),
            means=_means(values, patch.mask),
        )
        for name, values in zip(patch.bands, patch.values, strict=True)
    ]


def composites(patch: Patch) -> list[Picture]:
    """True colour, and what else its bands allow: false colour, NDVI and hillshade."""
    text = "B4, B3, B2 as red, green and blue, each stretched for this patch."
    pictures = [Picture("true_colour", "True colour", text, true_colour(patch))]
    if set(patch.bands) == set(BAND_NAMES):
        red = "B8, B4, B3: plants are red, bare ground is grey to cyan."
        green = "Pale where ground is bare, green where plants grow."
        lit = hillshade(patch.select(["DEM"])[0], patch.grid)
        pictures += [
            Picture("false_colour", "False colour", red, false_colour(patch)),
            Picture("ndvi", "NDVI", green, ndvi(patch)),
            Picture("hillshade", "Hillshade", "The DEM lit from the north-west.", lit),
        ]
    return pictures


def _page(patch: Patch) -> str:
    grey = [
        Picture(
            name, name, f"{band(name).title}: dark is low, bright is high.", band_picture(values)
        )
        for name, values in zip(patch.bands, patch.values, strict=True)
    ]
    return render(
        "layers", patch=patch, warnings=check_patch(patch), layers=[*composites(patch), *grey]
    )


def _means(values: np.ndarray, mask: np.ndarray | None) -> dict[str, float]:
    if mask is None or not mask.any() or mask.all():
        return {}
    return {
        "landslide": float(values[mask > 0].mean()),
        "other": float(values[mask == 0].mean()),
    }
