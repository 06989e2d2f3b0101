"""The public endpoints: the same work as on the page, for programs and agents.

Each is an event of a file component, so that Gradio checks that what is given
was uploaded: a path of the server's own disk is refused. Nothing else is done
to what is given (``preprocess=False``): the endpoint says what is wrong with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import gradio as gr

from landslide_zoo.data.checks import check_patch
from landslide_zoo.errors import LandslideZooError, quoted, shown
from landslide_zoo.inference.comparison import join_detections
from landslide_zoo.inference.result import Steps
from landslide_zoo.web.bands import composites, summarise_bands
from landslide_zoo.web.components import plain_errors, pull_bar
from landslide_zoo.web.downloads import (
    Content,
    detection_files,
    ensemble_files,
    figures_csv,
    write_files,
)
from landslide_zoo.web.map_jobs import MapService, teller
from landslide_zoo.web.map_worker import Request
from landslide_zoo.web.rendering import png
from landslide_zoo.web.service import Service, Upload
from landslide_zoo.web.turns import caller_of

_PROGRESS = gr.Progress()


def build_api(service: Service, maps: MapService) -> None:
    """Wire the endpoints, on components that the page does not show."""

    @plain_errors
    def models() -> list[dict[str, object]]:
        """List the landslide models of this zoo.

        The answer holds, for each model, its name, what it reads, its threshold and size,
        and its F1 with the protocol it was measured by. F1 of different protocols cannot be
        compared.
        """
        return [entry.to_dict() for entry in service.zoo.entries()]

    @plain_errors
    def detect(
        request: gr.Request,
        patch: dict[str, Any],
        model: str | None = None,
        threshold: float | None = None,
        mask: dict[str, Any] | None = None,
        clouds: str | None = None,
        rules_off: list[str] | None = None,
    ) -> tuple[dict[str, object], list[str]]:
        """Find landslides in one Sentinel-2 patch with one model.

        The answer holds figures (area in hectares, share, cloud, number of objects, what
        rules dropped and why, time, warnings, and precision, recall, F1 and IoU where a
        mask is known) and files: the probability as .npy, the mask as .h5, an overlay as
        .png, a table of objects as .csv.

        Args:
            request: Who asks.
            patch: A Landslide4Sense .h5 patch (14 bands, 10 m pixels) or a true-colour .png.
            model: A name that /models lists; the zoo's first model if left out.
            threshold: Probability (0 to 1) from which a pixel is landslide; else the model's own.
            mask: File of the known mask (.h5 or .png), to be scored against.
            clouds: "mask" (the default): what is under cloud is not observed; or "keep".
            rules_off: Rules on objects to switch off, as in ["median_slope"], or ["all"].
        """
        name, level = _name(model), _level(threshold)
        steps, caller = _steps(clouds, rules_off), caller_of(request)
        found = service.detect(name, _upload(patch, mask), level, caller, steps=steps)
        return found.to_dict(), write_files(detection_files(found))

    @plain_errors
    def compare(
        request: gr.Request,
        patch: dict[str, Any],
        models: list[str] | None = None,
        mask: dict[str, Any] | None = None,
        clouds: str | None = None,
        rules_off: list[str] | None = None,
    ) -> tuple[dict[str, object], list[str]]:
        """Run several landslide models on one Sentinel-2 patch, each at its own threshold.

        The answer holds figures of each model (or its error) and of their mean, and files:
        a table as .csv, the mean's probability (.npy), mask (.h5), overlay (.png) and
        objects (.csv), and pictures of where the models agree and disagree.

        Args:
            request: Who asks.
            patch: A Landslide4Sense .h5 patch (14 bands, 10 m pixels) or a true-colour .png.
            models: Names that /models lists; all of them if left out.
            mask: File of the known mask (.h5 or .png), to be scored against.
            clouds: "mask" (the default): what is under cloud is not observed; or "keep".
            rules_off: Rules on objects to switch off, as in ["median_slope"], or ["all"].
        """
        names = _names("models", models) or service.zoo.compared_names()
        steps, caller = _steps(clouds, rules_off), caller_of(request)
        *_, results = service.compare(names, _upload(patch, mask), caller, steps)
        ensemble = join_detections(results)
        figures: dict[str, object] = {
            "models": [one.to_dict() for one in results],
            "together": ensemble.to_dict() if ensemble else None,
        }
        return figures, write_files(ensemble_files(results, ensemble))

    @plain_errors
    def bands(
        request: gr.Request, patch: dict[str, Any], mask: dict[str, Any] | None = None
    ) -> tuple[dict[str, object], list[str]]:
        """Describe every band of one Sentinel-2 patch.

        The answer holds figures of each band (name, unit, lowest, highest, mean, deviation,
        and the means of landslide and other pixels where a mask is known) with warnings
        about the patch, and files: true colour, false colour, NDVI and hillshade as .png,
        the figures as .csv.

        Args:
            request: Who asks.
            patch: A Landslide4Sense .h5 patch (14 bands, 10 m pixels) or a true-colour .png.
            mask: File of the known mask (.h5 or .png), to tell landslide from other pixels.
        """
        seen = service.read(_upload(patch, mask), caller_of(request))
        rows = [one.to_dict() for one in summarise_bands(seen)]
        files: list[Content] = [
            (f"{seen.name}_{one.key}.png", png(one.pixels)) for one in composites(seen)
        ]
        height, width = seen.size
        figures: dict[str, object] = {
            "patch": seen.name,
            "height": height,
            "width": width,
            "warnings": check_patch(seen),
            "bands": rows,
        }
        return figures, write_files([*files, (f"{seen.name}_bands.csv", figures_csv(rows))])

    @plain_errors
    def map_scene(
        request: gr.Request,
        scene: dict[str, Any],
        dem: dict[str, Any] | None = None,
        model: str | None = None,
        threshold: float | None = None,
        minimum_area: float | None = None,
        clouds: str | None = None,
        rules_off: list[str] | None = None,
        before: dict[str, Any] | None = None,
        progress: gr.Progress = _PROGRESS,
    ) -> tuple[dict[str, object], list[str]]:
        """Map the landslides of a whole Sentinel-2 scene as polygons for a GIS.

        It takes a GeoTIFF or the ZIP of a product and, where the model needs it, an
        elevation raster (DEM). With a scene from before the event, only what is barer than
        it was then counts. A map takes from seconds to minutes and reports its progress.
        The answer holds figures (area in hectares, number of landslides, share observed and
        under cloud, what rules dropped, notes) and files: polygons as GeoPackage with a
        style for QGIS, the mask and the probability as GeoTIFF, a report as HTML.

        Args:
            request: Who asks.
            scene: A GeoTIFF of Sentinel-2 bands, named or in their usual order, or a product's ZIP.
            dem: A GeoTIFF with elevation in metres, on any grid, where the model needs it.
            model: A name that /models lists; the zoo's first model if left out.
            threshold: Probability (0 to 1) from which a pixel is landslide; else the model's own.
            minimum_area: Smallest landslide in hectares; that of the rules if left out.
            clouds: "mask" (the default): what is under cloud is not observed; or "keep".
            rules_off: Rules on objects to switch off, as in ["median_slope"], or ["all"].
            before: A scene from before the event, like scene; what was as bare then is dropped.
            progress: Is told how far the map is.
        """
        if scene is None:
            raise LandslideZooError("There is no scene: give a GeoTIFF or a product's ZIP.")
        wanted = Request(
            scene["path"],
            _name(model) or service.zoo.default,
            _path(dem),
            _path(before),
            _clouds(clouds),
            _level(threshold),
            _number("minimum_area", minimum_area, 1e12, "of hectares from 0 on"),
            _names("rules_off", rules_off),
        )
        bar = pull_bar(wanted.model, progress)
        _, answer = maps.map_scene(wanted, caller_of(request), teller(progress), bar)
        return answer["figures"], answer["files"]

    with gr.Column(visible=False):
        patch, mask = gr.File(label="patch"), gr.File(label="mask")
        model, threshold = gr.Textbox(None, label="model"), gr.Number(None, label="threshold")
        names, rules_off = gr.JSON(None, label="models"), gr.JSON(None, label="rules_off")
        for listed in (names, rules_off):
            # JSON may be anything, and an MCP tool's schema must say what it is.
            listed.api_info = lambda: {"type": "array", "items": {"type": "string"}}  # type: ignore
        clouds = gr.Textbox(None, label="clouds")
        answer = [gr.JSON(label="figures"), gr.File(label="files", file_count="multiple")]
        gr.Button().click(models, None, answer[0], **_public("models"))
        steps = [clouds, rules_off]
        detecting = [patch, model, threshold, mask, *steps]
        patch.upload(detect, detecting, answer, **_public("detect"))
        patch.upload(compare, [patch, names, mask, *steps], answer, **_public("compare"))
        patch.upload(bands, [patch, mask], answer, **_public("bands"))
        scene, dem, before = (gr.File(label=name) for name in ("scene", "dem", "before"))
        smallest = gr.Number(None, label="minimum_area")
        given = [scene, dem, model, threshold, smallest, *steps, before]
        scene.upload(map_scene, given, answer, **_public("map_scene"))


def _public(name: str) -> dict[str, Any]:
    return {"api_name": name, "api_visibility": "public", "preprocess": False}


def _upload(patch: dict[str, Any] | None, mask: dict[str, Any] | None) -> Upload:
    if patch is None:
        raise LandslideZooError("There is no patch: give an .h5 or .png file as patch.")
    return Upload(patch["path"], _path(mask), Path(patch["path"]).stem)


def _path(file: dict[str, Any] | None) -> str | None:
    return file["path"] if file else None


def _name(model: object) -> str | None:
    if model is None or isinstance(model, str):
        return model or None
    raise LandslideZooError(f"model is {quoted(model)}; it must be a name that /models lists.")


def _names(parameter: str, given: object) -> list[str]:
    if given is None:
        return []
    if isinstance(given, list) and all(isinstance(one, str) for one in given):
        return given
    raise LandslideZooError(
        f"{parameter} is {quoted(given)}; it must be a list of names, as in {_EXAMPLES[parameter]}."
    )


_EXAMPLES = {"models": '["unet-mobilenet_v2-rgb"]', "rules_off": '["median_slope"]'}


def _steps(clouds: object, rules_off: object) -> Steps:
    return Steps(_clouds(clouds), tuple(_names("rules_off", rules_off)))


def _clouds(given: object) -> Literal["mask", "keep"]:
    if given not in (None, "", "mask", "keep"):
        raise LandslideZooError(f'clouds is {quoted(given)}; it must be "mask" or "keep".')
    return "keep" if given == "keep" else "mask"


def _number(parameter: str, given: object, highest: float, wanted: str) -> float | None:
    if given is None or given == "":
        return None
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= highest:
        return float(given)
    raise LandslideZooError(f"{parameter} is {shown(repr(given))}; it must be a number {wanted}.")


def _level(threshold: object) -> float | None:
    return _number("The threshold", threshold, 1, "from 0 to 1")
