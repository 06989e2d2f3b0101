"""The tab Map: a scene, its landslides on a map, and the files for a GIS."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import gradio as gr

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures.images import PROBABILITY_COLOURS
from landslide_zoo.mapping import OUTPUTS
from landslide_zoo.web.components import (
    AT_ONCE,
    QUIET,
    asset,
    html,
    model_choice,
    new_folder,
    on_click,
    plain_errors,
    problem,
    pull_bar,
    render,
)
from landslide_zoo.web.map_worker import AT_ONCE as MAPPED_AT_ONCE
from landslide_zoo.web.map_worker import HOW_TO_INSTALL, Mapped, MapService, Request, available
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
    "concurrency_limit": MAPPED_AT_ONCE,
}
"""For events that map scenes."""
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
    with gr.Row(equal_height=False):
        with gr.Column(scale=0, min_width=310, elem_id="lz-map-inputs", elem_classes="lz-files"):
            scene = gr.File(
                label="Scene: a GeoTIFF or a product's ZIP", height=130, elem_id="lz-map-scene"
            )
            dem = gr.File(label="Elevation: a GeoTIFF", height=130)
            with gr.Accordion("Compare with a scene from before", open=False):
                before = gr.File(
                    label="Scene from before the event", height=130, elem_id="lz-map-before"
                )
            sample = gr.Button(f"Sample: {PUTHUMALA.title}", size="sm", elem_id="lz-map-sample")
            html(render("sample", sample=PUTHUMALA, samples=[]))
            model = model_choice(maps.service.zoo.names(), by_id=maps.service.settings.hub_models)
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
            with gr.Column(visible=False) as results:
                with gr.Row():
                    threshold = gr.Slider(
                        *(0, 1, 0.5),
                        step=0.01,
                        label="Threshold",
                        buttons=[],
                        elem_id="lz-map-threshold",
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
                    elem_id="lz-map",
                )
                with gr.Row(elem_id="lz-map-downloads"):
                    buttons = [gr.Button(title, size="sm", min_width=120) for title in _DOWNLOADS]
    shown = [mapped, page, results, view]

    def map_anew(
        scene_file: str | None,
        dem_file: str | None,
        before_file: str | None,
        name: str | None,
        mask_clouds: bool,
        minimum_area: float | None,
        previous: Request | None,
        progress: gr.Progress = _PROGRESS,
    ) -> Iterator[list[Any]]:
        if not scene_file:
            yield _nothing(problem("There is no scene yet: drop a GeoTIFF, or take the sample."))
            return
        name = name or maps.service.zoo.default
        wanted = Request(
            scene_file,
            name,
            dem_file,
            before_file,
            "mask" if mask_clouds else "keep",
            minimum_area=minimum_area or None,
            files=False,
        )
        wanted = replace(wanted, folder=_folder_of(previous, wanted))
        try:
            for state in maps.map_scene(wanted, pull_bar(name, progress)):
                if isinstance(state, Mapped):
                    own = round(state.page["figures"]["threshold"], 2)
                    info = f"Drawn again without the network; the model's own is {own:.2f}"
                    yield [*_shown(state), gr.Slider(value=own, info=info)]
                else:
                    page = render("working", progress=state)
                    yield [gr.skip(), page, gr.Column(visible=False), gr.skip(), gr.skip()]
        except LandslideZooError as error:
            yield _nothing(problem(error))

    def redraw(
        level: float, minimum_area: float | None, previous: Request | None
    ) -> Iterator[list[Any]]:
        if previous is None:
            return
        wanted = replace(previous, threshold=level, minimum_area=minimum_area or None)
        try:
            for state in maps.map_scene(wanted):
                yield _shown(state) if isinstance(state, Mapped) else [gr.skip()] * len(shown)
        except LandslideZooError as error:
            yield _nothing(problem(error))[:-1]

    def one_file(end: str) -> Callable[[Request], str]:
        @plain_errors
        def make(drawn: Request) -> str:
            *_, made = maps.map_scene(replace(drawn, files=True))
            assert isinstance(made, Mapped)
            return next(path for path in made.files if path.endswith(end))

        return make

    tab.select(maps.warm_up, None, None, **QUIET)
    runs = []
    for start in (sample.click(_sample, None, [scene, dem, before], **AT_ONCE).then, run.click):
        running = start(lambda: gr.Button(interactive=True), None, cancel, **AT_ONCE).then(
            map_anew,
            [scene, dem, before, model, clouds, area, mapped],
            [*shown, threshold],
            show_progress_on=page,
            **MAPS,
        )
        running.then(lambda: gr.Button(interactive=False), None, cancel, **AT_ONCE)
        runs.append(running)
    cancel.click(
        lambda: [render("notices", sentences=["Stopped."]), gr.Button(interactive=False)],
        None,
        [page, cancel],
        cancels=runs,
        **AT_ONCE,
    )
    gr.on(
        [threshold.input, area.input],
        redraw,
        [threshold, area, mapped],
        shown,
        show_progress_on=page,
        trigger_mode="always_last",
        **MAPS,
    )
    for button, end in zip(buttons, _DOWNLOADS.values(), strict=True):
        on_click(button, one_file(end), [mapped])
    return [model]


def _folder_of(previous: Request | None, wanted: Request) -> str:
    """Where the same was mapped before; of another map nothing is kept."""
    if previous is None:
        return ""
    if replace(previous, threshold=None, minimum_area=wanted.minimum_area, folder="") == wanted:
        return previous.folder
    _forget(previous)
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
    return [None, page, gr.Column(visible=False), gr.skip(), gr.skip()]


def _shown(made: Mapped) -> list[Any]:
    """What is shown of a map."""
    page = render("map", figures=made.page["figures"], colours=PROBABILITY_COLOURS)
    pictures = [
        {**picture, "url": f"gradio_api/file={quote(picture['file'])}"} for picture in made.pictures
    ]
    value = made.page | {"run": made.request.folder, "pictures": pictures}
    return [made.request, page, gr.Column(visible=True), value]
