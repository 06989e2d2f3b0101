"""The tab Compare: several models side by side, and what they say together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures.images import AGREEMENT_COLOURS, DISAGREEMENT_COLOURS
from landslide_zoo.inference.comparison import ModelResult, join_detections
from landslide_zoo.web.components import (
    AT_ONCE,
    WORK,
    filled,
    html,
    number,
    on_click,
    problem,
    table,
)
from landslide_zoo.web.downloads import comparison_files, write_zip
from landslide_zoo.web.inputs import Inputs
from landslide_zoo.web.rendering import data_uri, render
from landslide_zoo.web.service import Service, Upload

_SCORES = ("F1", "Precision", "Recall", "IoU")
_AREAS = ("Area (ha)", "Share (%)", "Objects", "Largest (ha)")
_COLUMNS = ("Model", *_AREAS, *_SCORES, "Threshold", "Time (ms)")
_EMPTY = {
    "lead": "Set models side by side",
    "text": "Give a patch, tick the models, and see where they agree and where they do not.",
}


def build_compare(service: Service, inputs: Inputs) -> gr.CheckboxGroup:
    """Lay out the tab and wire its events.

    Args:
        service: Runs the models.
        inputs: The visitor's patches.

    Returns:
        The choice of models.
    """
    outcome = gr.State([])
    names, ticked = service.zoo.names(), service.zoo.compared_names()
    models = gr.CheckboxGroup(
        names, value=ticked, label="Models", show_select_all=True, elem_id="lz-models"
    )
    with gr.Row():
        run = gr.Button("Compare", variant="primary", size="sm", min_width=160, scale=1)
        cancel = gr.Button(
            "Cancel", variant="stop", size="sm", min_width=90, scale=0, interactive=False
        )
    page = html(render("empty", **_EMPTY), elem_id="lz-comparison")
    figures = table(_COLUMNS, label="Figures", visible=False, elem_id="lz-figures")
    download = gr.Button("All results .zip", size="sm", visible=False)

    def begin(names: list[str]) -> list[Any]:
        # Waiting models are shown before the queue is: others may be running networks.
        waiting = [ModelResult(name) for name in names]
        return [
            *View(service).draw(waiting),
            gr.Button(visible=False),
            waiting,
            gr.Button(interactive=False),
            gr.Button(interactive=True),
        ]

    def run_all(uploads: list[Upload], shown: int | None, names: list[str]) -> Iterator[list[Any]]:
        try:
            if not uploads:
                raise LandslideZooError("There is no patch yet: drop a file, or pick a sample.")
            if not names:
                raise LandslideZooError("No model is ticked: tick at least one.")
            view = View(service)
            for results in service.compare(names, uploads[shown or 0]):
                ended = any(one.detection for one in results) and not any(
                    one.waiting for one in results
                )
                yield [*view.draw(results), gr.Button(visible=ended), results]
        except LandslideZooError as error:
            yield [problem(error), gr.skip(), gr.skip(), gr.skip()]

    def stop(results: list[ModelResult]) -> list[Any]:
        found = any(one.detection for one in results)
        return [*View(service).draw(results, cancelled=True), gr.Button(visible=found), *_ready()]

    def archive(results: list[ModelResult]) -> str:
        name = next(one.detection.patch.name for one in results if one.detection)
        files = comparison_files(results, join_detections(results))
        return write_zip(f"{name}_comparison.zip", files)

    drawn = [page, figures, download]
    running = run.click(begin, models, [*drawn, outcome, run, cancel], **AT_ONCE).then(
        run_all,
        [inputs.uploads, inputs.shown, models],
        [*drawn, outcome],
        show_progress="hidden",
        **WORK,
    )
    running.then(_ready, None, [run, cancel], **AT_ONCE)
    cancel.click(stop, outcome, [*drawn, run, cancel], cancels=running, **AT_ONCE)
    on_click(download, archive, [outcome])
    return models


def _ready() -> tuple[gr.Button, gr.Button]:
    return gr.Button(interactive=True), gr.Button(interactive=False)


class View:
    """The page of one comparison as it fills; what has run is drawn once.

    Args:
        service: Runs the models.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._cells: dict[str, Markup] = {}
        self._picture: str | None = None

    def draw(self, results: Sequence[ModelResult], cancelled: bool = False) -> list[Any]:
        """The page and the table of a comparison as far as it has come."""
        found = [one.detection for one in results if one.detection]
        waiting = [one.model for one in results if one.waiting]
        if found and self._picture is None:
            self._picture = data_uri(found[0].picture)
        for one in results:
            if not one.waiting and one.model not in self._cells:
                self._cells[one.model] = Markup(render("cell", one=one))
        page = render(
            "comparison" if results else "empty",
            **_EMPTY,
            results=results,
            cells=self._cells,
            picture=self._picture,
            running=self._service.next_model(waiting),
            loaded=self._service.cache.names,
            done=len(results) - len(waiting),
            patch=found[0].patch.name if found else None,
            warnings=found[0].warnings if found else (),
            cancelled=cancelled and bool(waiting),
            ensemble=None if waiting and not cancelled else join_detections(results),
            agreement_colours=AGREEMENT_COLOURS,
            disagreement_colours=DISAGREEMENT_COLOURS,
        )
        return [page, filled([_figures(one) for one in results if one.detection], _COLUMNS)]


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
