"""Synthetic Landslide4Sense-like patches with known masks, for tests, trials and samples."""

from landslide_zoo.data.synthetic.dataset import write_dataset
from landslide_zoo.data.synthetic.generate import generate_patch

__all__ = ["generate_patch", "write_dataset"]
