"""The public endpoints: the same work as on the page, for programs and agents.

Each is an event of a file component, so that Gradio checks that what is given
was uploaded: a path of the server's own disk is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import gradio as gr

from landslide_zoo.data.checks import check_patch
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.errors import LandslideZooError
from landslide_zoo.inference.result import join_detections
from landslide_zoo.web.bands import composites, summarise_bands
from landslide_zoo.web.components import NETWORK
from landslide_zoo.web.downloads import csv_table, detection_files, ensemble_files, write_files
from landslide_zoo.web.rendering import png
from landslide_zoo.web.service import Service

P = ParamSpec("P")
R = TypeVar("R")


def sentences(function: Callable[P, R]) -> Callable[P, R]:
    """Hand errors on as their sentence: nothing else of an error reaches a client."""

    @wraps(function)
    def answered(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except LandslideZooError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return answered


def build_api(service: Service) -> None:
    """Wire the endpoints, on components that the page does not show."""

    @sentences
    def models() -> list[dict[str, object]]:
        """List the landslide models of this zoo.

        Returns:
            For each model its name, what it reads, its threshold, size, and its F1 with the
            protocol it was measured by. F1 of different protocols cannot be compared.
        """
        return [
            {
                "name": entry.name,
                "source": entry.source,
                "summary": entry.summary,
                "bands": list(entry.bands),
                "unit": entry.unit,
                "threshold": entry.threshold,
                "f1": entry.f1,
                "protocol": entry.protocol,
                "megabytes": round(entry.size / 1e6, 2),
                "licence": entry.licence,
                "revision": entry.revision,
            }
            for entry in service.zoo.entries()
        ]

    @sentences
    def detect(
        patch: str,
        model: str | None = None,
        threshold: float | None = None,
        mask: str | None = None,
    ) -> tuple[dict[str, object], list[str]]:
        """Find landslides in one Sentinel-2 patch with one model.

        Args:
            patch: A Landslide4Sense .h5 patch (14 bands, 10 m pixels) or a true-colour .png.
            model: A name that /models lists; the zoo's first model if left out.
            threshold: Probability, 0 to 1, from which a pixel counts as landslide; the model's
                own if left out.
            mask: File of the known mask (.h5 or .png), to be scored against.

        Returns:
            Figures (area in hectares, share, number of objects, time, warnings, and precision,
            recall, F1, IoU where a mask is known), and files: the probability as .npy, the mask
            as .h5, an overlay as .png, a table of objects as .csv.
        """
        found = service.detect(model, _read(patch, mask), _checked(threshold))
        return found.to_dict(), write_files(detection_files(found))

    @sentences
    def compare(
        patch: str, models: list[str] | None = None, mask: str | None = None
    ) -> tuple[dict[str, object], list[str]]:
        """Run several landslide models on one Sentinel-2 patch, each at its own threshold.

        Args:
            patch: A Landslide4Sense .h5 patch (14 bands, 10 m pixels) or a true-colour .png.
            models: Names that /models lists; all of them if left out.
            mask: File of the known mask (.h5 or .png), to be scored against.

        Returns:
            Figures of each model (or its error) and of their mean, and files: a table as .csv,
            the mean's probability (.npy), mask (.h5), overlay (.png) and objects (.csv), and
            pictures of where the models agree and disagree.
        """
        *_, results = service.compare(models or service.zoo.names(), _read(patch, mask))
        ensemble = join_detections(results)
        figures: dict[str, object] = {
            "models": [one.to_dict() for one in results],
            "together": ensemble.to_dict() if ensemble else None,
        }
        return figures, write_files(ensemble_files(results, ensemble))

    @sentences
    def bands(patch: str, mask: str | None = None) -> tuple[dict[str, object], list[str]]:
        """Describe every band of one Sentinel-2 patch.

        Args:
            patch: A Landslide4Sense .h5 patch (14 bands, 10 m pixels) or a true-colour .png.
            mask: File of the known mask (.h5 or .png), to tell landslide from other pixels.

        Returns:
            Figures of each band (name, unit, lowest, highest, mean, deviation, and the means of
            landslide and other pixels where a mask is known) with warnings about the patch, and
            files: true colour, false colour, NDVI and hillshade as .png, the figures as .csv.
        """
        seen = _read(patch, mask)
        rows = [one.to_dict() for one in summarise_bands(seen)]
        files = [(f"{seen.name}_{one.key}.png", png(one.pixels)) for one in composites(seen)]
        files.append((f"{seen.name}_bands.csv", csv_table(rows).encode()))
        height, width = seen.size
        figures: dict[str, object] = {
            "patch": seen.name,
            "height": height,
            "width": width,
            "warnings": check_patch(seen),
            "bands": rows,
        }
        return figures, write_files(files)

    with gr.Column(visible=False):
        patch, mask = gr.File(label="patch"), gr.File(label="mask")
        model = gr.Textbox(None, label="model")
        threshold = gr.Number(None, label="threshold")
        names = gr.JSON(None, label="models")
        figures, files = gr.JSON(label="figures"), gr.File(label="files", file_count="multiple")
        gr.Button().click(models, None, figures, api_name="models", api_visibility="public")
        patch.upload(
            detect,
            [patch, model, threshold, mask],
            [figures, files],
            api_name="detect",
            api_visibility="public",
            **NETWORK,
        )
        patch.upload(
            compare,
            [patch, names, mask],
            [figures, files],
            api_name="compare",
            api_visibility="public",
            **NETWORK,
        )
        patch.upload(
            bands, [patch, mask], [figures, files], api_name="bands", api_visibility="public"
        )


def _read(patch: str | None, mask: str | None) -> Patch:
    if patch is None:
        raise LandslideZooError("There is no patch: give an .h5 or .png file as patch.")
    return read_patch(patch, mask)


def _checked(threshold: float | None) -> float | None:
    if threshold is not None and not 0 <= threshold <= 1:
        raise LandslideZooError(f"The threshold is {threshold}; it must be from 0 to 1.")
    return threshold
