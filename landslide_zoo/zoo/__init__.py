"""The zoo of models, wherever they are, and publishing to the Hub."""

from __future__ import annotations

from landslide_zoo.zoo.publishing import publish_model, publish_space
from landslide_zoo.zoo.zoo import ModelZoo, ZooEntry

__all__ = ["ModelZoo", "ZooEntry", "publish_model", "publish_space"]
