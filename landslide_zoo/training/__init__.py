"""Recipes, batches, losses, run folders: what ``train_accelerate.py`` is made of."""
