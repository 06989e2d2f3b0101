"""What is found in patches: ensembles, test-time augmentation, objects, results, files."""

from __future__ import annotations

import sys

from landslide_zoo.inference.backends import load_predictor
from landslide_zoo.inference.cache import ModelCache
from landslide_zoo.inference.comparison import EnsembleResult, ModelResult, join_detections
from landslide_zoo.inference.ensembles import Agreement, Ensemble, join_predictions
from landslide_zoo.inference.objects import LandslideObject, find_objects
from landslide_zoo.inference.outputs import write_outputs
from landslide_zoo.inference.result import Detection, PreparedPatch, Steps, detect
from landslide_zoo.inference.tta import TestTimeAugmentation

# Each import of OpenVINO sends a message to its maker's analytics, unless its telemetry is missing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

__all__ = [
    "Agreement",
    "Detection",
    "Ensemble",
    "EnsembleResult",
    "LandslideObject",
    "ModelCache",
    "ModelResult",
    "PreparedPatch",
    "Steps",
    "TestTimeAugmentation",
    "detect",
    "find_objects",
    "join_detections",
    "join_predictions",
    "load_predictor",
    "write_outputs",
]
