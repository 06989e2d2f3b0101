"""The app, put together from its tabs."""

from __future__ import annotations

from typing import Any

import gradio as gr

from landslide_zoo.hub.zoo import ModelZoo
from landslide_zoo.web.api import build_api
from landslide_zoo.web.bands import build_bands
from landslide_zoo.web.compare import build_compare
from landslide_zoo.web.components import AT_ONCE, theme
from landslide_zoo.web.detect import build_detect
from landslide_zoo.web.inputs import build_inputs
from landslide_zoo.web.rendering import asset, render
from landslide_zoo.web.service import Service
from landslide_zoo.web.settings import Settings
from landslide_zoo.web.zoo import build_zoo, draw_board

TITLE = "Landslide Zoo"


def build_app(zoo: ModelZoo | None = None, settings: Settings | None = None) -> gr.Blocks:
    """Put the app together; :func:`launch` starts it.

    Args:
        zoo: Where models come from; what the environment says where None. The
            page does not wait for a Hub.
        settings: The bounds; what the environment says where None.
    """
    settings = settings or Settings.from_environment()
    service = Service(zoo or ModelZoo(timeout=0), settings)
    names = service.zoo.names()
    keep = int(60 * settings.keep_minutes)
    first = names[0] if names else None
    model = gr.Dropdown(names, value=first, label="Model", render=False, elem_id="lz-model")
    models = gr.CheckboxGroup(names, value=names, label="Models", render=False, elem_id="lz-models")
    chosen = gr.Dropdown(names, value=first, label="Model", render=False, elem_id="lz-chosen")
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(min(600, keep), keep)
    ) as app:
        build_api(service)  # first: Gradio gives a name to whoever asks first
        gr.HTML(render("header"), apply_default_css=False)
        with gr.Row(equal_height=False, elem_id="lz-workspace"):
            inputs = build_inputs(app, settings.files)
            with gr.Column(min_width=320, elem_id="lz-main"), gr.Tabs():
                with gr.Tab("Detect", id="detect"):
                    build_detect(app, service, inputs, model)
                with gr.Tab("Compare", id="compare"):
                    build_compare(service, inputs, models)
                with gr.Tab("Bands", id="bands"):
                    build_bands(inputs)
                with gr.Tab("Zoo", id="zoo") as tab:
                    board = build_zoo(tab, service, chosen)
        gr.HTML(render("footer", minutes=settings.keep_minutes), apply_default_css=False)
        _follow_zoo(app, service, model, models, chosen, board)
    app.queue(max_size=settings.queue)
    return app


def _follow_zoo(
    app: gr.Blocks,
    service: Service,
    model: gr.Dropdown,
    models: gr.CheckboxGroup,
    chosen: gr.Dropdown,
    board: list[gr.components.Component],
) -> None:
    """Fill every choice of models, at once with what is known and again when a Hub answers."""
    timer = gr.Timer(2, active=False)
    known = gr.State(None)
    choices = [known, model, models, chosen]

    def fill(
        before: list[str] | None, one: str | None, ticked: list[str], card: str | None
    ) -> list[Any]:
        names, pending = service.zoo.names(), service.zoo.pending
        if names == before and pending:
            return [gr.skip()] * (len(choices) + len(board) + 1)
        first = names[0] if names else None
        # A model that has just come is ticked; what the visitor unticked stays so.
        ticked = [name for name in names if name in ticked or name not in (before or [])]
        return [
            names,
            gr.Dropdown(choices=names, value=one if one in names else first),
            gr.CheckboxGroup(choices=names, value=ticked),
            gr.Dropdown(choices=names, value=card if card in names else first),
            *draw_board(service),
            gr.Timer(active=pending),
        ]

    gr.on([app.load, timer.tick], fill, choices, [*choices, *board, timer], **AT_ONCE)


def launch(app: gr.Blocks, settings: Settings | None = None, **options: Any) -> None:  # noqa: ANN401
    """Start the app's server.

    Args:
        app: From :func:`build_app`.
        settings: The bounds; what the environment says where None.
        options: Further arguments of ``gr.Blocks.launch``.
    """
    settings = settings or Settings.from_environment()
    app.launch(
        theme=theme(),
        css=asset("style.css"),
        head=f"<script>{asset('script.js')}</script>",
        max_file_size=int(settings.upload_mb * 2**20),
        footer_links=["api"],
        mcp_server=True,
        **options,
    )
