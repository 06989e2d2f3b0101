"""The app, put together from its tabs."""

from __future__ import annotations

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
from landslide_zoo.web.inputs import Inputs, build_inputs, is_patch, is_scene
from landslide_zoo.web.map import STATIC, build_map
from landslide_zoo.web.map_worker import MapService
from landslide_zoo.web.samples import samples
from landslide_zoo.web.service import Service, Upload
from landslide_zoo.web.zoo import build_zoo, draw_board
from landslide_zoo.zoo import ModelZoo

_VISITS = 500
"""Visits whose results are kept; Gradio takes 0.2 MB for each, programs' requests included."""


def build_app(service: Service) -> gr.Blocks:
    """Put the app together; :func:`launch` starts it.

    Args:
        service: What its events share.
    """
    settings, maps = service.settings, MapService(service)
    age = math.ceil(60 * settings.keep_minutes)
    with gr.Blocks(
        title="Landslide Zoo",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(min(60, age), age),
    ) as app:
        build_api(service, maps)  # first: Gradio gives a name to whoever asks first
        ui.html(ui.render("header"))
        with gr.Row(equal_height=False, elem_id="lz-workspace"):
            inputs = build_inputs(app, settings.files)
            with gr.Column(min_width=320, elem_id="lz-main"), gr.Tabs() as tabs:
                with gr.Tab("Detect", id="detect"):
                    model = build_detect(app, service, inputs)
                with gr.Tab("Compare", id="compare"):
                    models = build_compare(service, inputs)
                with gr.Tab("Bands", id="bands"):
                    build_bands(service, inputs)
                with gr.Tab("Map", id="map") as tab:
                    scene, *mapping = build_map(tab, maps, inputs.map_sample)
                with gr.Tab("Zoo", id="zoo") as tab:
                    chosen, board = build_zoo(tab, service)
        ui.html(ui.render("footer", minutes=settings.keep_minutes))
        _lead(tabs, inputs, scene)
        _follow_zoo(app, service, models, [model, chosen, *mapping], board)
    app.queue(max_size=settings.queue)
    return app


def _lead(tabs: gr.Tabs, inputs: Inputs, scene: gr.File) -> None:
    """Lead a visitor to the tab that takes what was given, whichever it was given to."""

    def to_map(files: list[str]) -> list[Any]:
        scenes = [path for path in files if is_scene(path)]
        if not scenes:
            return [gr.skip()] * 3
        patches = [path for path in files if path not in scenes]
        return [patches or None, scenes[0], gr.Tabs(selected="map")]

    def to_detect(file: str) -> list[Any]:
        if not is_patch(file):
            return [gr.skip()] * 3
        return [[file], None, gr.Tabs(selected="detect")]

    moved = [inputs.patches, scene, tabs]
    inputs.patches.upload(to_map, inputs.patches, moved, **ui.AT_ONCE)
    scene.upload(to_detect, scene, moved, **ui.AT_ONCE).then(**inputs.taking, **ui.QUIET)
    inputs.map_sample.click(lambda: gr.Tabs(selected="map"), None, tabs, **ui.AT_ONCE)


def _follow_zoo(
    app: gr.Blocks,
    service: Service,
    models: gr.Dropdown,
    single: Sequence[gr.Dropdown],
    board: Sequence[gr.components.Component],
) -> None:
    """Fill every choice of models: with what is known, when a Hub answers, and by typed ids."""
    timer, offered = gr.Timer(2, active=False), gr.State(None)
    choices = [offered, models, *single]
    outputs = [timer, *choices, *board]

    def loads(name: str) -> bool:
        try:
            return service.entry(name).name == name
        except LandslideZooError:  # which the tab shows
            return False

    def fill(before: list[str] | None, compared: list[str], *chosen: str | None) -> list[Any]:
        pending, known = service.zoo.pending, before or []
        typed = [
            name for name in dict.fromkeys([*known, *chosen]) if name and service.is_repo(name)
        ]
        names = [*service.zoo.names(), *(one for one in typed if one in known or loads(one))]
        if names == before:
            return [gr.Timer(active=pending), *[gr.skip()] * (len(outputs) - 1)]
        # A model of the zoo that has just come is compared; what the visitor took away stays so.
        new = [name for name in service.zoo.compared_names() if name not in known]
        compared = [name for name in names if name in compared or name in new]
        own = [name if name in [*names, *typed] else next(iter(names), None) for name in chosen]
        return [
            gr.Timer(active=pending),
            names,
            gr.Dropdown(choices=names, value=compared),
            *(gr.Dropdown(choices=names, value=name) for name in own),
            *draw_board(service),
        ]

    gr.on([app.load, timer.tick], fill, choices, outputs, **ui.AT_ONCE)
    if service.settings.hub_models:
        quiet = {**ui.WORK, "show_progress": "hidden"}
        gr.on([box.change for box in single], fill, choices, outputs, **quiet)


def launch(**options: Any) -> None:  # noqa: ANN401
    """Start the app; it runs until it is interrupted (Ctrl-C, SIGTERM), in good order.

    Its zoo and its bounds are what the environment says. The page does not wait for a Hub.

    Args:
        options: Further arguments of ``gr.Blocks.launch``.
    """
    settings = Settings.from_environment()
    service = Service(ModelZoo(timeout=0), settings)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    static = StaticFiles(packages=[("landslide_zoo.web", "static")])
    app = build_app(service)
    app.launch(
        theme=ui.theme(),
        css=ui.asset("style.css"),
        head=f"<script>{ui.asset('script.js')}</script>",
        max_file_size=int(settings.upload_mb * 2**20),
        app_kwargs={"routes": [Mount(f"/{STATIC}", static)]},
        state_session_capacity=_VISITS,
        footer_links=["api"],
        mcp_server=True,
        prevent_thread_lock=True,
        **options,
    )
    threading.Thread(target=_warm_up, args=[service], daemon=True).start()
    app.block_thread()


def _warm_up(service: Service) -> None:
    """Load what the first visitor would wait for, now that the page is up: find landslides once."""
    sample = samples()[0].path
    draw_page([*service.detect_all(None, [Upload(str(sample), None, sample.stem)])])
