"""``landslide-zoo export``: a model as an ONNX file, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from landslide_zoo.errors import ModelError


def export(
    model: Annotated[str, typer.Argument(help="Name in the zoo, folder, or repo id on the Hub.")],
    output: Annotated[
        Path | None,
        typer.Option(
            help="File to write.", show_default="MODEL.onnx, or MODEL-deepness.onnx, here"
        ),
    ] = None,
    target: Annotated[
        Literal["onnx", "deepness"],
        typer.Option("--for", help="Any program, or the QGIS plugin Deepness."),
    ] = "onnx",
) -> None:
    """Write a model as ONNX, with the scaling of its input inside.

    The file takes the model's bands (N, B, H, W) and gives probabilities
    (N, 1, H, W). It is written only if these agree with PyTorch's to 0.0001 on the
    patches that come with the package.
    """
    from landslide_zoo.data.readers import read_patch
    from landslide_zoo.inference.export import export_onnx
    from landslide_zoo.inference.model import LandslideModel
    from landslide_zoo.models.config import ModelConfig, read_config
    from landslide_zoo.models.folder import CONFIG, find_folder
    from landslide_zoo.web.samples import samples

    folder = find_folder(model)
    if not isinstance(read_config(folder / CONFIG), ModelConfig):
        raise ModelError(f"{model} is an ensemble: export its members, one file each.")
    loaded = LandslideModel.from_folder(folder, device="cpu")
    config = loaded.config
    path = output or Path(f"{config.name}{'-deepness' if target == 'deepness' else ''}.onnx")
    patches = [read_patch(sample.path) for sample in samples()]
    try:
        difference = export_onnx(loaded, path, patches, target)
    except ImportError as error:
        raise ModelError(
            f"{error.name} is not installed: pip install 'landslide-zoo[export]'."
        ) from error
    typer.echo(
        f"{path} written: it takes {', '.join(config.bands)} ({config.unit} values) and differs "
        f"from PyTorch by at most {difference:.1e} on {len(patches)} patches."
    )
