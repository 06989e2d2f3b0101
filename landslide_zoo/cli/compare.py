"""``landslide-zoo compare``: several models on one patch, side by side."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landslide_zoo.cli.common import Device, Json, Threshold, load_model, print_table
from landslide_zoo.errors import LandslideZooError, ModelError

if TYPE_CHECKING:
    from landslide_zoo.data.patch import Patch

SCORES = ("precision", "recall", "f1", "iou")


def compare(
    patch: Annotated[Path, typer.Argument(help="A patch (.h5, .png).")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model to compare; repeat it. All of the zoo if unset."),
    ] = None,
    mask: Annotated[Path | None, typer.Option(help="The patch's true mask (.h5, .png).")] = None,
    threshold: Threshold = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Compare models on one patch: area, time and, with a mask, scores.

    A model that fails is named on stderr, the others go on, and the exit status is 1.
    """
    from landslide_zoo.data.read import read_patch
    from landslide_zoo.hub.zoo import ModelZoo

    given = read_patch(patch, mask)
    names = model or ModelZoo().names()
    if not names:
        raise ModelError("The zoo holds no model: set LANDSLIDE_ZOO, or name one with --model.")
    rows = []
    for name in names:
        try:
            rows.append(_figures(name, given, threshold, device))
        except LandslideZooError as error:
            typer.echo(f"Error: {name}: {error}", err=True)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif rows:
        print_table(list(rows[0]), [[_text(value) for value in row.values()] for row in rows])
    if len(rows) < len(names):
        raise typer.Exit(1)


def _figures(
    name: str, patch: Patch, threshold: float | None, device: str
) -> dict[str, str | float | None]:
    """What one model finds; scores are None where the mask holds no landslide."""
    from landslide_zoo.evaluation.counts import Scores
    from landslide_zoo.inference.objects import hectares

    loaded = load_model(name, device)
    loaded.predict(patch)  # the first run also sets the network up: it is not timed
    start = time.perf_counter()
    prediction = loaded.predict(patch, threshold)
    milliseconds = 1000 * (time.perf_counter() - start)
    figures: dict[str, str | float | None] = {
        "model": name,
        "threshold": round(prediction.threshold, 4),
        "hectares": round(hectares(int(prediction.mask.sum())), 2),
        "share": round(float(prediction.mask.mean()), 4),
        "milliseconds": round(milliseconds, 1),
    }
    if patch.mask is not None:
        scores = Scores.of_masks(prediction.mask, patch.mask)
        known = patch.mask.any()
        figures |= {key: round(getattr(scores, key), 4) if known else None for key in SCORES}
    return figures


def _text(value: str | float | None) -> str:
    return "-" if value is None else str(value)
