"""The tab Detect: one model on one or many patches."""

from __future__ import annotations

import shutil
from typing import Any

import gradio as gr

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures import (
    ERROR_COLOURS,
    enlarge,
    errors_picture,
    mask_picture,
    overlay,
    probability_picture,
)
from landslide_zoo.figures.results import PROBABILITY_COLOURS
from landslide_zoo.web.detection import Detection
from landslide_zoo.web.downloads import new_folder, write_detection, write_zip
from landslide_zoo.web.events import AT_ONCE, NETWORK, QUIET
from landslide_zoo.web.inputs import Given, Inputs
from landslide_zoo.web.pulling import pull_bar
from landslide_zoo.web.rendering import render
from landslide_zoo.web.service import Service

Outcome = Detection | str
"""What came of a patch: a detection, or a sentence that says why there is none."""

_OVERLAY_SIDE = 384
# A click on a patch's name in the table shows it.
_SHOW = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-place]");
  if (button) trigger("show", { place: Number(button.dataset.place) });
});
"""
_EMPTY = {
    "lead": "Find landslides in a satellite patch",
    "text": "Drop a Landslide4Sense .h5 patch or a true-colour .png, or pick a sample. "
    "The answer is there in a second.",
}


def build_detect(app: gr.Blocks, service: Service, inputs: Inputs, model: gr.Dropdown) -> None:
    """Lay out the tab and wire its events.

    Args:
        app: Whose loading fills the tab.
        service: Runs the models.
        inputs: The visitor's patches.
        model: The choice of a model, already laid out by the app.
    """
    detections, folders = gr.State([]), gr.State([])
    with gr.Row(equal_height=False, elem_classes="lz-controls"):
        with gr.Column(min_width=280):
            model.render()
            threshold = gr.Slider(
                0, 1, 0.5, step=0.01, label="Threshold", buttons=[], elem_id="lz-threshold"
            )
            run = gr.Button("Find landslides", variant="primary", elem_id="lz-run")
        with gr.Column(min_width=280):
            essentials = gr.HTML(elem_id="lz-essentials", apply_default_css=False)
    batch = gr.HTML(js_on_load=_SHOW, elem_id="lz-batch", apply_default_css=False)
    result = gr.HTML(
        render("empty", **_EMPTY), elem_id="lz-result", min_height=200, apply_default_css=False
    )
    with gr.Row(visible=False, elem_id="lz-downloads") as row:
        titles = ("Probability .npy", "Mask .h5", "Overlay .png", "Objects .csv")
        buttons = [gr.DownloadButton(title, size="sm", min_width=120) for title in titles]
        archive = gr.DownloadButton("All .zip", size="sm", min_width=120, interactive=False)
    view = [result, folders, row, *buttons]

    def describe(name: str | None) -> str:
        if name is None:
            return ""
        try:
            return render("essentials", entry=service.zoo.entry(name))
        except LandslideZooError as error:
            return render("problems", sentences=[str(error)])

    def detect(
        given: list[Given],
        name: str | None,
        shown: int | None,
        old: list[str],
        progress: gr.Progress = _PROGRESS,
    ) -> list[Any]:
        outcomes: list[Outcome] = []
        bar = pull_bar(str(name), progress)
        for place, one in enumerate(given):
            progress((place, len(given)), desc="Looking for landslides", unit="patches")
            try:
                outcomes.append(service.detect(name, one.read(), tqdm_class=bar))
            except LandslideZooError as error:
                outcomes.append(str(error))
        return [*_all(outcomes), _slider(outcomes), *_view(outcomes, shown, old)]

    def redraw(
        outcomes: list[Outcome], level: float, shown: int | None, old: list[str]
    ) -> list[Any]:
        outcomes = [one if isinstance(one, str) else one.at(level) for one in outcomes]
        return [*_all(outcomes), *_view(outcomes, shown, old)]

    gr.on([app.load, model.change], describe, model, essentials, **AT_ONCE)
    gr.on(
        # Not input, which Gradio's dropdown sends twice for one choice.
        [inputs.given.change, model.select, run.click],
        detect,
        [inputs.given, model, inputs.shown, folders],
        [detections, batch, archive, threshold, *view],
        api_visibility="private",
        show_progress_on=result,
        trigger_mode="always_last",
        **NETWORK,
    )
    threshold.input(
        redraw,
        [detections, threshold, inputs.shown, folders],
        [detections, batch, archive, *view],
        **AT_ONCE,
    )
    # On a visitor's choice alone: shown also changes with given, before there are detections of it.
    showing: dict[str, Any] = {"inputs": [detections, inputs.shown, folders], "outputs": view}
    inputs.shown.select(_view, **showing, **AT_ONCE)
    batch.show(_place, None, inputs.shown, **AT_ONCE).then(_view, **showing, **AT_ONCE)
    detections.change(_archive, detections, archive, trigger_mode="always_last", **QUIET)


_PROGRESS = gr.Progress()


def _place(event: gr.EventData) -> int:
    return event.place


def _found(outcomes: list[Outcome]) -> list[Detection]:
    return [one for one in outcomes if not isinstance(one, str)]


def _slider(outcomes: list[Outcome]) -> gr.Slider:
    """The slider at the model's own threshold."""
    if not (found := _found(outcomes)):
        return gr.skip()
    own = found[0].prediction.threshold
    info = f"Probability from which a pixel counts as landslide; the model's own is {own:.2f}"
    return gr.Slider(value=round(own, 2), info=info)


def _all(outcomes: list[Outcome]) -> list[Any]:
    """What concerns all patches: outcomes, their table, and no archive until it is written."""
    table = render(
        "batch",
        rows=[(place, one) for place, one in enumerate(outcomes) if not isinstance(one, str)],
        problems=[one for one in outcomes if isinstance(one, str)] if len(outcomes) > 1 else [],
    )
    return [outcomes, table, gr.DownloadButton(interactive=False)]


def _view(outcomes: list[Outcome], shown: int | None, old: list[str]) -> list[Any]:
    """What concerns the patch on show: its page and its files, which always belong together.

    The files of the view before are kept once more: a download of them may have begun.
    """
    for folder in old[:-1]:
        shutil.rmtree(folder, ignore_errors=True)
    folders = old[-1:]
    one = outcomes[shown or 0] if outcomes else ""
    paths: list[str | None] = [None] * 4
    if not isinstance(one, str):
        new = new_folder()
        paths[:] = write_detection(new, one)
        folders.append(str(new))
    ready = [gr.DownloadButton(value=path, interactive=path is not None) for path in paths]
    return [_page(outcomes, shown), folders, gr.Row(visible=bool(_found(outcomes))), *ready]


def _archive(outcomes: list[Outcome]) -> gr.DownloadButton:
    """Everything as one ZIP, once it is written."""
    if not (found := _found(outcomes)):
        return gr.DownloadButton(interactive=False)
    return gr.DownloadButton(value=write_zip(new_folder(), found), interactive=True)


def _page(outcomes: list[Outcome], shown: int | None) -> str:
    """The result of the patch on show."""
    if not outcomes:
        return render("empty", **_EMPTY)
    one = outcomes[shown or 0]
    if isinstance(one, str):
        return render("problems", sentences=[one])
    return render(
        "detection",
        shown=one,
        figures=one.figures(),
        layers=_layers(one),
        probability_colours=PROBABILITY_COLOURS,
        error_colours=ERROR_COLOURS,
    )


def _layers(one: Detection) -> list[dict[str, object]]:
    """What may lie over the true colour: id, title, caption and picture of each layer."""
    mask, picture = one.prediction.mask, one.picture
    factor = max(1, _OVERLAY_SIDE // max(mask.shape))
    outlined = overlay(enlarge(picture, factor), enlarge(mask, factor))
    layers = [
        ("overlay", "Outlines", "Landslides outlined in red; the rest is untouched.", outlined),
        (
            "probability",
            "Probability",
            "What the model says of each pixel, always on the scale from 0 to 1.",
            probability_picture(one.prediction.probability),
        ),
        ("mask", "Mask", "White: at or above the threshold.", mask_picture(mask)),
        ("picture", "True colour", "Bands B4, B3, B2, stretched for this patch.", picture),
    ]
    if one.patch.mask is not None:
        errors = errors_picture(picture, mask, one.patch.mask)
        text = "The mask against the known one; grey is left alone rightly."
        layers.insert(3, ("errors", "Against the known mask", text, errors))
    names = ("id", "title", "caption", "picture")
    return [dict(zip(names, layer, strict=True)) for layer in layers]
