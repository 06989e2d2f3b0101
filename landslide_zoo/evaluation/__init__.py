"""Pooled metrics, and everything else that is measured of a model."""
