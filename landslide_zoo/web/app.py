"""The app, put together from its tabs."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from inspect import signature
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
import gradio.mcp
import gradio.routes
from gradio.route_utils import FnIndexInferError
from gradio.utils import get_upload_folder
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.settings import Settings
from landslide_zoo.web.api import build_api
from landslide_zoo.web.bands import build_bands
from landslide_zoo.web.compare import build_compare
from landslide_zoo.web.components import AT_ONCE, html, theme
from landslide_zoo.web.detect import build_detect, draw_page
from landslide_zoo.web.housekeeping import (
    TemporaryFolder,
    do_regularly,
    exit_now,
    give_memory_back,
    interrupt_on_sigterm,
    share_freed_memory,
)
from landslide_zoo.web.inputs import build_inputs
from landslide_zoo.web.map import STATIC, build_map
from landslide_zoo.web.map_jobs import MapService
from landslide_zoo.web.rendering import asset, render
from landslide_zoo.web.samples import samples
from landslide_zoo.web.service import Service, Upload
from landslide_zoo.web.sessions import drop_if_empty, make_sessions_small
from landslide_zoo.web.zoo import build_zoo, draw_board
from landslide_zoo.zoo.zoo import ModelZoo

logger = logging.getLogger(__name__)

TITLE = "Landslide Zoo"
_STATIC_FILES = ("landslide_zoo.web", "static")
_MORE_THREADS = 64
"""For what does not wait for its turn: pages, redrawing, downloads, models being pulled."""
_VISITS = 2000
"""Visits whose results are kept."""
_FILES_OVER_MCP = (
    " A file is given as its public address, or, where all files together are below 3 MB, as "
    "data:application/octet-stream;base64,... itself."
)
_MISTAKES = (ClientDisconnect, FnIndexInferError, KeyError, TypeError)
_NO_ENDPOINT = (
    "There is no such endpoint: there are /models, /detect, /compare, /bands and /map_scene."
)
_BAD_INPUT = (
    "What was sent cannot be taken: patch, mask, scene, dem and before are files, each uploaded "
    'first and given as {"path": ..., "meta": {"_type": "gradio.FileData"}}, or as a public '
    "address."
)


class App(gr.Blocks):
    """Gradio's blocks with a temporary folder of their own.

    Args:
        folder: Where uploads and results are kept.
        service: What its events share.
        options: Further arguments of ``gr.Blocks``.
    """

    def __init__(self, folder: TemporaryFolder, service: Service, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self.folder = folder
        self.service = service

    async def preprocess_data(
        self,
        block_fn: Any,  # noqa: ANN401
        inputs: Sequence[Any],
        *args: Any,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> list[Any]:
        """Arguments of an event's function; None for those that were left out.

        Raises:
            gr.Error: If it is nothing that the event can take; Gradio itself would
                say nothing to the client and print a traceback.
        """
        given = [*inputs, *[None] * (len(block_fn.inputs) - len(inputs))]
        if any(_is_of_this_network(one) for one in given):
            raise gr.Error(_BAD_INPUT, print_exception=False)
        try:
            return await super().preprocess_data(block_fn, given, *args, **options)
        except gr.Error:
            raise
        except Exception as error:
            raise gr.Error(_BAD_INPUT, print_exception=False) from error

    async def process_api(self, *args: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        """What an event answers; after it, a session that holds nothing is dropped."""
        try:
            return await super().process_api(*args, **options)
        finally:
            drop_if_empty(self, options.get("session_hash"), options.get("event_id"))


def _is_of_this_network(given: Any) -> bool:  # noqa: ANN401
    """Whether a file is to come from a private address; Gradio would ask a name server first."""
    path = given.get("path") if isinstance(given, dict) else None
    try:
        host = urlsplit(path).hostname if isinstance(path, str) else None
        return host is not None and (host == "localhost" or not ip_address(host).is_global)
    except ValueError:  # a name, or no address at all
        return False


async def _tell(request: Request, error: Exception) -> Response:
    """Answer a client's mistake with a sentence, and the log has no traceback of it."""
    if isinstance(error, ClientDisconnect):
        return Response()  # which nobody reads
    # Arguments by name: Gradio looks both an endpoint and its parameters up unasked.
    by_name = "/call/v2/" in request.url.path
    if isinstance(error, FnIndexInferError) or (by_name and isinstance(error, KeyError)):
        return JSONResponse({"detail": _NO_ENDPOINT}, 404)
    if by_name:
        return JSONResponse({"detail": f"{str(error).rstrip('.')}."}, 422)
    raise error


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
    folder = TemporaryFolder(Path(get_upload_folder()), 60 * settings.keep_minutes)
    os.environ["GRADIO_TEMP_DIR"] = str(folder.path)
    vars(gradio.mcp)["GradioMCPServer"]._file_data_tool_description = _FILES_OVER_MCP
    for module in (gradio.mcp, gradio.routes):  # they read the variable when they were imported
        vars(module)["DEFAULT_TEMP_DIR"] = str(folder.path)
    with App(folder, service, title=TITLE, analytics_enabled=False, fill_width=True) as app:
        build_api(service, maps)  # first: Gradio gives a name to whoever asks first
        html(render("header"))
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
        html(render("footer", minutes=settings.keep_minutes))
        _follow_zoo(app, service, models, [model, chosen, *mapping], board)
    # Gradio asks for them for every component of every visit.
    for kind in {type(block) for block in app.blocks.values()}:
        vars(kind.__init__)["__signature__"] = signature(kind.__init__)
    # Whose turn it is, is decided where the work is done.
    app.queue(max_size=settings.queue, default_concurrency_limit=None)
    return app


def _follow_zoo(
    app: App,
    service: Service,
    models: gr.CheckboxGroup,
    single: Sequence[gr.Dropdown],
    board: Sequence[gr.components.Component],
) -> None:
    """Fill every choice of models, at once with what is known and again when a Hub answers."""
    timer = gr.Timer(2, active=False)
    known = gr.State(None)
    choices = [known, models, *single]

    def fill(before: list[str] | None, ticked: list[str], *chosen: str | None) -> list[Any]:
        names, pending = service.zoo.names(), service.zoo.pending
        if names == before and pending:
            return [gr.skip()] * (len(choices) + len(board) + 1)
        first = next(iter(names), None)
        # A model that has just come is ticked; what the visitor unticked stays so.
        come = set(service.zoo.compared_names()) - set(before or [])
        ticked = [name for name in names if name in ticked or name in come]
        return [
            names,
            gr.CheckboxGroup(choices=names, value=ticked),
            *(gr.Dropdown(choices=names, value=one if one in names else first) for one in chosen),
            *draw_board(service),
            gr.Timer(active=pending),
        ]

    gr.on([app.load, timer.tick], fill, choices, [*choices, *board, timer], **AT_ONCE)


def launch(app: App, **options: Any) -> None:  # noqa: ANN401
    """Start the app's server; it runs until it is interrupted (Ctrl-C, SIGTERM), in good order.

    Args:
        app: From :func:`build_app`.
        options: Further arguments of ``gr.Blocks.launch``.
    """
    settings = app.service.settings
    interrupt_on_sigterm()
    share_freed_memory()
    make_sessions_small()
    do_regularly(
        min(20.0, 30 * settings.keep_minutes),
        app.folder.sweep,
        give_memory_back,
    )
    try:
        app.launch(
            theme=theme(),
            css=asset("style.css"),
            head=f"<script>{asset('script.js')}</script>",
            max_file_size=int(settings.upload_mb * 2**20),
            max_threads=settings.queue + _MORE_THREADS,
            app_kwargs={
                "exception_handlers": dict.fromkeys(_MISTAKES, _tell),
                "routes": [Mount(f"/{STATIC}", StaticFiles(packages=[_STATIC_FILES]))],
            },
            state_session_capacity=_VISITS,
            footer_links=["api"],
            mcp_server=True,
            prevent_thread_lock=True,
            **options,
        )
        Thread(target=_warm_up, args=[app.service], name="warming up", daemon=True).start()
        app.block_thread()
    except KeyboardInterrupt:
        app.close(verbose=False)
    finally:
        app.folder.delete()
    exit_now()


def _warm_up(service: Service) -> None:
    """Load what the first visitor would wait for, now that the page is up: find landslides once."""
    sample = samples()[0].path
    try:
        draw_page([service.detect(None, Upload(str(sample), None, sample.stem))])
    except LandslideZooError as error:
        logger.warning("The app is not warm: %s", error)
