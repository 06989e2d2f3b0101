"""Where a map comes from: what is written into every file of it."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from landslide_zoo.inference.ensembles import Ensemble
from landslide_zoo.inference.tta import TestTimeAugmentation
from landslide_zoo.models.prediction import Predictor


def describe_predictor(predictor: Predictor) -> dict[str, Any]:
    """What a predictor's probabilities depend on, as plain values.

    Its threshold and rules are none of it: they work on the probabilities.
    """
    if isinstance(predictor, TestTimeAugmentation):
        return {**describe_predictor(predictor.predictor), "augmented": True}
    if isinstance(predictor, Ensemble):
        return {
            "name": predictor.name,
            "members": [describe_predictor(member) for member in predictor.members],
        }
    return {
        "name": predictor.config.name,
        "weights_sha256": weights_sha256(predictor),
        "backend": predictor.backend,
        "config": predictor.config.model_dump(mode="json", exclude={"threshold", "rules"}),
    }


def weights_sha256(predictor: Predictor) -> str:
    """SHA-256 of a network's weights: as its record says, else of what is in memory.

    Where neither is known, it is different every time.
    """
    record = getattr(predictor, "record", None)
    if record is not None and record.weights_sha256:
        return str(record.weights_sha256)
    state = getattr(predictor, "state_dict", None)
    if state is None:
        return f"unknown {uuid.uuid4().hex}"
    digest = hashlib.sha256()
    for name, tensor in sorted(state().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()
