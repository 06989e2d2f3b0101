"""Pictures from arrays, and charts.

Every picture is an array of shape (H, W, 3), uint8; every chart is the bytes of a PNG file.
"""

from __future__ import annotations

from landslide_zoo.figures.charts import (
    bars_figure,
    curves_figure,
    examples_figure,
    precision_recall_figure,
    reliability_figure,
)
from landslide_zoo.figures.images import (
    AGREEMENT_COLOURS,
    DISAGREEMENT_COLOURS,
    ERROR_COLOURS,
    MARK_COLOURS,
    PROBABILITY_COLOURS,
    agreement_picture,
    band_picture,
    colour_table,
    disagreement_picture,
    enlarge,
    errors_picture,
    false_colour,
    hillshade,
    marked,
    marks,
    mask_picture,
    ndvi,
    probability_picture,
    true_colour,
)
from landslide_zoo.figures.png import png

__all__ = [
    "AGREEMENT_COLOURS",
    "DISAGREEMENT_COLOURS",
    "ERROR_COLOURS",
    "MARK_COLOURS",
    "PROBABILITY_COLOURS",
    "agreement_picture",
    "band_picture",
    "bars_figure",
    "colour_table",
    "curves_figure",
    "disagreement_picture",
    "enlarge",
    "errors_picture",
    "examples_figure",
    "false_colour",
    "hillshade",
    "marked",
    "marks",
    "mask_picture",
    "ndvi",
    "png",
    "precision_recall_figure",
    "probability_picture",
    "reliability_figure",
    "true_colour",
]
