"""The tab Compare: several models side by side, and what they say together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event
from typing import Any

import gradio as gr

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures import AGREEMENT_COLOURS, DISAGREEMENT_COLOURS
from landslide_zoo.inference.comparison import ModelResult, join_detections
from landslide_zoo.web.components import AT_ONCE, QUIET, filled, number, table
from landslide_zoo.web.downloads import comparison_files, write_zip
from landslide_zoo.web.inputs import Inputs
from landslide_zoo.web.rendering import render
from landslide_zoo.web.service import Service, Upload, sentence
from landslide_zoo.web.turns import caller_of

_SCORES = ("F1", "Precision", "Recall", "IoU")
_AREAS = ("Area (ha)", "Share (%)", "Objects", "Largest (ha)")
_COLUMNS = ("Model", *_AREAS, *_SCORES, "Threshold", "Time (ms)")
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
    page = gr.HTML(render("empty", **_EMPTY), elem_id="lz-comparison", apply_default_css=False)
    figures = table(_COLUMNS, label="Figures", visible=False, elem_id="lz-figures")
    download = gr.DownloadButton("All results .zip", size="sm", visible=False)

    def begin(names: list[str]) -> list[Any]:
        # Waiting models are shown before the queue is: others may be running networks.
        return [
            Event(),
            *_view(service, [ModelResult(name) for name in names]),
            gr.DownloadButton(visible=False),
            gr.Button(interactive=False),
            gr.Button("Cancel", interactive=True),
        ]

    def run_all(
        uploads: list[Upload],
        shown: int | None,
        names: list[str],
        stopped: Event,
        request: gr.Request,
    ) -> Iterator[list[Any]]:
        try:
            if not uploads:
                raise LandslideZooError("There is no patch yet: drop a file, or pick a sample.")
            if not names:
                raise LandslideZooError("No model is ticked: tick at least one.")
            upload = uploads[shown or 0]
            for results in service.compare(names, upload, caller_of(request)):
                cancelled = stopped.is_set()
                yield [*_view(service, results, cancelled), gr.skip()]
                if cancelled:
                    break
        except LandslideZooError as error:
            yield [render("problems", sentences=[sentence(error)]), gr.skip(), gr.skip()]
            return
        if any(one.detection for one in results):
            files = comparison_files(results, join_detections(results))
            path = write_zip(f"{upload.name}_comparison.zip", files)
            # All of it once more: the page drops updates that are overtaken by others.
            last = _view(service, results, cancelled)
            yield [*last, gr.DownloadButton(value=path, visible=True)]

    def end(stopped: Event | None) -> gr.Button:
        if stopped is not None:
            stopped.set()
        return gr.Button("Cancelling", interactive=False)

    run.click(begin, models, [stop, page, figures, download, run, cancel], **AT_ONCE).then(
        run_all,
        [inputs.uploads, inputs.shown, models, stop],
        [page, figures, download],
        api_visibility="private",
        show_progress="hidden",
    ).then(_ready, None, [run, cancel], **AT_ONCE)
    cancel.click(end, stop, cancel, **AT_ONCE)
    everything.click(lambda: service.zoo.names(), None, models, **QUIET)
    nothing.click(lambda: [], None, models, **QUIET)


def _ready() -> tuple[gr.Button, gr.Button]:
    return gr.Button(interactive=True), gr.Button("Cancel", interactive=False)


def _view(service: Service, results: Sequence[ModelResult], cancelled: bool = False) -> list[Any]:
    """The page and the table of a comparison as far as it has come."""
    rows = [_figures(one) for one in results if one.detection]
    page = render(
        "comparison" if results else "empty",
        **_EMPTY,
        results=results,
        loaded=service.cache.names,
        done=sum(not one.waiting for one in results),
        first=next((one.detection for one in results if one.detection), None),
        cancelled=cancelled and any(one.waiting for one in results),
        ensemble=join_detections(results),
        agreement_colours=AGREEMENT_COLOURS,
        disagreement_colours=DISAGREEMENT_COLOURS,
    )
    return [page, filled(rows, _COLUMNS)]


def _figures(one: ModelResult) -> list[object]:
    figures = one.to_dict()
    scores = figures.get("scores", {})
    return [
        one.model,
        number(figures["area_hectares"]),
        number(100 * figures["share"], 1),
        figures["objects"],
        number(figures["largest_hectares"]),
        *(number(scores.get(name.lower()), 3) for name in _SCORES),
        number(figures["threshold"]),
        number(figures["milliseconds"], 0),
    ]
