"""The single networks behind a predictor, and what their probabilities depend on."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, replace
from typing import Any

from landslide_zoo.inference.ensembles import Ensemble
from landslide_zoo.inference.tta import TestTimeAugmentation
from landslide_zoo.models.config import ModelConfig
from landslide_zoo.models.prediction import Predictor


@dataclass(frozen=True)
class Member:
    """A network, and how much it counts in the answer.

    Attributes:
        network: Reads bands in one unit.
        weight: Its share; those of all members add up to 1.
    """

    network: Predictor
    weight: float

    @property
    def scales_by_itself(self) -> bool:
        """Whether what it finds in a pixel depends on the statistics of the whole tile."""
        config = self.network.config
        return isinstance(config, ModelConfig) and config.scaling.statistics != "train"

    @property
    def told(self) -> dict[str, Any]:
        """Its name, weights and backend, as plain values."""
        network = self.network
        if isinstance(network, TestTimeAugmentation):
            inner = replace(self, network=network.predictor)
            return {**inner.told, "augmented": "eight orientations"}
        return {
            "name": network.config.name,
            "weights_sha256": _weights_sha256(network),
            "backend": network.backend,
        }


def members_of(predictor: Predictor) -> list[Member]:
    """The single networks behind a predictor.

    Each is given the values in its own unit: an ensemble of both units would make
    display values of a tile by the tile's own brightest pixel.
    """
    if isinstance(predictor, TestTimeAugmentation):
        inner = members_of(predictor.predictor)
        return [replace(one, network=TestTimeAugmentation(one.network)) for one in inner]
    if not isinstance(predictor, Ensemble):
        return [Member(predictor, 1.0)]
    share = 1 / len(predictor.members)
    inner = [member for each in predictor.members for member in members_of(each)]
    return [replace(one, weight=share * one.weight) for one in inner]


def describe_predictor(predictor: Predictor) -> list[dict[str, Any]]:
    """What a predictor's probabilities depend on, network by network, as plain values.

    Their thresholds and rules are none of it: they work on the probabilities.
    """
    return [
        {
            **one.told,
            "weight": one.weight,
            "config": one.network.config.model_dump(mode="json", exclude={"threshold", "rules"}),
        }
        for one in members_of(predictor)
    ]


def _weights_sha256(network: Predictor) -> str:
    """SHA-256 of a network's weights: as its record says, else of what is in memory.

    Where neither is known, it is different every time.
    """
    record = getattr(network, "record", None)
    if record is not None and record.weights_sha256:
        return str(record.weights_sha256)
    state = getattr(network, "state_dict", None)
    if state is None:
        return f"unknown {uuid.uuid4().hex}"
    digest = hashlib.sha256()
    for name, tensor in sorted(state().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()
