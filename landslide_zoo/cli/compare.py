"""``landslide-zoo compare``: several models on one patch, side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from landslide_zoo.cli.common import (
    BackendOption,
    Clouds,
    Device,
    Json,
    ProductLevel,
    RulesOff,
    Threshold,
    load_model,
)
from landslide_zoo.errors import LandslideZooError
from landslide_zoo.text import text_table

COLUMNS = ("model", "threshold", "area_hectares", "share", "objects", "milliseconds", "backend")


def compare(
    patch: Annotated[Path, typer.Argument(help="A patch (.h5, .png).")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model to compare; repeat it. All of the zoo if unset."),
    ] = None,
    mask: Annotated[Path | None, typer.Option(help="The patch's true mask (.h5, .png).")] = None,
    threshold: Threshold = None,
    clouds: Clouds = "mask",
    rule_off: RulesOff = None,
    level: ProductLevel = None,
    device: Device = "auto",
    backend: BackendOption = "auto",
    as_json: Json = False,
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
            loaded = load_model(name, device, backend)
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
