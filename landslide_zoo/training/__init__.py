"""The parts of ``train_accelerate.py``: configuration, data, losses, run folders, records."""

from landslide_zoo.training.config import TrainConfig

__all__ = ["TrainConfig"]
