"""The tab Zoo: every model with its results, its card, and code to use it."""

from __future__ import annotations

import base64

import gradio as gr

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures import curves_figure
from landslide_zoo.web.cards import card_html
from landslide_zoo.web.events import QUIET
from landslide_zoo.web.leaderboard import leaderboard
from landslide_zoo.web.rendering import render
from landslide_zoo.web.service import Service

# A click on a model's name in the table chooses it.
_CHOOSE = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-model]");
  if (button) trigger("choose", { model: button.dataset.model });
});
"""


def build_zoo(tab: gr.Tab, service: Service, model: gr.Dropdown) -> gr.HTML:
    """Lay out the tab and wire its events.

    Args:
        tab: Whose opening fills it.
        service: Holds the zoo.
        model: The choice of a model, made by the app and laid out here.

    Returns:
        The leaderboard, for the app to redraw when the zoo grows.
    """
    board = gr.HTML(js_on_load=_CHOOSE, elem_id="lz-board", apply_default_css=False)
    model.render()
    page = gr.HTML(elem_id="lz-card", apply_default_css=False)

    def describe(name: str | None, request: gr.Request) -> str:
        if name is None:
            return ""
        try:
            entry = service.zoo.entry(name)
            history = entry.record.history if entry.record else []
            curves = base64.b64encode(curves_figure(history)).decode() if history else None
            return render(
                "model",
                entry=entry,
                card=card_html(entry),
                curves=curves,
                epochs=len(history),
                origin=_origin(request),
            )
        except LandslideZooError as error:
            return render("problems", sentences=[str(error)])

    gr.on([tab.select, model.change], describe, model, page, trigger_mode="always_last", **QUIET)
    board.choose(_chosen, None, model, **QUIET)
    return board


def draw_board(service: Service) -> str:
    """The leaderboard as it is now."""
    return render(
        "leaderboard",
        board=leaderboard(service.zoo.entries()),
        status=service.zoo.status(),
        pending=service.zoo.pending,
    )


def _origin(request: gr.Request) -> str:
    """Where the visitor sees the app, also behind a Space's proxy."""
    scheme = request.headers.get("x-forwarded-proto", "http").split(",")[0]
    host = request.headers.get("x-forwarded-host") or request.headers.get("host", "127.0.0.1:7860")
    return f"{scheme}://{host}"


def _chosen(event: gr.EventData) -> str:
    return event.model
