"""The tab Detect: one model on one or many patches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, fields
from functools import partial
from typing import Any

import gradio as gr

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures.images import (
    ERROR_COLOURS,
    PROBABILITY_COLOURS,
    errors_picture,
    mask_picture,
    probability_picture,
)
from landslide_zoo.inference.objects import LandslideObject
from landslide_zoo.inference.outputs import (
    OutputNames,
    mask_h5,
    overlay_marks,
    overlay_png,
    probability_npy,
)
from landslide_zoo.inference.predict import Options, Prediction
from landslide_zoo.inference.rules import DEFAULT_RULES, rule_title, rules_of
from landslide_zoo.models.config import Rule
from landslide_zoo.web.components import (
    AT_ONCE,
    WORK,
    Content,
    Picture,
    figures_csv,
    filled,
    html,
    model_choice,
    number,
    on_click,
    problem,
    pull_bar,
    render,
    table,
    write_files,
    write_zip,
)
from landslide_zoo.web.inputs import Inputs
from landslide_zoo.web.service import Outcome, Service, Upload

_MARKS_SIDE = 384
_COLUMNS = ("Patch", "Area (ha)", "Share (%)", "Objects", "F1", "Warnings")
_EMPTY = {
    "lead": "Find landslides in a satellite patch",
    "text": "Drop a Landslide4Sense .h5 patch or a true-colour .png, or pick a sample. "
    "Results take about a second.",
}
_PROGRESS = gr.Progress()


def build_detect(app: gr.Blocks, service: Service, inputs: Inputs) -> gr.Dropdown:
    """Lay out the tab and wire its events.

    Args:
        app: Whose loading fills the tab.
        service: Runs the models.
        inputs: The visitor's patches.

    Returns:
        The choice of a model.
    """
    outcomes = gr.State([])
    offered = gr.State([rule.attribute for rule in DEFAULT_RULES])
    with gr.Row(equal_height=False):
        with gr.Column(min_width=280):
            model = model_choice(
                service.zoo.names(), by_id=service.settings.hub_models, elem_id="lz-model"
            )
            threshold = gr.Slider(
                0, 1, 0.5, step=0.01, label="Threshold", buttons=[], elem_id="lz-threshold"
            )
            with gr.Accordion("Clouds and rules", open=False):
                clouds = gr.Checkbox(True, label="Mask clouds")
                rules = gr.CheckboxGroup(
                    **_rule_choices(DEFAULT_RULES),
                    label="Post-processing rules",
                    elem_id="lz-rules",
                )
            run = gr.Button("Find landslides", variant="primary")
        with gr.Column(min_width=280):
            summary = html(elem_id="lz-summary", min_height=90)
    problems = html(elem_id="lz-batch-problems")
    batch = table(_COLUMNS, label="All patches", visible=False, elem_id="lz-batch")
    result = html(render("empty", **_EMPTY), elem_id="lz-result", min_height=200)
    with gr.Row(visible=False, elem_id="lz-downloads") as row:
        buttons = [gr.Button(title, size="sm", min_width=120) for title in DOWNLOADS]
        archive = gr.Button("All .zip", size="sm", min_width=120)
    everything = [outcomes, problems, batch]
    view = [result, row, *buttons]

    def describe(
        name: str | None,
        previous: list[str],
        ticked: list[str],
        progress: gr.Progress = _PROGRESS,
    ) -> list[Any]:
        if not name:
            return ["", gr.skip(), gr.skip()]
        try:
            entry = service.entry(name, pull_bar(name, progress))
        except LandslideZooError as error:
            return [problem(error), gr.skip(), gr.skip()]
        own = rules_of(entry.config)
        choices = gr.CheckboxGroup(**_rule_choices(own, _unticked(previous, ticked)))
        return [render("summary", entry=entry), [rule.attribute for rule in own], choices]

    def detect(
        uploads: list[Upload],
        name: str | None,
        mask_clouds: bool,
        attributes: list[str],
        ticked: list[str],
        progress: gr.Progress = _PROGRESS,
    ) -> list[Any]:
        done: list[Outcome] = []
        bar = pull_bar(str(name), progress)
        options: Options = {"clouds": "mask" if mask_clouds else "keep"}
        off = _unticked(attributes, ticked)
        text = "Looking for landslides"
        if uploads:
            progress((0, len(uploads)), desc=text, unit="patches")
        for outcome in service.detect_all(name, uploads, bar, options):
            done.append(outcome if isinstance(outcome, str) else outcome.without_rules(off))
            progress((len(done), len(uploads)), desc=text, unit="patches")
        return [*_all(done), _slider(done)]

    def redraw(
        done: list[Outcome],
        level: float,
        attributes: list[str],
        ticked: list[str],
        shown: int | None,
    ) -> list[Any]:
        off = _unticked(attributes, ticked)
        done = [
            outcome if isinstance(outcome, str) else outcome.at(level).without_rules(off)
            for outcome in done
        ]
        return [*_all(done), *_view(done, shown)]

    def one_file(
        make: Callable[[Prediction], Content], done: list[Outcome], shown: int | None
    ) -> str:
        outcome = done[shown or 0]
        assert not isinstance(outcome, str)
        return write_files([make(outcome)])[0]

    gr.on(
        [app.load, model.change],
        describe,
        [model, offered, rules],
        [summary, offered, rules],
        trigger_mode="always_last",
        show_progress="minimal",
        **WORK,
    )
    showing: dict[str, Any] = {"inputs": [outcomes, inputs.shown], "outputs": view}
    gr.on(
        # Not input, which Gradio's dropdown sends twice for one choice.
        [inputs.uploads.change, model.select, clouds.input, run.click],
        detect,
        [inputs.uploads, model, clouds, offered, rules],
        [*everything, threshold],
        **WORK,
        show_progress_on=result,
        trigger_mode="always_last",
        # What is on show may have been chosen meanwhile.
    ).then(_view, **showing, **AT_ONCE)
    gr.on(
        [threshold.input, rules.input],
        redraw,
        [outcomes, threshold, offered, rules, inputs.shown],
        [*everything, *view],
        **AT_ONCE,
    )
    # On a visitor's choice alone: shown also changes with uploads, before they are looked at.
    inputs.shown.select(_view, **showing, **AT_ONCE)
    batch.select(_place, outcomes, inputs.shown, **AT_ONCE).then(_view, **showing, **AT_ONCE)
    for button, make in zip(buttons, DOWNLOADS.values(), strict=True):
        on_click(button, partial(one_file, make), [outcomes, inputs.shown])
    on_click(archive, _archive, [outcomes])
    return model


def _rule_choices(rules: Sequence[Rule], off: Collection[str] = ()) -> dict[str, Any]:
    """Every rule by its title, ticked unless it is off."""
    return {
        "choices": [(rule_title(rule), rule.attribute) for rule in rules],
        "value": [rule.attribute for rule in rules if rule.attribute not in off],
    }


def _unticked(attributes: Sequence[str], ticked: Collection[str]) -> list[str]:
    return [attribute for attribute in attributes if attribute not in ticked]


def _predictions(outcomes: list[Outcome]) -> list[Prediction]:
    return [outcome for outcome in outcomes if not isinstance(outcome, str)]


def _place(outcomes: list[Outcome], event: gr.SelectData) -> int:
    """The place of the patch in the row that was clicked, however the table is sorted."""
    names = [None if isinstance(outcome, str) else outcome.patch.name for outcome in outcomes]
    return names.index(event.row_value[0])


def _slider(outcomes: list[Outcome]) -> gr.Slider:
    """The slider at the model's own threshold."""
    if not (predictions := _predictions(outcomes)):
        return gr.skip()
    own = predictions[0].threshold
    info = f"Probability from which a pixel counts as landslide; the model's own is {own:.2f}"
    return gr.Slider(value=round(own, 2), info=info)


def _all(outcomes: list[Outcome]) -> list[Any]:
    """All patches: what came of them, what was wrong with them, and their table."""
    several = outcomes if len(outcomes) > 1 else []
    faults = [outcome for outcome in several if isinstance(outcome, str)]
    rows = []
    for prediction in _predictions(several):
        figures = prediction.to_dict()
        rows.append(
            [
                prediction.patch.name,
                number(figures["area_hectares"]),
                number(100 * figures["share"], 1),
                figures["objects"],
                number(figures.get("scores", {}).get("f1")),
                len(prediction.warnings),
            ]
        )
    return [outcomes, render("problems", sentences=faults), filled(rows, _COLUMNS)]


def _view(outcomes: list[Outcome], shown: int | None) -> list[Any]:
    """The patch on show: its page, and whether it has files."""
    if (shown or 0) >= len(outcomes) > 0:  # chosen before it was looked at
        return [gr.skip(), gr.skip(), *(gr.Button(interactive=False) for _ in DOWNLOADS)]
    has_files = bool(outcomes) and not isinstance(outcomes[shown or 0], str)
    buttons = [gr.Button(interactive=has_files) for _ in DOWNLOADS]
    return [draw_page(outcomes, shown), gr.Row(visible=bool(_predictions(outcomes))), *buttons]


def _archive(outcomes: list[Outcome]) -> str:
    """All files of all patches as one ZIP, with a table of their figures; its path."""
    predictions = _predictions(outcomes)
    files = [file for prediction in predictions for file in prediction_files(prediction)]
    figures = figures_csv([prediction.to_dict() for prediction in predictions])
    return write_zip("landslides.zip", [*files, ("figures.csv", figures)])


def _objects_csv(prediction: Prediction) -> str:
    """A table of single landslides, one a row; rows and columns in pixels, area in hectares."""
    if prediction.objects:
        return figures_csv([asdict(landslide) for landslide in prediction.objects])
    names = [field.name for field in fields(LandslideObject) if field.name != "attributes"]
    return ",".join(names) + "\n"


DOWNLOADS: dict[str, Callable[[Prediction], Content]] = {
    "Probability .npy": lambda made: (_names(made).probability, probability_npy(made)),
    "Mask .h5": lambda made: (_names(made).mask, mask_h5(made)),
    "Overlay .png": lambda made: (_names(made).overlay, overlay_png(made)),
    "Objects .csv": lambda made: (f"{made.patch.name}_objects.csv", _objects_csv(made)),
}
"""Titles of a prediction's files, and what makes them, in the order in which the API gives them."""


def _names(prediction: Prediction) -> OutputNames:
    return OutputNames.of(prediction.patch.name)


def prediction_files(prediction: Prediction) -> list[Content]:
    """Probability, mask, overlay and table of objects, in this order."""
    return [make(prediction) for make in DOWNLOADS.values()]


def draw_page(outcomes: list[Outcome], shown: int | None = None) -> str:
    """The result of the patch on show, by its place among them."""
    if not outcomes:
        return render("empty", **_EMPTY)
    outcome = outcomes[shown or 0]
    if isinstance(outcome, str):
        return problem(outcome)
    layers = _layers(outcome)
    return render(
        "detection",
        shown=outcome,
        figures=outcome.to_dict(),
        picture=layers[-1].uri,
        layers=layers,
        probability_colours=PROBABILITY_COLOURS,
        error_colours=ERROR_COLOURS,
    )


def _layers(prediction: Prediction) -> list[Picture]:
    mask, truth = prediction.mask, prediction.patch.mask
    layers = [
        Picture(
            "overlay",
            "Outlines",
            "Landslides outlined in red, what rules dropped with a dashed line; hatched: not "
            "observed. The rest is untouched.",
            overlay_marks(prediction, _MARKS_SIDE),
        ),
        Picture(
            "probability",
            "Probability",
            "What the network says of each pixel, always on the scale from 0 to 1.",
            probability_picture(prediction.probability),
        ),
        Picture("mask", "Mask", "White: at or above the threshold.", mask_picture(mask)),
    ]
    if truth is not None:
        errors = errors_picture(prediction.picture, mask, truth)
        text = "The mask against the known one; what is grey was rightly left alone."
        layers.append(Picture("errors", "Against the known mask", text, errors))
    text = "Bands B4, B3, B2, stretched for this patch."
    return [*layers, Picture("picture", "True colour", text, prediction.picture)]
