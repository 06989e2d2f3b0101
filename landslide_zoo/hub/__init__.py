"""The zoo of models, wherever they are, and publishing to the Hub."""

from __future__ import annotations

from landslide_zoo.hub.client import entry_file
from landslide_zoo.hub.entry import ZooEntry
from landslide_zoo.hub.publishing import publish_model, publish_space
from landslide_zoo.hub.zoo import ModelZoo

__all__ = ["ModelZoo", "ZooEntry", "entry_file", "publish_model", "publish_space"]
