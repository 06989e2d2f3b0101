"""``landslide-zoo models``: what the zoo holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from landslide_zoo.cli.common import Json
from landslide_zoo.text import text_table

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
