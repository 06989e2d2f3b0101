"""Patches and datasets: bands, readers, checks, folders and splits."""
