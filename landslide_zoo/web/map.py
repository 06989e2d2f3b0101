"""The tab Map: a scene, its landslides on a map, and the files for a GIS."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote

import gradio as gr
from gradio.utils import get_upload_folder

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures import PROBABILITY_COLOURS
from landslide_zoo.web.components import AT_ONCE, QUIET, on_click, pull_bar
from landslide_zoo.web.map_jobs import (
    HOW_TO_INSTALL,
    Clouds,
    MapService,
    Request,
    available,
    discard,
    teller,
)
from landslide_zoo.web.rendering import asset, render
from landslide_zoo.web.samples import PUTHUMALA
from landslide_zoo.web.service import sentence
from landslide_zoo.web.turns import Caller, Gone, caller_of

STATIC = "gradio_api/landslide-zoo"
"""Where the app serves Leaflet and the map's own files, relative to the page."""
_HEAD = (
    f'<link rel="stylesheet" href="{STATIC}/leaflet/leaflet.css">'
    f'<link rel="stylesheet" href="{STATIC}/map.css">'
    f'<script src="{STATIC}/leaflet/leaflet.js"></script><script src="{STATIC}/map.js"></script>'
)
_EMPTY = {
    "lead": "From a scene to a map",
    "text": "Give a Sentinel-2 scene as a GeoTIFF or the ZIP of a product, and its elevation where "
    "the model reads it, or take the sample.",
}
_DOWNLOADS = {
    "Landslides .gpkg": ".gpkg",
    "Style for QGIS .qml": ".qml",
    "Mask .tif": "_mask.tif",
    "Probability .tif": "_probability.tif",
    "Report .html": ".html",
}
"""Titles of the files, and how their names end; they are written when they are asked for."""
_PROGRESS = gr.Progress()


def build_map(tab: gr.Tab, maps: MapService) -> None:
    """Lay out the tab and wire its events.

    Args:
        tab: Which it is; opening it fills the choice of models.
        maps: Maps the scenes.
    """
    if not available():
        gr.HTML(render("problems", sentences=[HOW_TO_INSTALL]), apply_default_css=False)
        return
    mapped, stop = gr.State(None), gr.State(None)
    with gr.Row(equal_height=False):
        with gr.Column(scale=0, min_width=310, elem_id="lz-map-inputs"):
            most = f"{maps.service.settings.map_megapixels:g} million pixels"
            scene = gr.File(
                label=f"Scene: a GeoTIFF or product ZIP, up to {most}",
                height=120,
                elem_id="lz-map-scene",
            )
            dem = gr.File(label="Elevation: a GeoTIFF", height=120, elem_id="lz-map-dem")
            with gr.Accordion("Compare with a scene from before", open=False):
                earlier = gr.File(
                    label="Scene from before the event",
                    height=120,
                    elem_id="lz-map-before",
                )
            sample = gr.Button(f"Sample: {PUTHUMALA.title}", size="sm", elem_id="lz-map-sample")
            gr.HTML(render("sample", sample=PUTHUMALA, samples=[]), apply_default_css=False)
            model = gr.Dropdown(label="Model", elem_id="lz-map-model")
            clouds = gr.Checkbox(
                True, label="Leave out what is under cloud", elem_id="lz-map-clouds"
            )
            run = gr.Button("Map landslides", variant="primary", elem_id="lz-map-run")
            cancel = gr.Button("Stop", variant="stop", interactive=False, elem_id="lz-map-stop")
        with gr.Column(min_width=320, elem_id="lz-map-main"):
            page = gr.HTML(
                render("empty", **_EMPTY),
                elem_id="lz-map-page",
                min_height=200,
                apply_default_css=False,
            )
            with gr.Row(visible=False) as settings:
                threshold = gr.Slider(
                    0, 1, 0.5, step=0.01, label="Threshold", buttons=[], elem_id="lz-map-threshold"
                )
                area = gr.Number(
                    0,
                    label="Smallest landslide in hectares (0: as the rules say)",
                    minimum=0,
                    step=0.1,
                    elem_id="lz-map-area",
                )
            view = gr.HTML(
                html_template=asset("static/map.html"),
                js_on_load="lzMap(element, props, watch);",
                head=_HEAD,
                visible=False,
                elem_id="lz-map",
                apply_default_css=False,
            )
            with gr.Row(visible=False, elem_id="lz-map-downloads") as row:
                buttons = [gr.Button(title, size="sm", min_width=120) for title in _DOWNLOADS]
    shown = [mapped, page, settings, view, row]

    def fill(chosen: str | None) -> gr.Dropdown:
        maps.warm_up()
        names = maps.service.zoo.names()
        return gr.Dropdown(
            choices=names, value=chosen if chosen in names else next(iter(names), None)
        )

    def map_anew(
        scene_file: str | None,
        dem_file: str | None,
        earlier_file: str | None,
        name: str | None,
        leave_out: bool,
        smallest: float | None,
        before: Drawn | None,
        stopped: Event,
        request: gr.Request,
        progress: gr.Progress = _PROGRESS,
    ) -> list[Any]:
        name = name or maps.service.default  # a click may come before the choice is filled
        if not scene_file:
            text = "There is no scene yet: drop a GeoTIFF, or take the sample."
            return [*_nothing(render("problems", sentences=[text])), gr.skip()]
        clouds_are: Clouds = "mask" if leave_out else "keep"
        wanted = Request(scene_file, dem_file, name, clouds_are, earlier_file)
        if before and replace(before.request, folder="") == wanted:
            wanted = before.request
        else:
            discard(before.request.folder if before else "")
        caller = _until(stopped, caller_of(request))
        try:
            wanted, answer = maps.map_scene(
                wanted,
                caller,
                None,
                smallest or None,
                (),
                teller(progress),
                pull_bar(name, progress),
                files=False,
            )
        except LandslideZooError as error:
            return [*_nothing(render("problems", sentences=[sentence(error)])), gr.skip()]
        except Gone:
            return [*_nothing(render("notices", sentences=["Stopped."])), gr.skip()]
        level = round(answer["figures"]["threshold"], 2)
        info = f"Drawn again without the network; the model's own is {level:.2f}"
        drawn = Drawn(wanted, None, smallest or None)
        return [*_shown(drawn, answer), gr.Slider(value=level, info=info)]

    def redraw(
        level: float,
        smallest: float | None,
        before: Drawn | None,
        request: gr.Request,
        progress: gr.Progress = _PROGRESS,
    ) -> list[Any]:
        if before is None:
            return [gr.skip()] * len(shown)
        drawn = replace(before, threshold=level, minimum_area=smallest or None)
        try:
            answer = draw(drawn, request, progress, files=False)
        except LandslideZooError as error:
            return _nothing(render("problems", sentences=[sentence(error)]))
        return _shown(drawn, answer)

    def draw(
        drawn: Drawn, request: gr.Request, progress: gr.Progress, files: bool
    ) -> dict[str, Any]:
        threshold, smallest = drawn.threshold, drawn.minimum_area
        caller, tell = caller_of(request), teller(progress)
        _, answer = maps.map_scene(
            drawn.request, caller, threshold, smallest, (), tell, files=files
        )
        return answer

    def one_file(end: str) -> Callable[..., str]:
        def make(drawn: Drawn, request: gr.Request, progress: gr.Progress = _PROGRESS) -> str:
            try:
                files = draw(drawn, request, progress, files=True)["files"]
            except LandslideZooError as error:
                raise gr.Error(sentence(error), print_exception=False) from error
            return next(path for path in files if path.endswith(end))

        return make

    tab.select(fill, model, model, **QUIET)
    begun: dict[str, Any] = {
        "fn": lambda: (Event(), gr.Button("Stop", interactive=True)),
        "inputs": None,
        "outputs": [stop, cancel],
        **AT_ONCE,
    }
    mapping: dict[str, Any] = {
        "fn": map_anew,
        "inputs": [scene, dem, earlier, model, clouds, area, mapped, stop],
        "outputs": [*shown, threshold],
        "api_visibility": "private",
        "show_progress_on": page,
    }
    ended: dict[str, Any] = {
        "fn": partial(gr.Button, "Stop", interactive=False),
        "inputs": None,
        "outputs": cancel,
        **AT_ONCE,
    }
    taken = sample.click(_sample, None, [scene, dem, earlier], **AT_ONCE)
    for start in (taken.then, run.click):
        start(**begun).then(**mapping).then(**ended)
    cancel.click(lambda stopped: stopped.set(), stop, None, **AT_ONCE)
    gr.on(
        [threshold.input, area.input],
        redraw,
        [threshold, area, mapped],
        shown,
        api_visibility="private",
        show_progress_on=page,
        trigger_mode="always_last",
    )
    for button, end in zip(buttons, _DOWNLOADS.values(), strict=True):
        on_click(button, one_file(end), [mapped])


@dataclass(frozen=True)
class Drawn:
    """A map as it is on the page, by which its files are made.

    Attributes:
        request: What was mapped.
        threshold: The model's own where None.
        minimum_area: Smallest landslide in hectares; that of the rules where None.
    """

    request: Request
    threshold: float | None
    minimum_area: float | None


def _sample() -> list[str | None]:
    """The sample's files, where the app may serve them from; it has no earlier scene."""
    parent = Path(get_upload_folder())
    parent.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(dir=parent)
    return [*(shutil.copy(path, folder) for path in (PUTHUMALA.path, PUTHUMALA.dem)), None]


def _until(stopped: Event, caller: Caller) -> Caller:
    """The caller, who waits no longer once they press Stop."""
    waits = caller.waits
    return replace(caller, waits=lambda: waits() and not stopped.is_set())


def _nothing(page: str) -> list[Any]:
    """What is shown where there is no map."""
    return [None, page, gr.Row(visible=False), gr.HTML(visible=False), gr.Row(visible=False)]


def _shown(drawn: Drawn, answer: dict[str, Any]) -> list[Any]:
    """What is shown of a map."""
    page = render("map", figures=answer["figures"], colours=PROBABILITY_COLOURS)
    pictures = [{**one, "url": _url(one["file"])} for one in answer["pictures"]]
    names = ("name", "size", "metres", "degrees", "landslides", "dropped", "more")
    value = {name: answer[name] for name in names} | {
        "run": drawn.request.folder,
        "pictures": pictures,
        "attribution": "Contains modified Copernicus Sentinel data",
    }
    seen = gr.Row(visible=True)
    return [drawn, page, seen, gr.HTML(value=value, visible=True), seen]


def _url(path: str) -> str:
    """Where the page finds a file of the upload folder."""
    return f"gradio_api/file={quote(path)}"
