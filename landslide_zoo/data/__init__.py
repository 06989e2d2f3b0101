"""Patches, masks and datasets: reading, dividing, packing, augmenting, generating."""
