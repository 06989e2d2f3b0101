"""The tab Bands: what a patch holds, layer by layer and pixel by pixel."""

from __future__ import annotations

from typing import Any

import gradio as gr

from landslide_zoo.data.checks import check_patch
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import LandslideZooError
from landslide_zoo.web.events import AT_ONCE, QUIET
from landslide_zoo.web.inputs import Given, Inputs
from landslide_zoo.web.layers import band_pictures, composites, describe_layers
from landslide_zoo.web.rendering import render

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


def build_bands(inputs: Inputs) -> None:
    """Lay out the tab and wire its events.

    Args:
        inputs: The visitor's patches.
    """
    patch = gr.State(None)
    viewer = gr.HTML(
        render("empty", **_EMPTY),
        js_on_load=_PROBE,
        elem_id="lz-bands",
        apply_default_css=False,
    )
    with gr.Row(visible=False, elem_id="lz-pixel") as chooser:
        row = gr.Number(0, label="Row", precision=0, minimum=0, min_width=90)
        column = gr.Number(0, label="Column", precision=0, minimum=0, min_width=90)
    table = gr.HTML(elem_id="lz-values", apply_default_css=False)

    def show(given: list[Given], shown: int | None) -> list[Any]:
        hidden = [gr.Row(visible=False), 0, 0, ""]
        if not given:
            return [None, render("empty", **_EMPTY), *hidden]
        try:
            seen = given[shown or 0].read()
        except LandslideZooError as error:
            return [None, render("problems", sentences=[str(error)]), *hidden]
        page = render(
            "layers",
            patch=seen,
            warnings=check_patch(seen),
            composites=composites(seen),
            bands=band_pictures(seen),
        )
        y, x = (side // 2 for side in seen.size)
        return [seen, page, gr.Row(visible=True), y, x, values(seen, y, x)]

    def values(seen: Patch | None, at_row: float | None, at_column: float | None) -> str:
        if seen is None:
            return ""
        height, width = seen.size
        y = min(max(int(at_row or 0), 0), height - 1)
        x = min(max(int(at_column or 0), 0), width - 1)
        return render(
            "values",
            layers=describe_layers(seen),
            pixel=[float(value) for value in seen.values[:, y, x]],
            row=y,
            column=x,
            height=height,
            width=width,
            truth=None if seen.mask is None else bool(seen.mask[y, x]),
        )

    def probe(seen: Patch | None, event: gr.EventData) -> tuple[int, int, str]:
        if seen is None:
            return 0, 0, ""
        height, width = seen.size
        y, x = int(event.row * height), int(event.column * width)
        return y, x, values(seen, y, x)

    outputs = [patch, viewer, chooser, row, column, table]
    gr.on(
        [inputs.given.change, inputs.shown.change],
        show,
        [inputs.given, inputs.shown],
        outputs,
        trigger_mode="always_last",
        **QUIET,
    )
    viewer.probe(probe, patch, [row, column, table], **AT_ONCE)
    gr.on([row.input, column.input], values, [patch, row, column], table, **AT_ONCE)
