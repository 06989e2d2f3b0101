"""Where a map comes from: what is written into every file of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from landslide_zoo import __version__
from landslide_zoo.mapping.members import members_of
from landslide_zoo.models.config import Rule
from landslide_zoo.models.prediction import Predictor

PROVENANCE = "landslide_zoo"
"""Name of the metadata item that says, as JSON, where a file comes from."""

Provenance = Mapping[str, Any]
"""Where a map comes from, as plain values for JSON; ``acquired`` is the scene's date."""

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
        "networks": [one.told for one in members_of(predictor)],
        "threshold": round(threshold, 6),
        "rules": [_rule(rule) for rule in rules],
        **further,
        "version": __version__,
    }
    return {name: value for name, value in told.items() if value not in (None, [], (), "")}


def as_json(provenance: Provenance) -> str:
    """Provenance as the text of a metadata item."""
    return json.dumps(dict(provenance), ensure_ascii=False, allow_nan=False)


def tags_of(provenance: Provenance) -> dict[str, str]:
    """Provenance as the metadata items of a raster."""
    software = f"landslide-zoo {provenance['version']}"
    return {PROVENANCE: as_json(provenance), "TIFFTAG_SOFTWARE": software}


def acquired(name: str) -> str | None:
    """The day a scene was taken, by its name; None where it does not tell.

    Example:
        >>> acquired("S2A_MSIL2A_20220207T050649_N0400_R019_T43PFN_20220207T073106")
        '2022-02-07'
    """
    found = _DATE.search(name.replace("T", " "))
    return "-".join(found.groups()) if found else None


def _rule(rule: Rule) -> Mapping[str, Any]:
    bounds = {"minimum": rule.minimum, "maximum": rule.maximum}
    return {"attribute": rule.attribute} | {
        name: bound for name, bound in bounds.items() if bound is not None
    }
