"""The tab Bands: what a patch holds, layer by layer and pixel by pixel."""

from __future__ import annotations

from typing import Any

import gradio as gr

from landslide_zoo.data.bands import BAND_NAMES, band
from landslide_zoo.data.checks import check_patch
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures import images
from landslide_zoo.web import components as ui
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


def build_bands(service: Service, inputs: Inputs) -> None:
    """Lay out the tab and wire its events.

    Args:
        service: Reads the patches.
        inputs: The visitor's patches.
    """
    shown_patch = gr.State(None)
    viewer = ui.html(ui.render("empty", **_EMPTY), js_on_load=_PROBE, elem_id="lz-bands")
    with gr.Row(visible=False, elem_id="lz-pixel") as chooser:
        row = gr.Number(0, label="Row", precision=0, minimum=0, min_width=90)
        column = gr.Number(0, label="Column", precision=0, minimum=0, min_width=90)
    pixel = ui.html(elem_id="lz-at-pixel")
    values = ui.table(_COLUMNS, label="Values", visible=False, elem_id="lz-values", max_height=700)
    at_pixel = [pixel, values]

    def show(uploads: list[Upload], shown: int | None) -> list[Any]:
        patch, page, y, x = None, ui.render("empty", **_EMPTY), 0, 0
        try:
            if uploads:
                patch = service.read(uploads[shown or 0])
                page = _page(patch)
                y, x = (side // 2 for side in patch.size)
        except LandslideZooError as error:
            page = ui.problem(error)
        return [patch, page, gr.Row(visible=patch is not None), y, x, *read_pixel(patch, y, x)]

    def read_pixel(patch: Patch | None, y: float | None, x: float | None) -> list[Any]:
        if patch is None:
            return ["", ui.filled([], _COLUMNS)]
        height, width = patch.size
        at = min(max(int(y or 0), 0), height - 1), min(max(int(x or 0), 0), width - 1)
        truth = None if patch.mask is None else bool(patch.mask[at])
        text = ui.render("pixel", row=at[0], column=at[1], height=height, width=width, truth=truth)
        digits = 0 if patch.unit == "physical" else 2
        rows = []
        for figures, value in zip(describe_bands(patch), patch.values[:, *at], strict=True):
            numbers = (float(value), figures["min"], figures["max"], figures["mean"])
            rounded = [ui.number(number, digits) for number in numbers]
            rows.append([figures["name"], *rounded, figures["unit"], figures["title"]])
        return [text, ui.filled(rows, _COLUMNS)]

    def probe(patch: Patch | None, event: gr.EventData) -> list[Any]:
        height, width = patch.size if patch else (0, 0)
        y, x = int(event.row * height), int(event.column * width)
        return [y, x, *read_pixel(patch, y, x)]

    gr.on(
        [inputs.uploads.change, inputs.shown.change],
        show,
        [inputs.uploads, inputs.shown],
        [shown_patch, viewer, chooser, row, column, *at_pixel],
        trigger_mode="always_last",
        show_progress="hidden",
        **ui.WORK,
    )
    viewer.probe(probe, shown_patch, [row, column, *at_pixel], **ui.AT_ONCE)
    gr.on([row.input, column.input], read_pixel, [shown_patch, row, column], at_pixel, **ui.AT_ONCE)


def describe_bands(patch: Patch) -> list[dict[str, Any]]:
    """Figures of every band of a patch, in its order, as plain values for JSON."""
    rows, mask = [], patch.mask
    for name, values in zip(patch.bands, patch.values, strict=True):
        figures = {name: getattr(values, name)() for name in ("min", "max", "mean", "std")}
        if mask is not None and mask.any() and not mask.all():
            figures["landslide_mean"] = values[mask > 0].mean()
            figures["other_mean"] = values[mask == 0].mean()
        unit = band(name).unit if patch.unit == "physical" else _DISPLAY_UNIT
        numbers = {key: ui.number(float(value), 4) for key, value in figures.items()}
        rows.append({"name": name, "title": band(name).title, "unit": unit, **numbers})
    return rows


def composites(patch: Patch) -> list[ui.Picture]:
    """True colour, and what else its bands allow: false colour, NDVI and hillshade."""
    text = "B4, B3, B2 as red, green and blue, each stretched for this patch."
    pictures = [ui.Picture("true_colour", "True colour", text, images.true_colour(patch))]
    if set(patch.bands) == set(BAND_NAMES):
        red = "B8, B4, B3: plants are red, bare ground is grey to cyan."
        green = "Pale where ground is bare, green where plants grow."
        lit = images.hillshade(patch.select(["DEM"])[0], patch.grid)
        pictures += [
            ui.Picture("false_colour", "False colour", red, images.false_colour(patch)),
            ui.Picture("ndvi", "NDVI", green, images.ndvi(patch)),
            ui.Picture("hillshade", "Hillshade", "The DEM lit from the north-west.", lit),
        ]
    return pictures


def _page(patch: Patch) -> str:
    grey = [
        ui.Picture(name, name, f"{band(name).title}: dark is low, bright is high.", drawn)
        for name, drawn in zip(patch.bands, map(images.band_picture, patch.values), strict=True)
    ]
    return ui.render(
        "layers", patch=patch, warnings=check_patch(patch), layers=[*composites(patch), *grey]
    )
