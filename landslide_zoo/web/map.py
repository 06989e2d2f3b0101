"""The tab Map: a scene, its landslides on a map, and the files for a GIS."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures.images import PROBABILITY_COLOURS
from landslide_zoo.web import components as ui
from landslide_zoo.web import map_worker
from landslide_zoo.web.map_worker import Mapped, MapService, Request
from landslide_zoo.web.samples import PUTHUMALA

STATIC = "gradio_api/landslide-zoo"
"""Where the app serves Leaflet and the map's own files, relative to the page."""
_HEAD = (
    f'<link rel="stylesheet" href="{STATIC}/leaflet/leaflet.css">'
    f'<link rel="stylesheet" href="{STATIC}/map.css">'
    f'<script src="{STATIC}/leaflet/leaflet.js"></script><script src="{STATIC}/map.js"></script>'
)
MAPS: dict[str, Any] = {
    "api_visibility": "private",
    "concurrency_id": "maps",
    "concurrency_limit": map_worker.MAPS_AT_WORK,
}
"""For events that map scenes."""
_PROGRESS = gr.Progress()


def build_map(tab: gr.Tab, maps: MapService, show_sample: gr.Button) -> list[Any]:
    """Lay out the tab and wire its events.

    Args:
        tab: Whose opening starts a process that maps.
        maps: Maps the scenes.
        show_sample: Asks for the sample from elsewhere on the page.

    Returns:
        Where a scene is given, and the choice of a model, if there is one.
    """
    if not map_worker.available():
        ui.html(ui.problem(map_worker.HOW_TO_INSTALL))
        return [gr.File(visible=False)]
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
            aoi = gr.Textbox(
                label="Only around (optional)",
                placeholder="west, south, east, north in degrees",
                elem_id="lz-map-aoi",
            )
            sample = gr.Button(f"Sample: {PUTHUMALA.title}", size="sm", elem_id="lz-map-sample")
            ui.html(ui.render("sample", sample=PUTHUMALA, samples=[]))
            by_id = maps.service.settings.hub_models
            model = ui.model_choice(maps.service.zoo.names(), by_id)
            clouds = gr.Checkbox(True, label="Mask clouds")
            run = gr.Button("Map landslides", variant="primary", elem_id="lz-map-run")
            cancel = gr.Button("Stop", variant="stop", interactive=False, elem_id="lz-map-stop")
        with gr.Column(min_width=320):
            most = maps.service.settings.map_megapixels
            text = (
                f"Give a Sentinel-2 scene of up to {most:g} million pixels, and its elevation "
                "where the model reads it, or take the sample."
            )
            empty = ui.render("empty", lead="From a scene to a map", text=text)
            page = ui.html(empty, elem_id="lz-map-page", min_height=200)
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
                view = ui.html(
                    html_template=ui.asset("static/map.html"),
                    js_on_load="lzMap(element, props, watch);",
                    head=_HEAD,
                    elem_id="lz-map",
                )
                download = gr.Button("All files .zip", size="sm", elem_id="lz-map-download")
    shown = [mapped, page, results, view]

    def map_anew(
        scene_file: str | None,
        dem_file: str | None,
        before_file: str | None,
        around: str,
        name: str | None,
        mask_clouds: bool,
        minimum_area: float | None,
        previous: Request | None,
        progress: gr.Progress = _PROGRESS,
    ) -> Iterator[list[Any]]:
        if not scene_file:
            yield _nothing(ui.problem("There is no scene yet: drop a GeoTIFF, or take the sample."))
            return
        name = name or maps.service.zoo.default
        wanted = Request(
            scene_file,
            name,
            dem_file,
            before_file,
            around.strip(),
            "mask" if mask_clouds else "keep",
            minimum_area=minimum_area or None,
            files=False,
        )
        wanted = replace(wanted, folder=_folder_of(previous, wanted))
        try:
            for state in maps.map_scene(wanted, ui.pull_bar(name, progress)):
                if isinstance(state, Mapped):
                    own = round(state.page["figures"]["threshold"], 2)
                    info = f"Drawn again without the network; the model's own is {own:.2f}"
                    yield [*_shown(state), gr.Slider(value=own, info=info)]
                else:
                    page = ui.render("working", progress=state)
                    yield [gr.skip(), page, gr.Column(visible=False), gr.skip(), gr.skip()]
        except LandslideZooError as error:
            yield _nothing(ui.problem(error))

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
            yield _nothing(ui.problem(error))[:-1]

    @ui.plain_errors
    def archive(drawn: Request) -> str:
        *_, made = maps.map_scene(replace(drawn, files=True))
        assert isinstance(made, Mapped)
        paths = [Path(path) for path in made.files]
        files = ((path.name, path.read_bytes()) for path in paths)
        return ui.write_zip(f"{made.page['name']}.zip", files)

    tab.select(maps.warm_up, None, None, **ui.QUIET)
    runs, stopped = [], gr.State(False)
    asked = gr.on(
        [sample.click, show_sample.click], _sample, None, [scene, dem, before, aoi], **ui.AT_ONCE
    )
    for start in (asked.then, run.click):
        running = start(
            lambda: [False, gr.Button(interactive=True)], None, [stopped, cancel], **ui.AT_ONCE
        ).then(
            map_anew,
            [scene, dem, before, aoi, model, clouds, area, mapped],
            [*shown, threshold],
            show_progress_on=page,
            **MAPS,
        )
        running.then(_ended, stopped, [page, cancel], **ui.AT_ONCE)
        runs.append(running)
    cancel.click(
        lambda: [True, gr.Button(interactive=False)],
        None,
        [stopped, cancel],
        cancels=runs,
        **ui.AT_ONCE,
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
    ui.on_click(download, archive, [mapped])
    return [scene, model]


def _ended(stopped: bool) -> list[Any]:
    """What a map that has ended leaves on the page: a word, where it was stopped."""
    page = ui.render("notices", sentences=["Stopped."]) if stopped else gr.skip()
    return [page, gr.Button(interactive=False)]


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
    """The sample's files, where the app may serve them from; all of it, no earlier scene."""
    folder = ui.new_folder()
    return [*(str(shutil.copy(path, folder)) for path in (PUTHUMALA.path, PUTHUMALA.dem)), None, ""]


def _nothing(page: str) -> list[Any]:
    """What is shown where there is no map."""
    return [None, page, gr.Column(visible=False), gr.skip(), gr.skip()]


def _shown(made: Mapped) -> list[Any]:
    """What is shown of a map."""
    page = ui.render(
        "map",
        figures=made.page["figures"],
        possible=made.page["possible_hectares"],
        colours=PROBABILITY_COLOURS,
    )
    pictures = [
        {**picture, "url": f"gradio_api/file={quote(picture['file'])}"} for picture in made.pictures
    ]
    value = made.page | {"run": made.request.folder, "pictures": pictures}
    return [made.request, page, gr.Column(visible=True), value]
