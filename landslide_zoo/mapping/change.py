"""Before and after: how far the vegetation of a place fell between two scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from landslide_zoo.data.bands import INDICES
from landslide_zoo.errors import DataError
from landslide_zoo.mapping.scenes import Scene
from landslide_zoo.mapping.windows import Window
from landslide_zoo.models.config import Rule

NDVI_DROP = "ndvi_drop"
"""Name of the layer: NDVI before minus NDVI after."""
FRESH = Rule(
    attribute=f"median_{NDVI_DROP}",
    minimum=0.15,
    reason="it was as bare before: an old scar, a river bed or a field",
    source="between 0.12, which ground without an event stays below over two months (99 % of "
    "patches of 12 pixels, Slovenia, L1C), and 0.17, by which 95 % of 41 labelled landslides of "
    "14-band Landslide4Sense patches are less green than the ground around (experiments/change)",
)
"""What a fresh landslide must be like, where there is a scene from before it."""


def rules_with_change(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules, and beside them :data:`FRESH` if none of them is on the same attribute."""
    if any(rule.attribute == FRESH.attribute for rule in rules):
        return tuple(rules)
    return (*rules, FRESH)


class Earlier:
    """A scene from before the event, on the grid of the later one.

    Args:
        scene: As :func:`landslide_zoo.mapping.coregistration.align` gives it.
        clouds: Gives the pixels of a window that are under cloud, shape (h, w), bool.

    Raises:
        DataError: If it lacks a band that NDVI needs.
    """

    def __init__(self, scene: Scene, clouds: Callable[[Window], np.ndarray]) -> None:
        check_change(scene)
        self.scene = scene
        self._clouds = clouds

    def notes(self, later: Scene) -> tuple[str, ...]:
        """What is odd about it and about comparing it with a later scene, a sentence each."""
        levels = self.scene.level, later.level
        if None in levels or levels[0] == levels[1]:
            return self.scene.notes
        return (
            *self.scene.notes,
            f"{self.scene.name} is {levels[0]} and {later.name} {levels[1]}: vegetation is "
            "greener at the ground (L2A) than through the air (L1C), and NDVI drops are off by it.",
        )

    def observed(self, window: Window) -> np.ndarray:
        """Pixels of a window that were seen then, shape (h, w), bool."""
        patch = self.scene.read(window, INDICES["NDVI"].bands)
        return patch.observed & ~self._clouds(window)

    def ndvi(self, window: Window) -> np.ndarray:
        """NDVI then, shape (h, w), float32."""
        return self.scene.read(window, INDICES["NDVI"].bands).index("NDVI")


def check_change(scene: Scene) -> None:
    """Check that a scene can be compared with an earlier one.

    Raises:
        DataError: If it lacks a band that NDVI needs.
    """
    missing = [name for name in INDICES["NDVI"].bands if name not in scene.bands]
    if missing or scene.unit != "physical":
        what = f"has no {', '.join(missing)}" if missing else "holds display values"
        raise DataError(
            f"{scene.name} {what}: scenes before and after are compared by NDVI, of B8 and B4; "
            "give scenes that hold both, or leave the earlier one out."
        )
