"""The tab Map: a scene, its landslides on a map, and the files for a GIS."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import Any
from urllib.parse import quote

import gradio as gr

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures.images import PROBABILITY_COLOURS
from landslide_zoo.mapping import OUTPUTS
from landslide_zoo.web.components import (
    AT_ONCE,
    QUIET,
    html,
    model_choice,
    on_click,
    plain_errors,
    problem,
    pull_bar,
)
from landslide_zoo.web.downloads import new_folder
from landslide_zoo.web.map_jobs import HOW_TO_INSTALL, WORKERS, MapService, available, teller
from landslide_zoo.web.map_worker import Gone, Request
from landslide_zoo.web.rendering import asset, render
from landslide_zoo.web.samples import PUTHUMALA

STATIC = "gradio_api/landslide-zoo"
"""Where the app serves Leaflet and the map's own files, relative to the page."""
_HEAD = (
    f'<link rel="stylesheet" href="{STATIC}/leaflet/leaflet.css">'
    f'<link rel="stylesheet" href="{STATIC}/map.css">'
    f'<script src="{STATIC}/leaflet/leaflet.js"></script><script src="{STATIC}/map.js"></script>'
)
_DOWNLOADS = {
    title: ending
    for ending, title in (
        OUTPUTS[name] for name in ("gpkg", "mask", "style", "probability", "report")
    )
}
"""Titles of the files, and how their names end; they are written when they are asked for."""
MAPS: dict[str, Any] = {
    "api_visibility": "private",
    "concurrency_id": "maps",
    "concurrency_limit": WORKERS,
}
_PROGRESS = gr.Progress()


def build_map(tab: gr.Tab, maps: MapService) -> list[gr.Dropdown]:
    """Lay out the tab and wire its events.

    Args:
        tab: Whose opening starts a process that maps.
        maps: Maps the scenes.

    Returns:
        The choice of a model, if there is one.
    """
    if not available():
        html(problem(HOW_TO_INSTALL))
        return []
    keep = 60 * maps.service.settings.keep_minutes
    mapped = gr.State(None, time_to_live=keep, delete_callback=_forget)
    stop = gr.State(None)
    with gr.Row(equal_height=False):
        with gr.Column(scale=0, min_width=310, elem_id="lz-map-inputs", elem_classes="lz-files"):
            scene = gr.File(
                label="Scene: a GeoTIFF or a product's ZIP", height=130, elem_id="lz-map-scene"
            )
            dem = gr.File(label="Elevation: a GeoTIFF", height=130)
            with gr.Accordion("Compare with a scene from before", open=False):
                earlier = gr.File(
                    label="Scene from before the event", height=130, elem_id="lz-map-before"
                )
            sample = gr.Button(f"Sample: {PUTHUMALA.title}", size="sm", elem_id="lz-map-sample")
            html(render("sample", sample=PUTHUMALA, samples=[]))
            model = model_choice(maps.service.zoo.names())
            clouds = gr.Checkbox(True, label="Mask clouds")
            run = gr.Button("Map landslides", variant="primary", elem_id="lz-map-run")
            cancel = gr.Button("Stop", variant="stop", interactive=False, elem_id="lz-map-stop")
        with gr.Column(min_width=320):
            most = maps.service.settings.map_megapixels
            text = (
                f"Give a Sentinel-2 scene of up to {most:g} million pixels, and its elevation "
                "where the model reads it, or take the sample."
            )
            empty = render("empty", lead="From a scene to a map", text=text)
            page = html(empty, elem_id="lz-map-page", min_height=200)
            with gr.Row(visible=False) as settings:
                threshold = gr.Slider(
                    0, 1, 0.5, step=0.01, label="Threshold", buttons=[], elem_id="lz-map-threshold"
                )
                area = gr.Number(
                    0,
                    label="Minimum area (ha), 0 = default",
                    minimum=0,
                    step=0.1,
                    elem_id="lz-map-area",
                )
            view = html(
                html_template=asset("static/map.html"),
                js_on_load="lzMap(element, props, watch);",
                head=_HEAD,
                visible=False,
                elem_id="lz-map",
            )
            with gr.Row(visible=False, elem_id="lz-map-downloads") as row:
                buttons = [gr.Button(title, size="sm", min_width=120) for title in _DOWNLOADS]
    shown = [mapped, page, settings, view, row]

    def map_anew(
        scene_file: str | None,
        dem_file: str | None,
        earlier_file: str | None,
        name: str | None,
        leave_out: bool,
        smallest: float | None,
        before: Request | None,
        stopped: Event,
        progress: gr.Progress = _PROGRESS,
    ) -> list[Any]:
        try:
            if not scene_file:
                raise LandslideZooError(
                    "There is no scene yet: drop a GeoTIFF, or take the sample."
                )
            wanted = Request(
                scene_file,
                name or maps.service.zoo.default,
                dem_file,
                earlier_file,
                "mask" if leave_out else "keep",
                minimum_area=smallest or None,
                files=False,
            )
            wanted = replace(wanted, folder=_folder_of(before, wanted))
            bar = pull_bar(wanted.model, progress)
            waits = lambda: not stopped.is_set()  # noqa: E731
            drawn, answer = maps.map_scene(wanted, teller(progress), bar, waits)
        except LandslideZooError as error:
            return [*_nothing(problem(error)), gr.skip()]
        except Gone:
            return [*_nothing(render("notices", sentences=["Stopped."])), gr.skip()]
        level = round(answer["figures"]["threshold"], 2)
        info = f"Drawn again without the network; the model's own is {level:.2f}"
        return [*_shown(drawn, answer), gr.Slider(value=level, info=info)]

    def redraw(
        level: float,
        smallest: float | None,
        before: Request | None,
        progress: gr.Progress = _PROGRESS,
    ) -> list[Any]:
        if before is None:
            return [gr.skip()] * len(shown)
        wanted = replace(before, threshold=level, minimum_area=smallest or None)
        try:
            return _shown(*maps.map_scene(wanted, teller(progress)))
        except LandslideZooError as error:
            return _nothing(problem(error))

    def one_file(end: str) -> Callable[..., str]:
        @plain_errors
        def make(drawn: Request, progress: gr.Progress = _PROGRESS) -> str:
            wanted = replace(drawn, files=True)
            _, answer = maps.map_scene(wanted, teller(progress))
            return next(path for path in answer["files"] if path.endswith(end))

        return make

    tab.select(maps.warm_up, None, None, **QUIET)
    taken = sample.click(_sample, None, [scene, dem, earlier], **AT_ONCE)
    for start in (taken.then, run.click):
        start(lambda: (Event(), gr.Button(interactive=True)), None, [stop, cancel], **AT_ONCE).then(
            map_anew,
            [scene, dem, earlier, model, clouds, area, mapped, stop],
            [*shown, threshold],
            show_progress_on=page,
            **MAPS,
        ).then(lambda: gr.Button(interactive=False), None, cancel, **AT_ONCE)
    cancel.click(lambda stopped: stopped.set(), stop, None, **AT_ONCE)
    gr.on(
        [threshold.input, area.input],
        redraw,
        [threshold, area, mapped],
        shown,
        show_progress_on=page,
        **MAPS,
        trigger_mode="always_last",
    )
    for button, end in zip(buttons, _DOWNLOADS.values(), strict=True):
        on_click(button, one_file(end), [mapped])
    return [model]


def _folder_of(before: Request | None, wanted: Request) -> str:
    """Where the same was mapped before; of another map nothing is kept."""
    if before is None:
        return ""
    drawn_alike = replace(before, threshold=None, minimum_area=wanted.minimum_area, folder="")
    if drawn_alike == wanted:
        return before.folder
    shutil.rmtree(before.folder, ignore_errors=True)
    return ""


def _forget(mapped: Request | None) -> None:
    """Delete the folder of a map that a visitor has left."""
    if mapped:
        shutil.rmtree(mapped.folder, ignore_errors=True)


def _sample() -> list[str | None]:
    """The sample's files, where the app may serve them from; it has no earlier scene."""
    folder = new_folder()
    return [*(str(shutil.copy(path, folder)) for path in (PUTHUMALA.path, PUTHUMALA.dem)), None]


def _nothing(page: str) -> list[Any]:
    """What is shown where there is no map."""
    return [None, page, gr.Row(visible=False), gr.HTML(visible=False), gr.Row(visible=False)]


def _shown(drawn: Request, answer: dict[str, Any]) -> list[Any]:
    """What is shown of a map."""
    page = render("map", figures=answer["figures"], colours=PROBABILITY_COLOURS)
    pictures = [
        {**one, "url": f"gradio_api/file={quote(one['file'])}"} for one in answer["pictures"]
    ]
    value = answer | {"run": drawn.folder, "pictures": pictures, "files": []}
    seen = gr.Row(visible=True)
    return [drawn, page, seen, gr.HTML(value=value, visible=True), seen]
