"""The tab Compare: several models side by side, and what they say together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event
from typing import Any

import gradio as gr

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures.results import AGREEMENT_COLOURS, DISAGREEMENT_COLOURS
from landslide_zoo.web.comparison import Cell, compare, join
from landslide_zoo.web.downloads import new_folder, write_comparison
from landslide_zoo.web.events import AT_ONCE, NETWORK, QUIET
from landslide_zoo.web.inputs import Given, Inputs
from landslide_zoo.web.rendering import render
from landslide_zoo.web.service import Service

_EMPTY = {
    "lead": "Set models side by side",
    "text": "Give a patch, tick the models, and see where they agree and where they do not.",
}


def build_compare(service: Service, inputs: Inputs, models: gr.CheckboxGroup) -> None:
    """Lay out the tab and wire its events.

    Args:
        service: Runs the models.
        inputs: The visitor's patches.
        models: The choice of models, made by the app and laid out here.
    """
    stop = gr.State(None)
    models.render()
    with gr.Row(elem_classes="lz-buttons"):
        everything = gr.Button("All", size="sm", min_width=70, scale=0)
        nothing = gr.Button("None", size="sm", min_width=70, scale=0)
        run = gr.Button("Compare", variant="primary", size="sm", min_width=160, scale=1)
        cancel = gr.Button(
            "Cancel", variant="stop", size="sm", min_width=90, scale=0, interactive=False
        )
    result = gr.HTML(render("empty", **_EMPTY), elem_id="lz-comparison", apply_default_css=False)
    download = gr.DownloadButton("All results .zip", size="sm", visible=False)

    def begin(names: list[str]) -> list[Any]:
        # Waiting cells are shown before the queue is: others may be running networks.
        waiting = [Cell(name) for name in names]
        return [
            Event(),
            _page(service, waiting),
            gr.DownloadButton(visible=False),
            gr.Button(interactive=False),
            gr.Button("Cancel", interactive=True),
        ]

    def run_all(
        given: list[Given], shown: int | None, names: list[str], stopped: Event
    ) -> Iterator[tuple[str, gr.DownloadButton]]:
        try:
            if not given:
                raise LandslideZooError("There is no patch yet: drop a file, or pick a sample.")
            if not names:
                raise LandslideZooError("No model is ticked: tick at least one.")
            patch = given[shown or 0].read()
        except LandslideZooError as error:
            yield render("problems", sentences=[str(error)]), gr.skip()
            return
        for cells in compare(service, names, patch):
            cancelled = stopped.is_set()
            yield _page(service, cells, cancelled), gr.skip()
            if cancelled:
                break
        if any(cell.found for cell in cells):
            path = write_comparison(new_folder(), cells, join(cells))
            yield gr.skip(), gr.DownloadButton(value=path, visible=True)

    def end(stopped: Event | None) -> gr.Button:
        if stopped is not None:
            stopped.set()
        return gr.Button("Cancelling", interactive=False)

    run.click(begin, models, [stop, result, download, run, cancel], **AT_ONCE).then(
        run_all,
        [inputs.given, inputs.shown, models, stop],
        [result, download],
        api_visibility="private",
        show_progress="hidden",
        **NETWORK,
    ).then(_ready, None, [run, cancel], **AT_ONCE)
    cancel.click(end, stop, cancel, **AT_ONCE)
    everything.click(lambda: service.zoo.names(), None, models, **QUIET)
    nothing.click(lambda: [], None, models, **QUIET)


def _ready() -> tuple[gr.Button, gr.Button]:
    return gr.Button(interactive=True), gr.Button("Cancel", interactive=False)


def _page(service: Service, cells: Sequence[Cell], cancelled: bool = False) -> str:
    """The comparison as far as it has come."""
    if not cells:
        return render("empty", **_EMPTY)
    return render(
        "comparison",
        cells=cells,
        loaded=service.cache.names,
        done=sum(not cell.waiting for cell in cells),
        patch=next((cell.found for cell in cells if cell.found), None),
        cancelled=cancelled and any(cell.waiting for cell in cells),
        together=join(cells),
        agreement_colours=AGREEMENT_COLOURS,
        disagreement_colours=DISAGREEMENT_COLOURS,
    )
