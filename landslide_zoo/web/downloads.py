"""The files a visitor may take home, written once and named after their input."""

from __future__ import annotations

import csv
import io
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, astuple, fields
from pathlib import Path

from gradio.utils import get_upload_folder

from landslide_zoo.figures import agreement_picture, disagreement_picture
from landslide_zoo.inference.objects import LandslideObject
from landslide_zoo.inference.outputs import OutputNames, output_contents
from landslide_zoo.web.comparison import Cell, Together
from landslide_zoo.web.detection import Detection
from landslide_zoo.web.rendering import png


def new_folder() -> Path:
    """A folder for downloads inside the one that Gradio serves from and clears."""
    parent = Path(get_upload_folder())
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=parent))


def write_detection(folder: Path, detection: Detection) -> list[str]:
    """Write one detection: probability, mask, overlay and table of objects.

    Returns:
        Paths of ``STEM.npy``, the mask ``.h5``, ``STEM_overlay.png`` and
        ``STEM_objects.csv``.
    """
    return [write_file(folder, name, content) for name, content in _files(detection)]


def write_zip(folder: Path, detections: Sequence[Detection]) -> str:
    """Write all files of several detections, and a table of their figures, as one ZIP."""
    path = folder / "landslides.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for detection in detections:
            for name, content in _files(detection):
                archive.writestr(name, content)
        archive.writestr("figures.csv", figures_csv([one.figures() for one in detections]))
    return str(path)


def write_comparison(folder: Path, cells: Sequence[Cell], together: Together | None) -> str:
    """Write every model's files, those of all together, and a table, as one ZIP."""
    found = [cell.found for cell in cells if cell.found]
    path = folder / f"{found[0].patch.name}_comparison.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for one in found:
            for name, content in _files(one):
                archive.writestr(f"{one.prediction.model}/{name}", content)
        for name, content in comparison_files(cells, together):
            archive.writestr(name, content)
    return str(path)


def comparison_files(
    cells: Sequence[Cell], together: Together | None
) -> list[tuple[str, bytes | str]]:
    """Names and contents of what belongs to no single model of a comparison."""
    files: list[tuple[str, bytes | str]] = [
        ("figures.csv", figures_csv([cell.figures() for cell in cells]))
    ]
    if together:
        stem, ensemble = together.mean.patch.name, together.ensemble
        files += _files(together.mean)
        for picture, kind in (
            (agreement_picture(ensemble.votes, ensemble.members), "agreement"),
            (disagreement_picture(ensemble.disagreement), "disagreement"),
        ):
            files.append((f"{stem}_{kind}.png", png(picture)))
    return files


def write_file(folder: Path, name: str, content: bytes | str) -> str:
    """Write one file and return its path."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def objects_csv(objects: Sequence[LandslideObject]) -> str:
    """A table of single landslides, one a row; rows and columns in pixels, area in hectares."""
    text = io.StringIO()
    names = [field.name for field in fields(LandslideObject)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(one) for one in objects)
    return text.getvalue()


def figures_csv(rows: Sequence[dict[str, object]]) -> str:
    """A table of figures, one patch or model a row; what is nested is spread over columns."""
    flat = [_flattened(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _files(detection: Detection) -> list[tuple[str, bytes | str]]:
    stem = detection.patch.name
    contents: tuple[bytes | str, ...] = output_contents(detection.patch, detection.prediction)
    return [
        *zip(astuple(OutputNames.of(stem)), contents, strict=True),
        (f"{stem}_objects.csv", objects_csv(detection.objects)),
    ]


def _flattened(row: dict[str, object]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= value
        elif isinstance(value, list):
            flat[name] = " ".join(str(part) for part in value)
        else:
            flat[name] = value
    return flat
