"""Evaluation of predictors: pooled metrics, intervals, strata, false alarms and reports."""

from landslide_zoo.evaluation.bootstrap import Bootstrap
from landslide_zoo.evaluation.dataset import LabelledPatches
from landslide_zoo.evaluation.evaluate import Evaluation, Refine, difference, evaluate
from landslide_zoo.evaluation.metrics import PixelCounts, Reliability, fit_temperature
from landslide_zoo.evaluation.report import (
    evaluation_command,
    keep_in_record,
    leak_warning,
    to_dict,
    to_markdown,
    write_report,
)
from landslide_zoo.evaluation.strata import STRATA, Group, SizeGroup, Stratum, raster_stratum

__all__ = [
    "STRATA",
    "Bootstrap",
    "Evaluation",
    "Group",
    "LabelledPatches",
    "PixelCounts",
    "Refine",
    "Reliability",
    "SizeGroup",
    "Stratum",
    "difference",
    "evaluate",
    "evaluation_command",
    "fit_temperature",
    "keep_in_record",
    "leak_warning",
    "raster_stratum",
    "to_dict",
    "to_markdown",
    "write_report",
]
