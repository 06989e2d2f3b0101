"""The tab Detect: one model on one or many patches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from typing import Any

import gradio as gr

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures import images
from landslide_zoo.inference import outputs
from landslide_zoo.inference.objects import LandslideObject
from landslide_zoo.inference.predict import Options, Prediction
from landslide_zoo.inference.rules import DEFAULT_RULES, rule_title, rules_of
from landslide_zoo.models.config import Rule
from landslide_zoo.web import components as ui
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
            model = ui.model_choice(
                service.zoo.names(), by_id=service.settings.hub_models, elem_id="lz-model"
            )
            threshold = gr.Slider(
                0, 1, 0.5, step=0.01, label="Threshold", buttons=[], elem_id="lz-threshold"
            )
            possible = gr.Checkbox(True, label="Show possible landslides", elem_id="lz-possible")
            with gr.Accordion("Clouds and rules", open=False):
                clouds = gr.Checkbox(True, label="Mask clouds")
                rules = gr.CheckboxGroup(
                    **_rule_choices(DEFAULT_RULES),
                    label="Post-processing rules",
                    elem_id="lz-rules",
                )
            run = gr.Button("Find landslides", variant="primary")
        with gr.Column(min_width=280):
            summary = ui.html(elem_id="lz-summary", min_height=90)
    problems = ui.html(elem_id="lz-batch-problems")
    batch = ui.table(_COLUMNS, label="All patches", visible=False, elem_id="lz-batch")
    result = ui.html(ui.render("empty", **_EMPTY), elem_id="lz-result", min_height=200)
    download = gr.Button("All files .zip", size="sm", visible=False, elem_id="lz-download")
    everything = [outcomes, problems, batch, download]

    def describe(
        name: str | None,
        previous: list[str],
        ticked: list[str],
        progress: gr.Progress = _PROGRESS,
    ) -> list[Any]:
        if not name:
            return ["", gr.skip(), gr.skip()]
        try:
            entry = service.entry(name, ui.pull_bar(name, progress))
        except LandslideZooError as error:
            return [ui.problem(error), gr.skip(), gr.skip()]
        own = rules_of(entry.config)
        choices = gr.CheckboxGroup(**_rule_choices(own, _unticked(previous, ticked)))
        return [ui.render("summary", entry=entry), [rule.attribute for rule in own], choices]

    def detect(
        uploads: list[Upload],
        name: str | None,
        mask_clouds: bool,
        attributes: list[str],
        ticked: list[str],
        progress: gr.Progress = _PROGRESS,
    ) -> list[Any]:
        done: list[Outcome] = []
        bar = ui.pull_bar(str(name), progress)
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
        doubt: bool,
    ) -> list[Any]:
        off = _unticked(attributes, ticked)
        done = [
            outcome if isinstance(outcome, str) else outcome.at(level).without_rules(off)
            for outcome in done
        ]
        return [*_all(done), draw_page(done, shown, doubt)]

    gr.on(
        [app.load, model.change],
        describe,
        [model, offered, rules],
        [summary, offered, rules],
        trigger_mode="always_last",
        show_progress="minimal",
        **ui.WORK,
    )
    showing: dict[str, Any] = {"inputs": [outcomes, inputs.shown, possible], "outputs": result}
    gr.on(
        # Not input, which Gradio's dropdown sends twice for one choice.
        [inputs.uploads.change, model.select, clouds.input, run.click],
        detect,
        [inputs.uploads, model, clouds, offered, rules],
        [*everything, threshold],
        **ui.WORK,
        show_progress_on=result,
        trigger_mode="always_last",
        # What is on show may have been chosen meanwhile.
    ).then(draw_page, **showing, **ui.AT_ONCE)
    gr.on(
        [threshold.input, rules.input],
        redraw,
        [outcomes, threshold, offered, rules, inputs.shown, possible],
        [*everything, result],
        **ui.AT_ONCE,
    )
    # On a visitor's choice alone: shown also changes with uploads, before they are looked at.
    inputs.shown.select(draw_page, **showing, **ui.AT_ONCE)
    possible.input(draw_page, **showing, **ui.AT_ONCE)
    batch.select(_place, outcomes, inputs.shown, **ui.AT_ONCE).then(
        draw_page, **showing, **ui.AT_ONCE
    )
    ui.on_click(download, _archive, [outcomes])
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
                ui.number(figures["area_hectares"]),
                ui.number(100 * figures["share"], 1),
                figures["objects"],
                ui.number(figures.get("scores", {}).get("f1")),
                len(prediction.warnings),
            ]
        )
    found = ui.render("problems", sentences=faults), ui.filled(rows, _COLUMNS)
    return [outcomes, *found, gr.Button(visible=bool(_predictions(outcomes)))]


def _archive(outcomes: list[Outcome]) -> str:
    """All files of all patches as one ZIP, with a table of their figures; its path."""
    predictions = _predictions(outcomes)
    files = [file for prediction in predictions for file in prediction_files(prediction)]
    figures = ui.figures_csv([prediction.to_dict() for prediction in predictions])
    return ui.write_zip("landslides.zip", [*files, ("figures.csv", figures)])


def prediction_files(prediction: Prediction) -> list[ui.Content]:
    """Probability, mask, overlay and table of objects, in this order."""
    objects = f"{prediction.patch.name}_objects.csv", _objects_csv(prediction)
    return [*outputs.output_files(prediction).items(), objects]


def _objects_csv(prediction: Prediction) -> str:
    """A table of single landslides, one a row; rows and columns in pixels, area in hectares."""
    if prediction.objects:
        return ui.figures_csv([asdict(landslide) for landslide in prediction.objects])
    names = [field.name for field in fields(LandslideObject) if field.name != "attributes"]
    return ",".join(names) + "\n"


def draw_page(outcomes: list[Outcome], shown: int | None = None, possible: bool = True) -> str:
    """The result of the patch on show, by its place among them.

    Args:
        outcomes: Of all patches.
        shown: The place.
        possible: Whether what the model half believes is shown.
    """
    if not outcomes:
        return ui.render("empty", **_EMPTY)
    if (shown or 0) >= len(outcomes):  # chosen before it was looked at
        return gr.skip()
    outcome = outcomes[shown or 0]
    if isinstance(outcome, str):
        return ui.problem(outcome)
    layers = _layers(outcome, possible)
    return ui.render(
        "detection",
        shown=outcome,
        figures=outcome.to_dict(),
        possible=outcome.grid.hectares(int(outcome.possible.sum())) if possible else None,
        picture=layers[-1].uri,
        layers=layers,
        probability_colours=images.PROBABILITY_COLOURS,
        error_colours=images.ERROR_COLOURS,
    )


def _layers(prediction: Prediction, possible: bool) -> list[ui.Picture]:
    mask, truth = prediction.mask, prediction.patch.mask
    layers = [
        ui.Picture(
            "overlay",
            "Outlines",
            "Landslides outlined in red, what rules dropped dashed; possible ones, from half the "
            "threshold on, dashed in yellow; hatched: not observed.",
            outputs.overlay_marks(prediction, _MARKS_SIDE, possible),
        ),
        ui.Picture(
            "probability",
            "Probability",
            "What the network says of each pixel, always on the scale from 0 to 1.",
            images.probability_picture(prediction.probability),
        ),
        ui.Picture("mask", "Mask", "White: at or above the threshold.", images.mask_picture(mask)),
    ]
    if truth is not None:
        errors = images.errors_picture(prediction.picture, mask, truth)
        text = "The mask against the known one; what is grey was rightly left alone."
        layers.append(ui.Picture("errors", "Against the known mask", text, errors))
    text = "Bands B4, B3, B2, stretched for this patch."
    return [*layers, ui.Picture("picture", "True colour", text, prediction.picture)]
