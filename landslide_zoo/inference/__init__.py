"""From patches to predictions: backends, clouds, rules, objects, ensembles, files.

``LandslideModel`` is in :mod:`landslide_zoo.inference.model`: it brings torch.
"""

from __future__ import annotations

import sys

from landslide_zoo.inference.backends import load_predictor
from landslide_zoo.inference.ensembles import Ensemble, TestTimeAugmentation, join_predictions
from landslide_zoo.inference.predict import Prediction, Predictor, predict, prepare

# Each import of OpenVINO sends a message to its maker's analytics, unless its telemetry is missing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

__all__ = [
    "Ensemble",
    "Prediction",
    "Predictor",
    "TestTimeAugmentation",
    "join_predictions",
    "load_predictor",
    "predict",
    "prepare",
]
