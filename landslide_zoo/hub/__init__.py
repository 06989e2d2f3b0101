"""The zoo of models, wherever they are, and publishing to the Hub.

What asks the Hub is imported on first use: its client takes half a second.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from landslide_zoo.hub.entry import ZooEntry
from landslide_zoo.hub.zoo import ModelZoo

if TYPE_CHECKING:
    from landslide_zoo.hub.client import entry_file
    from landslide_zoo.hub.publishing import publish_model, publish_space

__all__ = ["ModelZoo", "ZooEntry", "entry_file", "publish_model", "publish_space"]

_HOME = {"entry_file": "client", "publish_model": "publishing", "publish_space": "publishing"}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
