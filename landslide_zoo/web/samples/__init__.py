"""Real patches to try the app with; ``samples.json`` says what each shows and whose it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Sample:
    """A patch that comes with the package.

    Attributes:
        path: A Landslide4Sense file with the datasets ``img`` and ``mask``.
        title: What the page calls it.
        caption: What it shows, in a sentence.
        attribution: Where it comes from, and its licence.
    """

    path: Path
    title: str
    caption: str
    attribution: str


@cache
def samples() -> tuple[Sample, ...]:
    """The samples, in the order in which the page shows them."""
    listed = json.loads((_FOLDER / "samples.json").read_text(encoding="utf-8"))
    return tuple(Sample(_FOLDER / one.pop("file"), **one) for one in listed)
