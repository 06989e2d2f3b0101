"""``landslide-zoo predict`` and ``compare``: patches in, files or a table of models out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landslide_zoo.cli import common
from landslide_zoo.errors import LandslideZooError
from landslide_zoo.io import text_table

if TYPE_CHECKING:
    from landslide_zoo.data.patch import Patch
    from landslide_zoo.inference.predict import Options
    from landslide_zoo.settings import Backend


def predict(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT", help="Patches (.h5, .png), or folders of them."),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="Name in the zoo, folder, or repo id on the Hub.", show_default="the zoo's first"
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for the predictions.")] = Path("predictions"),
    threshold: common.Threshold = None,
    clouds: common.Clouds = "mask",
    rule_off: common.RulesOff = None,
    level: common.ProductLevel = None,
    device: common.Device = "auto",
    backend: common.BackendOption = "auto",
) -> None:
    """Find landslides in patches.

    Clouds are not observed, and rules drop what the bands tell from landslides,
    such as fields: each where the patch has the bands for it.

    For NAME.h5 writes NAME.npy (the network's probability, float32), NAME_mask.h5
    (dataset mask, 0 and 1; mask_N.h5 for image_N, as Landslide4Sense wants it) and
    NAME_overlay.png. A patch that cannot be read is listed, the others are
    written, and the exit status is 1.
    """
    from landslide_zoo.inference.outputs import check_outputs

    options: Options = {"clouds": clouds, "rules_off": rule_off or (), "level": level}
    files, faults = _find_patches(inputs)
    for fault in faults:
        typer.echo(f"Error: {fault}", err=True)
    if files:
        check_outputs(files, output)
        from landslide_zoo.models.folder import DEFAULT_MODEL

        name = model or DEFAULT_MODEL
        written = _predict_all(files, name, output, threshold, options, device, backend)
        if written < len(files) + len(faults):
            raise typer.Exit(1)
    elif faults:
        raise typer.Exit(1)


def _find_patches(inputs: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The files that inputs mean, each once, and a sentence for each folder without any."""
    from landslide_zoo.data.readers import patch_files

    files: dict[Path, None] = {}
    faults = []
    for path in inputs:
        if not os.path.isdir(path):
            files[path] = None
            continue
        patches = patch_files(path)
        files |= dict.fromkeys(patches)
        if not patches:
            faults.append(f"The folder {path} holds no patch.")
    return list(files), faults


def _predict_all(
    files: Sequence[Path],
    name: str,
    output: Path,
    threshold: float | None,
    options: Options,
    device: str,
    backend: Backend,
) -> int:
    """Predict and write each file; say what was wrong and how much was found.

    Returns:
        How many were written.
    """
    from tqdm import tqdm

    from landslide_zoo.data.readers import read_patch
    from landslide_zoo.inference import predict, prepare
    from landslide_zoo.inference.rules import check_rules_off

    def read(path: Path) -> Patch:
        return prepare(read_patch(path), options["clouds"], options["level"])

    written, hectares = 0, 0.0
    notes: dict[str, str] = {}
    # A patch is read, and its clouds are found, while the model is loaded or sees the one before.
    with ThreadPoolExecutor(1) as reader:
        prepared = reader.submit(read, files[0])
        model = common.load_model(name, device, backend)
        check_rules_off(model.config, options["rules_off"])
        with tqdm(files, unit="patch", disable=None, file=sys.stderr) as bar:
            for following in [*files[1:], None]:
                current = prepared
                if following:
                    prepared = reader.submit(read, following)
                try:
                    (prediction,) = predict(model, [current.result()], threshold, **options)
                    prediction.save(output)
                except LandslideZooError as error:
                    bar.write(f"Error: {error}", file=sys.stderr)
                else:
                    for warning in prediction.warnings:
                        bar.write(f"Warning: {warning}", file=sys.stderr)
                    for note in prediction.notes:
                        notes.setdefault(note, prediction.patch.name)
                    written += 1
                    hectares += prediction.hectares
                bar.update()
    for note, patch_name in notes.items():
        typer.echo(f"{patch_name}: {note}")
    summary = f", {hectares:.2f} ha of landslides, in {output}" if written else ""
    typer.echo(
        f"{written} of {len(files)} patches written{summary} (model {name}) with {model.backend}."
    )
    return written


COLUMNS = ("model", "threshold", "area_hectares", "share", "objects", "milliseconds", "backend")


def compare(
    patch: Annotated[Path, typer.Argument(help="A patch (.h5, .png).")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model to compare; repeat it. All of the zoo if unset."),
    ] = None,
    mask: Annotated[Path | None, typer.Option(help="The patch's true mask (.h5, .png).")] = None,
    threshold: common.Threshold = None,
    clouds: common.Clouds = "mask",
    rule_off: common.RulesOff = None,
    level: common.ProductLevel = None,
    device: common.Device = "auto",
    backend: common.BackendOption = "auto",
    as_json: common.Json = False,
) -> None:
    """Compare models on one patch: area, time and, with a mask, scores.

    A model that fails is named on stderr, the others go on, and the exit status is 1.
    """
    from landslide_zoo.data.readers import read_patch
    from landslide_zoo.inference import predict, prepare
    from landslide_zoo.inference.predict import SCORES
    from landslide_zoo.zoo import ModelZoo

    prepared = prepare(read_patch(patch, mask), clouds, level)
    zoo = ModelZoo()
    names = model or zoo.compared_names() or [zoo.default]
    results = []
    for name in names:
        try:
            loaded = common.load_model(name, device, backend)
            predict(loaded, [prepared])  # the first run also sets the network up: it is not timed
            (prediction,) = predict(loaded, [prepared], threshold, rules_off=rule_off or ())
            results.append(prediction.to_dict() | {"model": name})
        except LandslideZooError as error:
            typer.echo(f"Error: {name}: {error}", err=True)
    for warning in dict.fromkeys(warning for result in results for warning in result["warnings"]):
        typer.echo(f"Warning: {warning}", err=True)
    if as_json:
        typer.echo(json.dumps(results, indent=2))
    elif results:
        scored = COLUMNS if prepared.mask is None else COLUMNS + SCORES
        rows = [result | result.get("scores", {}) for result in results]  # if there is a landslide
        typer.echo(text_table(scored, [[str(row.get(n, "-")) for n in scored] for row in rows]))
    if len(results) < len(names):
        raise typer.Exit(1)
