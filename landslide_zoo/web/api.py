"""The public endpoints: the same work as on the page, for programs and agents.

Each is an event of a file component, so that Gradio checks that what is given
was uploaded: a path of the server's own disk is refused.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import gradio as gr

from landslide_zoo.data.checks import check_patch
from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures.images import png
from landslide_zoo.inference.predict import Options
from landslide_zoo.inference.rules import DEFAULT_RULES
from landslide_zoo.settings import Clouds
from landslide_zoo.web import components as ui
from landslide_zoo.web.bands import composites, describe_bands
from landslide_zoo.web.compare import join, joint_files, model_figures
from landslide_zoo.web.detect import prediction_files
from landslide_zoo.web.map import MAPS
from landslide_zoo.web.map_worker import Mapped, MapService, Request
from landslide_zoo.web.service import Service, Upload

_PROGRESS = gr.Progress()


def build_api(service: Service, maps: MapService) -> None:
    """Wire the endpoints, on components that the page does not show."""

    @ui.plain_errors
    def models() -> list[dict[str, object]]:
        """List the landslide models of this zoo.

        The answer holds, for each model, its name, what it reads, its threshold and size,
        and its F1 with the protocol it was measured by. F1 of different protocols cannot be
        compared.
        """
        return [entry.to_dict() for entry in service.zoo.entries()]

    @ui.plain_errors
    def detect(
        patch: str,
        model: str | None = None,
        threshold: float | None = None,
        mask: str | None = None,
        clouds: Clouds | None = None,
        rules_off: list[str] | None = None,
    ) -> tuple[dict[str, object], list[str]]:
        """Find landslides in one Sentinel-2 patch with one model.

        The answer holds figures (area in hectares, share, cloud, number of objects, what
        rules dropped and why, time, warnings, and precision, recall, F1 and IoU where a
        mask is known) and files: the probability as .npy, the mask as .h5, an overlay as
        .png, a table of objects as .csv.

        Args:
            patch: A Landslide4Sense .h5 patch (14 bands, 10 m pixels) or a true-colour .png.
            model: A name that /models lists, or the id of a model on the Hub; else the zoo's first.
            threshold: Probability (0 to 1) from which a pixel is landslide; else the model's own.
            mask: File of the known mask (.h5 or .png), to be scored against.
            clouds: "mask" (the default): what is under cloud is not observed; or "keep".
            rules_off: Rules on objects to switch off, as in ["median_slope"], or ["all"].
        """
        options: Options = {"clouds": clouds or "mask", "rules_off": rules_off or ()}
        upload = _upload(patch, mask)
        prediction = service.detect(model or None, upload, threshold, options=options)
        return prediction.to_dict(), ui.write_files(prediction_files(prediction))

    @ui.plain_errors
    def compare(
        patch: str,
        models: list[str] | None = None,
        mask: str | None = None,
        clouds: Clouds | None = None,
        rules_off: list[str] | None = None,
    ) -> tuple[dict[str, object], list[str]]:
        """Run several landslide models on one Sentinel-2 patch, each at its own threshold.

        The answer holds figures of each model (or its error) and of their mean, and files:
        a table as .csv, the mean's probability (.npy), mask (.h5), overlay (.png) and
        objects (.csv), and pictures of where the models agree and disagree.

        Args:
            patch: A Landslide4Sense .h5 patch (14 bands, 10 m pixels) or a true-colour .png.
            models: Names that /models lists, or ids of models on the Hub; all listed if left out.
            mask: File of the known mask (.h5 or .png), to be scored against.
            clouds: "mask" (the default): what is under cloud is not observed; or "keep".
            rules_off: Rules on objects to switch off, as in ["median_slope"], or ["all"].
        """
        names = models or service.zoo.compared_names()
        options: Options = {"clouds": clouds or "mask", "rules_off": rules_off or ()}
        *_, outcomes = service.compare(names, _upload(patch, mask), options)
        agreement = join(outcomes)
        figures: dict[str, object] = {
            "models": model_figures(outcomes),
            "together": agreement.to_dict() if agreement else None,
        }
        return figures, ui.write_files(joint_files(outcomes))

    @ui.plain_errors
    def bands(patch: str, mask: str | None = None) -> tuple[dict[str, object], list[str]]:
        """Describe every band of one Sentinel-2 patch.

        The answer holds figures of each band (name, unit, lowest, highest, mean, deviation,
        and the means of landslide and other pixels where a mask is known) with warnings
        about the patch, and files: true colour, false colour, NDVI and hillshade as .png,
        the figures as .csv.

        Args:
            patch: A Landslide4Sense .h5 patch (14 bands, 10 m pixels) or a true-colour .png.
            mask: File of the known mask (.h5 or .png), to tell landslide from other pixels.
        """
        described = service.read(_upload(patch, mask))
        rows = describe_bands(described)
        files: list[ui.Content] = [
            (f"{described.name}_{picture.key}.png", png(picture.pixels))
            for picture in composites(described)
        ]
        height, width = described.size
        figures: dict[str, object] = {
            "patch": described.name,
            "height": height,
            "width": width,
            "warnings": check_patch(described),
            "bands": rows,
        }
        return figures, ui.write_files(
            [*files, (f"{described.name}_bands.csv", ui.figures_csv(rows))]
        )

    @ui.plain_errors
    def map_scene(
        scene: str,
        dem: str | None = None,
        model: str | None = None,
        threshold: float | None = None,
        minimum_area: float | None = None,
        clouds: Clouds | None = None,
        rules_off: list[str] | None = None,
        before: str | None = None,
        aoi: str | None = None,
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
            scene: A GeoTIFF of Sentinel-2 bands, named or in their usual order, or a product's ZIP.
            dem: A GeoTIFF with elevation in metres, on any grid, where the model needs it.
            model: A name that /models lists, or the id of a model on the Hub; else the zoo's first.
            threshold: Probability (0 to 1) from which a pixel is landslide; else the model's own.
            minimum_area: Smallest landslide in hectares; that of the rules if left out.
            clouds: "mask" (the default): what is under cloud is not observed; or "keep".
            rules_off: Rules on objects to switch off, as in ["median_slope"], or ["all"].
            before: A scene from before the event, like scene; what was as bare then is dropped.
            aoi: Only around this is mapped: "west,south,east,north" in degrees.
            progress: How far the map is.
        """
        if not scene:
            raise LandslideZooError("There is no scene: give a GeoTIFF or a product's ZIP.")
        wanted = Request(
            scene,
            model or service.zoo.default,
            dem,
            before,
            aoi or "",
            clouds or "mask",
            threshold,
            minimum_area,
            rules_off or (),
        )
        bar = ui.pull_bar(wanted.model, progress)
        for state in maps.map_scene(wanted, bar):
            if not isinstance(state, Mapped):
                progress((state.done, state.total), desc=state.text, unit="parts")
        assert isinstance(state, Mapped)
        for work in Path(state.request.folder).glob(".*"):  # it is not drawn again
            shutil.rmtree(work, ignore_errors=True)
        return state.page["figures"], state.files

    with gr.Column(visible=False):
        patch, mask = gr.File(label="patch"), gr.File(label="mask")
        scene, dem, before = (gr.File(label=name) for name in ("scene", "dem", "before"))
        model, names = gr.Textbox(None, label="model"), gr.JSON(label="models")
        # JSON's own schema is no JSON Schema, and agents drop tools without one. A Gradio whose
        # gr.JSON says what it holds makes this go (tests/web/test_clients.py).
        names.api_info = lambda: {"type": "array", "items": {"type": "string"}}  # type: ignore
        threshold = gr.Number(None, label="threshold", minimum=0, maximum=1)
        area = gr.Number(None, label="minimum_area", minimum=0)
        aoi = gr.Textbox(None, label="aoi")
        clouds = gr.Radio(["mask", "keep"], value="mask", label="clouds")
        known = [rule.attribute for rule in DEFAULT_RULES]
        rules = gr.Dropdown([*known, "all"], value=[], multiselect=True, label="rules_off")
        figures, files = gr.JSON(label="figures"), gr.File(label="files", file_count="multiple")
        options = [clouds, rules]
        gr.Button().click(models, None, figures, api_name="models")
        for endpoint, inputs in (
            (detect, [patch, model, threshold, mask, *options]),
            (compare, [patch, names, mask, *options]),
            (bands, [patch, mask]),
        ):
            work = {**ui.WORK, "api_visibility": "public"}
            patch.upload(endpoint, inputs, [figures, files], api_name=endpoint.__name__, **work)
        inputs = [scene, dem, model, threshold, area, *options, before, aoi]
        work = {**MAPS, "api_visibility": "public"}
        scene.upload(map_scene, inputs, [figures, files], api_name="map_scene", **work)


def _upload(patch: str | None, mask: str | None) -> Upload:
    if not patch:
        raise LandslideZooError("There is no patch: give an .h5 or .png file as patch.")
    return Upload(patch, mask, Path(patch).stem)
