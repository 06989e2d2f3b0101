"""Landslide Zoo: landslides in Sentinel-2 imagery and terrain, found by segmentation networks."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from landslide_zoo.errors import LandslideZooError

if TYPE_CHECKING:
    from landslide_zoo.data.patch import Patch
    from landslide_zoo.data.readers import read_mask, read_patch
    from landslide_zoo.inference.model import LandslideModel
    from landslide_zoo.inference.predict import Prediction
    from landslide_zoo.zoo import ModelZoo

__version__ = "0.1.0"

__all__ = [
    "LandslideModel",
    "LandslideZooError",
    "ModelZoo",
    "Patch",
    "Prediction",
    "__version__",
    "read_mask",
    "read_patch",
]

# Imported on first use: torch takes seconds, and `landslide-zoo --help` must not.
_HOME = {
    "LandslideModel": "landslide_zoo.inference.model",
    "ModelZoo": "landslide_zoo.zoo",
    "Patch": "landslide_zoo.data.patch",
    "Prediction": "landslide_zoo.inference.predict",
    "read_mask": "landslide_zoo.data.readers",
    "read_patch": "landslide_zoo.data.readers",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
