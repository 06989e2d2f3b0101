"""Configuration, data, losses, run folders: what ``train_accelerate.py`` is made of."""

from landslide_zoo.training.config import TrainConfig

__all__ = ["TrainConfig"]
