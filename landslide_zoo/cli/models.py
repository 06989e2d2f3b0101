"""``landslide-zoo models``, ``export`` and ``publish``: what the zoo holds, and ways out of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landslide_zoo.cli.common import Json
from landslide_zoo.errors import ModelError
from landslide_zoo.io import text_table

if TYPE_CHECKING:
    from landslide_zoo.zoo import ZooEntry


HEADER = ("name", "bands", "size", "F1", "protocol", "source", "revision")


def models(as_json: Json = False) -> None:
    """List the models that can be loaded. An F1 compares only within one protocol."""
    from landslide_zoo.zoo import ModelZoo

    zoo = ModelZoo()
    entries = zoo.entries()
    for sentence in zoo.status():
        typer.echo(f"Warning: {sentence}", err=True)
    if as_json:
        typer.echo(json.dumps([entry.to_dict() for entry in entries], indent=2))
    else:
        typer.echo(text_table(HEADER, map(_row, entries)))


def _row(entry: ZooEntry) -> tuple[str, ...]:
    few = len(entry.config.bands) <= 4
    return (
        entry.name,
        " ".join(entry.config.bands) if few else f"{len(entry.config.bands)} bands",
        f"{entry.size / 1e6:.1f} MB",
        "-" if entry.f1 is None else f"{entry.f1:.4f}",
        entry.protocol or "-",
        entry.source,
        (entry.revision or "-")[:8],
    )


def export(
    model: Annotated[str, typer.Argument(help="Name in the zoo, folder, or repo id on the Hub.")],
    output: Annotated[
        Path | None,
        typer.Option(help="File to write.", show_default="MODEL.onnx, here"),
    ] = None,
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
    path = output or Path(f"{config.name}.onnx")
    patches = [read_patch(sample.path) for sample in samples()]
    try:
        difference = export_onnx(loaded, path, patches)
    except ImportError as error:
        raise ModelError(
            f"{error.name} is not installed: pip install 'landslide-zoo[export]'."
        ) from error
    typer.echo(
        f"{path} written: it takes {', '.join(config.bands)} ({config.unit} values) and differs "
        f"from PyTorch by at most {difference:.1e} on {len(patches)} patches."
    )


def publish(
    folder: Annotated[
        str | None, typer.Argument(help="Model folder, or the name of a bundled model.")
    ] = None,
    repo_id: Annotated[str | None, typer.Argument(help="Repo, as in someone/unet.")] = None,
    private: Annotated[
        bool | None, typer.Option("--private", help="Make a new repo private.")
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(metavar="REPO_ID", help="Publish the app as this Space, in place of a model."),
    ] = None,
) -> None:
    """Publish FOLDER to the Hub as REPO_ID, or the app with --space REPO_ID, in one commit.

    The token is the Hub client's own: HF_TOKEN, or what `hf auth login` stored.
    """
    if space is not None and folder is None:
        from landslide_zoo.zoo import publish_space

        typer.echo(publish_space(space, private=private))
    elif space is None and folder is not None and repo_id is not None:
        from landslide_zoo.zoo import publish_model

        typer.echo(publish_model(folder, repo_id, private=private))
    else:
        raise typer.BadParameter("give FOLDER and REPO_ID, or --space REPO_ID.")
