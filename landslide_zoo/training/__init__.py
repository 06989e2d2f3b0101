"""Configuration, data, losses, run folders: what ``train_accelerate.py`` is made of."""
