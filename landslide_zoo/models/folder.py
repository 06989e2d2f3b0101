"""Changing what a model folder on this machine says of the model; its weights stay as they are."""

from __future__ import annotations

from pathlib import Path

from landslide_zoo.data.files import write_whole
from landslide_zoo.models.card import render_card
from landslide_zoo.models.config import ModelConfig
from landslide_zoo.models.location import CARD, CONFIG, RECORD
from landslide_zoo.models.record import Record


def folder_card(folder: Path, record: Record) -> str:
    """The card of a model folder with the given record."""
    figures = [path.name for path in folder.glob("*.png")]
    return render_card(ModelConfig.read(folder / CONFIG), record, figures)


def replace_record(folder: Path, record: Record) -> None:
    """Replace a model folder's record, and its card with it.

    Raises:
        LandslideZooError: If it is no model folder or cannot be written.
    """
    card = folder_card(folder, record)
    write_whole(folder / RECORD, record.to_json())
    write_whole(folder / CARD, card)
