"""The tab Detect: one model on one or many patches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
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
from landslide_zoo.inference.outputs import overlay_marks
from landslide_zoo.inference.predict import Options, Prediction
from landslide_zoo.inference.rules import DEFAULT_RULES, rule_title, rules_of
from landslide_zoo.models.config import Rule
from landslide_zoo.web.components import (
    AT_ONCE,
    WORK,
    Picture,
    filled,
    html,
    model_choice,
    number,
    on_click,
    problem,
    pull_bar,
    render,
    table,
)
from landslide_zoo.web.downloads import DOWNLOADS, Content, batch_files, write_files, write_zip
from landslide_zoo.web.inputs import Inputs
from landslide_zoo.web.service import Outcome, Service, Upload, sentence

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
            model = model_choice(service.zoo.names(), elem_id="lz-model")
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
            summary = html(elem_id="lz-summary")
    problems = html(elem_id="lz-batch-problems")
    batch = table(_COLUMNS, label="All patches", visible=False, elem_id="lz-batch")
    result = html(render("empty", **_EMPTY), elem_id="lz-result", min_height=200)
    with gr.Row(visible=False, elem_id="lz-downloads") as row:
        buttons = [gr.Button(title, size="sm", min_width=120) for title in DOWNLOADS]
        archive = gr.Button("All .zip", size="sm", min_width=120)
    everything = [outcomes, problems, batch]
    view = [result, row, *buttons]

    def describe(name: str | None, before: list[str], ticked: list[str]) -> list[Any]:
        if name is None:
            return ["", gr.skip(), gr.skip()]
        try:
            entry = service.zoo.entry(name)
        except LandslideZooError as error:
            return [problem(error), gr.skip(), gr.skip()]
        own = rules_of(entry.config)
        choices = gr.CheckboxGroup(**_rule_choices(own, _unticked(before, ticked)))
        return [render("summary", entry=entry), [rule.attribute for rule in own], choices]

    def detect(
        uploads: list[Upload],
        name: str | None,
        leave_out: bool,
        rules_offered: list[str],
        ticked: list[str],
        progress: gr.Progress = _PROGRESS,
    ) -> list[Any]:
        found: list[Outcome] = []
        bar = pull_bar(str(name), progress)
        options: Options = {"clouds": "mask" if leave_out else "keep"}
        off = _unticked(rules_offered, ticked)
        if uploads:
            progress((0, len(uploads)), desc="Looking for landslides", unit="patches")
        for one in service.detect_all(name, uploads, bar, options):
            if isinstance(one, LandslideZooError):
                found.append(sentence(one))
            else:
                found.append(one.without_rules(off))
            progress((len(found), len(uploads)), desc="Looking for landslides", unit="patches")
        return [*_all(found), _slider(found)]

    def redraw(
        found: list[Outcome],
        level: float,
        rules_offered: list[str],
        ticked: list[str],
        shown: int | None,
    ) -> list[Any]:
        off = _unticked(rules_offered, ticked)
        found = [one if isinstance(one, str) else one.at(level).without_rules(off) for one in found]
        return [*_all(found), *_view(found, shown)]

    def one_file(
        content: Callable[[Prediction], Content], found: list[Outcome], shown: int | None
    ) -> str:
        one = found[shown or 0]
        assert not isinstance(one, str)
        return write_files([content(one)])[0]

    gr.on(
        [app.load, model.change],
        describe,
        [model, offered, rules],
        [summary, offered, rules],
        **AT_ONCE,
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
    for button, content in zip(buttons, DOWNLOADS.values(), strict=True):
        on_click(button, partial(one_file, content), [outcomes, inputs.shown])
    on_click(archive, _archive, [outcomes])
    return model


def _rule_choices(rules: Sequence[Rule], off: Collection[str] = ()) -> dict[str, Any]:
    """Every rule by its title, ticked unless it is off."""
    choices = [(rule_title(rule), rule.attribute) for rule in rules]
    return {
        "choices": choices,
        "value": [rule.attribute for rule in rules if rule.attribute not in off],
    }


def _unticked(offered: Sequence[str], ticked: Collection[str]) -> list[str]:
    return [attribute for attribute in offered if attribute not in ticked]


def _detections(outcomes: list[Outcome]) -> list[Prediction]:
    return [one for one in outcomes if not isinstance(one, str)]


def _place(outcomes: list[Outcome], event: gr.SelectData) -> int:
    """The place of the patch in the row that was clicked, however the table is sorted."""
    names = [None if isinstance(one, str) else one.patch.name for one in outcomes]
    return names.index(event.row_value[0])


def _slider(outcomes: list[Outcome]) -> gr.Slider:
    """The slider at the model's own threshold."""
    if not (found := _detections(outcomes)):
        return gr.skip()
    own = found[0].threshold
    info = f"Probability from which a pixel counts as landslide; the model's own is {own:.2f}"
    return gr.Slider(value=round(own, 2), info=info)


def _all(outcomes: list[Outcome]) -> list[Any]:
    """All patches: what came of them, what was wrong with them, and their table."""
    several = outcomes if len(outcomes) > 1 else []
    faults = [one for one in several if isinstance(one, str)]
    rows = [_figures(one) for one in _detections(several)]
    return [outcomes, render("problems", sentences=faults), filled(rows, _COLUMNS)]


def _figures(one: Prediction) -> list[object]:
    figures = one.to_dict()
    return [
        one.patch.name,
        number(figures["area_hectares"]),
        number(100 * figures["share"], 1),
        figures["objects"],
        number(figures.get("scores", {}).get("f1")),
        len(one.warnings),
    ]


def _view(outcomes: list[Outcome], shown: int | None) -> list[Any]:
    """The patch on show: its page, and whether it has files."""
    if (shown or 0) >= len(outcomes) > 0:  # chosen before it was looked at
        return [gr.skip(), gr.skip(), *(gr.Button(interactive=False) for _ in DOWNLOADS)]
    has_files = bool(outcomes) and not isinstance(outcomes[shown or 0], str)
    buttons = [gr.Button(interactive=has_files) for _ in DOWNLOADS]
    return [draw_page(outcomes, shown), gr.Row(visible=bool(_detections(outcomes))), *buttons]


def _archive(outcomes: list[Outcome]) -> str:
    """All files of all patches as one ZIP; its path."""
    return write_zip("landslides.zip", batch_files(_detections(outcomes)))


def draw_page(outcomes: list[Outcome], shown: int | None = None) -> str:
    """The result of the patch on show, by its place among them."""
    if not outcomes:
        return render("empty", **_EMPTY)
    one = outcomes[shown or 0]
    if isinstance(one, str):
        return problem(one)
    layers = _layers(one)
    return render(
        "detection",
        shown=one,
        figures=one.to_dict(),
        picture=layers[-1].uri,
        layers=layers,
        probability_colours=PROBABILITY_COLOURS,
        error_colours=ERROR_COLOURS,
    )


def _layers(one: Prediction) -> list[Picture]:
    mask = one.mask
    layers = [
        Picture(
            "overlay",
            "Outlines",
            "Landslides outlined in red, what rules dropped with a dashed line; hatched: not "
            "observed. The rest is untouched.",
            overlay_marks(one, _MARKS_SIDE),
        ),
        Picture(
            "probability",
            "Probability",
            "What the network says of each pixel, always on the scale from 0 to 1.",
            probability_picture(one.probability),
        ),
        Picture("mask", "Mask", "White: at or above the threshold.", mask_picture(mask)),
    ]
    if one.patch.mask is not None:
        errors = errors_picture(one.picture, mask, one.patch.mask)
        text = "The mask against the known one; what is grey was rightly left alone."
        layers.append(Picture("errors", "Against the known mask", text, errors))
    text = "Bands B4, B3, B2, stretched for this patch."
    return [*layers, Picture("picture", "True colour", text, one.picture)]
