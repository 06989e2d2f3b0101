"""The catalog and a model's folder: its configuration, its network, its record and its card."""

from __future__ import annotations

from landslide_zoo.models.catalog import CatalogEntry
from landslide_zoo.models.config import EnsembleConfig, ModelConfig, PredictorConfig, Rule
from landslide_zoo.models.record import Record

__all__ = ["CatalogEntry", "EnsembleConfig", "ModelConfig", "PredictorConfig", "Record", "Rule"]
