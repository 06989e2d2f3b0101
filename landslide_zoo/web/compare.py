"""The tab Compare: several models side by side, and what they say together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures import images
from landslide_zoo.inference.ensembles import Agreement, join_predictions
from landslide_zoo.inference.predict import Prediction
from landslide_zoo.web import components as ui
from landslide_zoo.web.detect import prediction_files
from landslide_zoo.web.inputs import Inputs
from landslide_zoo.web.service import Outcome, Service, Upload

Outcomes = Mapping[str, Outcome | None]
"""Of each model by name; None where it has not run."""

_SCORES = ("F1", "Precision", "Recall", "IoU")
_AREAS = ("Area (ha)", "Share (%)", "Objects", "Largest (ha)")
_COLUMNS = ("Model", *_AREAS, *_SCORES, "Threshold", "Time (ms)")
_EMPTY = {
    "lead": "Set models side by side",
    "text": "Give a patch, choose the models, and see where they agree and where they do not.",
}


def build_compare(service: Service, inputs: Inputs) -> gr.Dropdown:
    """Lay out the tab and wire its events.

    Args:
        service: Runs the models.
        inputs: The visitor's patches.

    Returns:
        The choice of models.
    """
    outcome, stopped = gr.State({}), gr.State(False)
    names, ticked = service.zoo.names(), service.zoo.compared_names()
    by_id = service.settings.hub_models
    models = gr.Dropdown(
        names,
        value=ticked,
        multiselect=True,
        label="Models",
        info="Choose, or type the id of a model on the Hub: namespace/name" if by_id else None,
        allow_custom_value=by_id,
        elem_id="lz-models",
    )
    with gr.Row():
        run = gr.Button("Compare", variant="primary", size="sm", min_width=160, scale=1)
        cancel = gr.Button(
            "Cancel", variant="stop", size="sm", min_width=90, scale=0, interactive=False
        )
    page = ui.html(ui.render("empty", **_EMPTY), elem_id="lz-comparison")
    figures = ui.table(_COLUMNS, label="Figures", visible=False, elem_id="lz-figures")
    download = gr.Button("All results .zip", size="sm", visible=False)

    def begin(names: list[str]) -> list[Any]:
        # Waiting models are shown before the queue is: others may be running networks.
        waiting: dict[str, Outcome | None] = dict.fromkeys(names)
        return [
            *_draw(waiting),
            gr.Button(visible=False),
            waiting,
            False,
            gr.Button(interactive=False),
            gr.Button(interactive=True),
        ]

    def run_all(uploads: list[Upload], shown: int | None, names: list[str]) -> Iterator[list[Any]]:
        try:
            if not uploads:
                raise LandslideZooError("There is no patch yet: drop a file, or pick a sample.")
            if not names:
                raise LandslideZooError("No model is chosen: choose at least one.")
            for outcomes in service.compare(names, uploads[shown or 0]):
                ended = bool(_predictions(outcomes)) and None not in outcomes.values()
                yield [*_draw(outcomes), gr.Button(visible=ended), outcomes]
        except LandslideZooError as error:
            yield [ui.problem(error), gr.skip(), gr.skip(), gr.skip()]

    def end(cancelled: bool, outcomes: Outcomes) -> list[Any]:
        ready = [gr.Button(interactive=True), gr.Button(interactive=False)]
        if not cancelled:
            return [gr.skip(), gr.skip(), gr.skip(), *ready]
        found = bool(_predictions(outcomes))
        return [*_draw(outcomes, cancelled=True), gr.Button(visible=found), *ready]

    def archive(outcomes: Outcomes) -> str:
        files = [
            (f"{prediction.model}/{name}", content)
            for prediction in _predictions(outcomes)
            for name, content in prediction_files(prediction)
        ]
        name = _predictions(outcomes)[0].patch.name
        return ui.write_zip(f"{name}_comparison.zip", [*files, *joint_files(outcomes)])

    drawn = [page, figures, download]
    running = run.click(begin, models, [*drawn, outcome, stopped, run, cancel], **ui.AT_ONCE).then(
        run_all,
        [inputs.uploads, inputs.shown, models],
        [*drawn, outcome],
        show_progress="hidden",
        **ui.WORK,
    )
    # Once the model at work is done: until then Gradio starts no other comparison.
    running.then(end, [stopped, outcome], [*drawn, run, cancel], **ui.AT_ONCE)
    cancel.click(
        lambda: [True, gr.Button(interactive=False)],
        None,
        [stopped, cancel],
        cancels=running,
        **ui.AT_ONCE,
    )
    ui.on_click(download, archive, [outcome])
    return models


def _predictions(outcomes: Outcomes) -> list[Prediction]:
    """Those of the models that ran."""
    return [outcome for outcome in outcomes.values() if isinstance(outcome, Prediction)]


def join(outcomes: Outcomes) -> Agreement | None:
    """The models that ran together; None if they are fewer than two."""
    predictions = _predictions(outcomes)
    return join_predictions(predictions) if len(predictions) > 1 else None


def model_figures(outcomes: Outcomes) -> list[dict[str, Any]]:
    """The figures of each model, or its error, as plain values for JSON."""
    return [
        outcome.to_dict() if isinstance(outcome, Prediction) else {"model": model, "error": outcome}
        for model, outcome in outcomes.items()
    ]


def joint_files(outcomes: Outcomes) -> list[ui.Content]:
    """Files of a comparison as a whole: a table, and all files of the models' mean."""
    files: list[ui.Content] = [("figures.csv", ui.figures_csv(model_figures(outcomes)))]
    if agreement := join(outcomes):
        stem = agreement.mean.patch.name
        votes = images.agreement_picture(agreement.votes, agreement.members)
        files += [
            *prediction_files(agreement.mean),
            (f"{stem}_agreement.png", images.png(votes)),
            (
                f"{stem}_disagreement.png",
                images.png(images.disagreement_picture(agreement.disagreement)),
            ),
        ]
    return files


def _draw(outcomes: Outcomes, cancelled: bool = False) -> list[Any]:
    """The page and the table of a comparison as far as it has come."""
    found = _predictions(outcomes)
    waiting = [model for model, outcome in outcomes.items() if outcome is None]
    page = ui.render(
        "comparison" if outcomes else "empty",
        **_EMPTY,
        outcomes=outcomes,
        waiting=waiting,
        first=found[0] if found else None,
        cancelled=cancelled and bool(waiting),
        agreement=None if waiting and not cancelled else join(outcomes),
        agreement_colours=images.AGREEMENT_COLOURS,
        disagreement_colours=images.DISAGREEMENT_COLOURS,
    )
    return [page, ui.filled([_figures(one) for one in found], _COLUMNS)]


def _figures(one: Prediction) -> list[object]:
    figures = one.to_dict()
    scores = figures.get("scores", {})
    return [
        one.model,
        ui.number(figures["area_hectares"]),
        ui.number(100 * figures["share"], 1),
        figures["objects"],
        ui.number(figures["largest_hectares"]),
        *(ui.number(scores.get(name.lower()), 3) for name in _SCORES),
        ui.number(figures["threshold"]),
        ui.number(figures["milliseconds"], 0),
    ]
