"""The files a visitor may take home, made when they are asked for and named after their input."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder

from landslide_zoo.figures.images import agreement_picture, disagreement_picture, png
from landslide_zoo.inference.ensembles import Agreement
from landslide_zoo.inference.objects import LandslideObject
from landslide_zoo.inference.outputs import OutputNames, mask_h5, overlay_png, probability_npy
from landslide_zoo.inference.predict import Prediction
from landslide_zoo.text import csv_table

Content = tuple[str, bytes | str]
"""A file's name and what it holds."""


DOWNLOADS: dict[str, Callable[[Prediction], Content]] = {
    "Probability .npy": lambda one: (_names(one).probability, probability_npy(one)),
    "Mask .h5": lambda one: (_names(one).mask, mask_h5(one)),
    "Overlay .png": lambda one: (_names(one).overlay, overlay_png(one)),
    "Objects .csv": lambda one: (f"{one.patch.name}_objects.csv", objects_csv(one)),
}
"""Titles of a prediction's files, and what makes them, in the order in which the API gives them."""


def _names(prediction: Prediction) -> OutputNames:
    return OutputNames.of(prediction.patch.name)


def write_files(contents: Iterable[Content]) -> list[str]:
    """Write files to a new folder inside the one that Gradio serves from; their paths."""
    folder = new_folder()
    paths = []
    for name, content in contents:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        paths.append(str(path))
    return paths


def write_zip(name: str, contents: Iterable[Content]) -> str:
    """Write files as one ZIP; its path."""
    path = new_folder() / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for inside, content in contents:
            packed = zipfile.ZIP_STORED if inside.endswith(".png") else None
            archive.writestr(inside, content, packed)
    return str(path)


def detection_files(prediction: Prediction) -> list[Content]:
    """Probability, mask, overlay and table of objects, in this order."""
    return [make(prediction) for make in DOWNLOADS.values()]


def batch_files(predictions: Sequence[Prediction]) -> list[Content]:
    """All files of several predictions, and a table of their figures."""
    files = [file for one in predictions for file in detection_files(one)]
    return [*files, ("figures.csv", figures_csv([one.to_dict() for one in predictions]))]


def ensemble_files(
    outcomes: Mapping[str, Prediction | str | None], agreement: Agreement | None
) -> list[Content]:
    """Files of a comparison as a whole: a table, and all files of the models' mean."""
    files: list[Content] = [("figures.csv", figures_csv(model_figures(outcomes)))]
    if agreement:
        stem = agreement.mean.patch.name
        votes = agreement_picture(agreement.votes, agreement.members)
        files += [
            *detection_files(agreement.mean),
            (f"{stem}_agreement.png", png(votes)),
            (f"{stem}_disagreement.png", png(disagreement_picture(agreement.disagreement))),
        ]
    return files


def comparison_files(
    outcomes: Mapping[str, Prediction | str | None], agreement: Agreement | None
) -> list[Content]:
    """Every model's files in a folder of its own, and what belongs to no single one."""
    files = [
        (f"{model}/{name}", content)
        for model, outcome in outcomes.items()
        if isinstance(outcome, Prediction)
        for name, content in detection_files(outcome)
    ]
    return [*files, *ensemble_files(outcomes, agreement)]


def model_figures(outcomes: Mapping[str, Prediction | str | None]) -> list[dict[str, Any]]:
    """The figures of each model of a comparison, or its error, as plain values for JSON."""
    return [
        outcome.to_dict() if isinstance(outcome, Prediction) else {"model": model, "error": outcome}
        for model, outcome in outcomes.items()
    ]


def objects_csv(prediction: Prediction) -> str:
    """A table of single landslides, one a row; rows and columns in pixels, area in hectares."""
    if prediction.objects:
        return figures_csv([asdict(one) for one in prediction.objects])
    known = [one.name for one in fields(LandslideObject) if one.name != "attributes"]
    return ",".join(known) + "\n"


def figures_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table of figures, one row for each mapping; what is nested has columns of its own."""
    return csv_table([_flattened(row) for row in rows])


def new_folder() -> Path:
    """A new folder inside the one that Gradio serves from."""
    parent = Path(get_upload_folder())
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=parent))


def _flattened(figures: Mapping[str, Any]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in figures.items():
        if name == "network_scores":
            flat |= {f"network_{score}": number for score, number in value.items()}
        elif isinstance(value, dict):
            flat |= value
        elif name == "dropped":
            flat[name] = len(value)
        else:
            flat[name] = " ".join(value) if isinstance(value, list) else value
    return flat
