"""Pictures from arrays: composites, probability, masks, agreement, and charts.

Every picture is an array of shape (H, W, 3), uint8; the two charts are PNG bytes.
"""

from __future__ import annotations

from landslide_zoo.figures.charts import curves_figure, examples_figure
from landslide_zoo.figures.composites import (
    band_picture,
    false_colour,
    hillshade,
    ndvi,
    true_colour,
)
from landslide_zoo.figures.keys import colour_bar, legend
from landslide_zoo.figures.results import (
    ERROR_COLOURS,
    agreement_picture,
    disagreement_picture,
    enlarge,
    errors_picture,
    mask_picture,
    overlay,
    probability_picture,
)

__all__ = [
    "ERROR_COLOURS",
    "agreement_picture",
    "band_picture",
    "colour_bar",
    "curves_figure",
    "disagreement_picture",
    "enlarge",
    "errors_picture",
    "examples_figure",
    "false_colour",
    "hillshade",
    "legend",
    "mask_picture",
    "ndvi",
    "overlay",
    "probability_picture",
    "true_colour",
]
