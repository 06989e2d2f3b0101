"""Evaluation of predictors: pooled metrics, intervals, false alarms and reports."""

from landslide_zoo.data.landslide4sense import LabelledPatches
from landslide_zoo.evaluation.evaluate import Evaluation, difference, evaluate
from landslide_zoo.evaluation.metrics import PixelCounts, fit_temperature
from landslide_zoo.evaluation.report import write_report

__all__ = [
    "Evaluation",
    "LabelledPatches",
    "PixelCounts",
    "difference",
    "evaluate",
    "fit_temperature",
    "write_report",
]
