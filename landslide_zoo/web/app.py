"""The app, put together from its tabs."""

from __future__ import annotations

import logging
import math
import signal
import threading
from collections.abc import Sequence
from typing import Any

import gradio as gr
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.settings import Settings
from landslide_zoo.web import components as ui
from landslide_zoo.web.api import build_api
from landslide_zoo.web.bands import build_bands
from landslide_zoo.web.compare import build_compare
from landslide_zoo.web.detect import build_detect, draw_page
from landslide_zoo.web.inputs import build_inputs
from landslide_zoo.web.map import STATIC, build_map
from landslide_zoo.web.map_worker import MapService
from landslide_zoo.web.samples import samples
from landslide_zoo.web.service import Service, Upload
from landslide_zoo.web.zoo import build_zoo, draw_board
from landslide_zoo.zoo.zoo import ModelZoo

logger = logging.getLogger(__name__)

TITLE = "Landslide Zoo"
_STATIC_FILES = ("landslide_zoo.web", "static")
_VISITS = 500
"""Visits whose results are kept; Gradio takes 0.2 MB for each, programs' requests included."""


class App(gr.Blocks):
    """Gradio's blocks, and the work behind them.

    Args:
        service: What its events share.
        options: Further arguments of ``gr.Blocks``.
    """

    def __init__(self, service: Service, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self.service = service


def build_app(zoo: ModelZoo | None = None, settings: Settings | None = None) -> App:
    """Put the app together; :func:`launch` starts it.

    Args:
        zoo: Where models come from; what the environment says where None. The
            page does not wait for a Hub.
        settings: The bounds; what the environment says where None.
    """
    settings = settings or Settings.from_environment()
    service = Service(zoo or ModelZoo(timeout=0), settings)
    maps = MapService(service)
    age = math.ceil(60 * settings.keep_minutes)
    with App(
        service,
        title=TITLE,
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(min(60, age), age),
    ) as app:
        build_api(service, maps)  # first: Gradio gives a name to whoever asks first
        ui.html(ui.render("header"))
        with gr.Row(equal_height=False, elem_id="lz-workspace"):
            inputs = build_inputs(app, settings.files)
            with gr.Column(min_width=320, elem_id="lz-main"), gr.Tabs():
                with gr.Tab("Detect", id="detect"):
                    model = build_detect(app, service, inputs)
                with gr.Tab("Compare", id="compare"):
                    models = build_compare(service, inputs)
                with gr.Tab("Bands", id="bands"):
                    build_bands(service, inputs)
                with gr.Tab("Map", id="map") as tab:
                    mapping = build_map(tab, maps)
                with gr.Tab("Zoo", id="zoo") as tab:
                    chosen, board = build_zoo(tab, service)
        ui.html(ui.render("footer", minutes=settings.keep_minutes))
        _follow_zoo(app, service, models, [model, chosen, *mapping], board)
    app.queue(max_size=settings.queue)
    return app


def _follow_zoo(
    app: App,
    service: Service,
    models: gr.Dropdown,
    single: Sequence[gr.Dropdown],
    board: Sequence[gr.components.Component],
) -> None:
    """Fill every choice of models: with what is known, when a Hub answers, and by typed ids."""
    timer = gr.Timer(2, active=False)
    known, loaded = gr.State(None), gr.State([])
    choices = [known, models, *single]

    def fill(
        repos: list[str], previous: list[str] | None, compared: list[str], *chosen: str | None
    ) -> list[Any]:
        names, pending = service.zoo.names(), service.zoo.pending
        if names == previous and pending:
            return [gr.skip()] * (len(choices) + len(board) + 1)
        first, offered = next(iter(names), None), [*names, *repos]
        # A model that has just come is chosen; what the visitor took away stays so.
        new = [name for name in service.zoo.compared_names() if name not in (previous or [])]
        compared = [name for name in offered if name in compared or name in new]
        return [
            names,
            gr.Dropdown(choices=offered, value=compared),
            *(
                gr.Dropdown(choices=offered, value=name if name in offered else first)
                for name in chosen
            ),
            *draw_board(service),
            gr.Timer(active=pending),
        ]

    def add(name: str | None, repos: list[str]) -> list[Any]:
        if not name or not service.is_repo(name) or name in repos:
            return [gr.skip()] * (len(choices))
        try:
            service.entry(name)
        except LandslideZooError:  # which the tab shows
            return [gr.skip()] * (len(choices))
        offered = [*service.zoo.names(), *repos, name]
        return [[*repos, name], *(gr.Dropdown(choices=offered) for _ in choices[1:])]

    inputs = [loaded, *choices]
    gr.on([app.load, timer.tick], fill, inputs, [*choices, *board, timer], **ui.AT_ONCE)
    if service.settings.hub_models:
        for box in single:
            box.change(
                add, [box, loaded], [loaded, *choices[1:]], show_progress="hidden", **ui.WORK
            )


def launch(app: App, **options: Any) -> None:  # noqa: ANN401
    """Start the app's server; it runs until it is interrupted (Ctrl-C, SIGTERM), in good order.

    Args:
        app: From :func:`build_app`.
        options: Further arguments of ``gr.Blocks.launch``.
    """
    settings = app.service.settings
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    app.launch(
        theme=ui.theme(),
        css=ui.asset("style.css"),
        head=f"<script>{ui.asset('script.js')}</script>",
        max_file_size=int(settings.upload_mb * 2**20),
        app_kwargs={"routes": [Mount(f"/{STATIC}", StaticFiles(packages=[_STATIC_FILES]))]},
        state_session_capacity=_VISITS,
        footer_links=["api"],
        mcp_server=True,
        prevent_thread_lock=True,
        **options,
    )
    threading.Thread(target=_warm_up, args=[app.service], daemon=True).start()
    app.block_thread()


def _warm_up(service: Service) -> None:
    """Load what the first visitor would wait for, now that the page is up: find landslides once."""
    sample = samples()[0].path
    draw_page([*service.detect_all(None, [Upload(str(sample), None, sample.stem)])])
