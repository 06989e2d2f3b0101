"""Where a map comes from: what is written into every file of it."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from landslide_zoo import __version__
from landslide_zoo.inference.ensembles import Ensemble
from landslide_zoo.inference.tta import TestTimeAugmentation
from landslide_zoo.models.config import Rule
from landslide_zoo.models.prediction import Predictor

_DATE = re.compile(r"(?<!\d)(20\d\d)-?([01]\d)-?([0-3]\d)(?!\d)")


def provenance_of(
    scene: str, predictor: Predictor, threshold: float, rules: Sequence[Rule], **further: object
) -> dict[str, Any]:
    """Where a map comes from, as plain values, in the order in which they are told.

    There is no time of the run in it: the same scene gives the same files.

    Args:
        scene: Name of the scene; its date is told from it.
        predictor: What found the landslides.
        threshold: Probability from which a pixel counts as landslide.
        rules: Those that were applied.
        further: What else is known; what is None or empty is left out.
    """
    told = {
        "scene": scene,
        "acquired": acquired(scene),
        "model": predictor.config.name,
        "networks": [_told(one) for one in _networks(predictor)],
        "threshold": round(threshold, 6),
        "rules": [_rule(rule) for rule in rules],
        **further,
        "version": __version__,
    }
    return {name: value for name, value in told.items() if value not in (None, [], (), "")}


def acquired(name: str) -> str | None:
    """The day a scene was taken, by its name; None where it does not tell.

    Example:
        >>> acquired("S2A_MSIL2A_20220207T050649_N0400_R019_T43PFN_20220207T073106")
        '2022-02-07'
    """
    found = _DATE.search(name.replace("T", " "))
    return "-".join(found.groups()) if found else None


def describe_predictor(predictor: Predictor) -> dict[str, Any]:
    """What a predictor's probabilities depend on, as plain values.

    Its threshold and rules are none of it: they work on the probabilities.
    """
    if isinstance(predictor, TestTimeAugmentation):
        return {"augmented": describe_predictor(predictor.predictor)}
    if isinstance(predictor, Ensemble):
        return {"members": [describe_predictor(member) for member in predictor.members]}
    config = predictor.config.model_dump(mode="json", exclude={"threshold", "rules"})
    return {**_told(predictor), "config": config}


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


def _networks(predictor: Predictor) -> list[Predictor]:
    if isinstance(predictor, TestTimeAugmentation):
        return [TestTimeAugmentation(one) for one in _networks(predictor.predictor)]
    if isinstance(predictor, Ensemble):
        return [one for member in predictor.members for one in _networks(member)]
    return [predictor]


def _told(network: Predictor) -> dict[str, Any]:
    if isinstance(network, TestTimeAugmentation):
        return {**_told(network.predictor), "augmented": "eight orientations"}
    return {
        "name": network.config.name,
        "weights_sha256": weights_sha256(network),
        "backend": network.backend,
    }


def _rule(rule: Rule) -> Mapping[str, Any]:
    bounds = {"minimum": rule.minimum, "maximum": rule.maximum}
    return {"attribute": rule.attribute} | {
        name: bound for name, bound in bounds.items() if bound is not None
    }
