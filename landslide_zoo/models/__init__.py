"""The catalog, a model and its folder: configuration, weights, record and card."""
