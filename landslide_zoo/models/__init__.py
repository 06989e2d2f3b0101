"""The catalog, a model and its folder, and the way from patches to predictions.

``LandslideModel`` is imported on first use: it brings torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from landslide_zoo.models.catalog import CATALOG, CatalogEntry
from landslide_zoo.models.config import (
    EnsembleConfig,
    ModelConfig,
    PredictorConfig,
    Rule,
    catalog_config,
)
from landslide_zoo.models.prediction import (
    LoadedPredictor,
    Prediction,
    Predictor,
    Scores,
    predict,
    values_of,
)
from landslide_zoo.models.record import Record

if TYPE_CHECKING:
    from landslide_zoo.models.model import LandslideModel

__all__ = [
    "CATALOG",
    "CatalogEntry",
    "EnsembleConfig",
    "LandslideModel",
    "LoadedPredictor",
    "ModelConfig",
    "Prediction",
    "Predictor",
    "PredictorConfig",
    "Record",
    "Rule",
    "Scores",
    "catalog_config",
    "predict",
    "values_of",
]


def __getattr__(name: str) -> object:
    if name != "LandslideModel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("landslide_zoo.models.model").LandslideModel
