"""Before and after: an earlier scene laid on a later one, and how far vegetation fell between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from landslide_zoo.data.bands import INDICES
from landslide_zoo.errors import DataError
from landslide_zoo.models.config import Rule
from landslide_zoo.scenes.rasters import Window, per_cent
from landslide_zoo.scenes.scene import CLOUDS, SHADOWS, Scene, open_scene

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

BANDS = ("B4", "B3", "B2", "B8")
"""The first of these that both scenes have is compared: soil and roads stand out in red."""
SIDE, SMALLEST = 256, 48
"""Side of the windows compared, in pixels, and of the smallest that say anything."""
PER_SIDE = 5
"""So many windows down and across a scene."""
FARTHEST = 0.25
"""Share of a window's side that a shift may be: beyond it too little ground is common."""
OBSERVED = 0.8
"""Share of a window that must be observed, without cloud, in both scenes."""
ALIKE = 0.3
"""Least correlation of two windows, once shifted, that show the same ground."""
TOGETHER = 1.0
"""Pixels within which the shifts of windows agree."""
ENOUGH = 3
"""Windows that must agree, and half of all that are alike."""
_STILL = 0.25
"""Pixels below which a scene stays as it lies: interpolation would blur it for nothing."""
_DETAIL = 6.0
"""Details up to so many pixels wide are compared; light and haze are wider."""
_STEPS = 10
"""Shifts are told to a tenth of a pixel."""


def rules_with_change(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules, and beside them :data:`FRESH` if none of them is on the same attribute."""
    if any(rule.attribute == FRESH.attribute for rule in rules):
        return tuple(rules)
    return (*rules, FRESH)


class Earlier:
    """A scene from before the event, on the grid of the later one.

    Args:
        scene: As :func:`align` gives it.
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
        patch = self.scene.read(window, INDICES["NDVI"])
        return patch.observed & ~self._clouds(window)

    def ndvi(self, window: Window) -> np.ndarray:
        """NDVI then, shape (h, w), float32."""
        return self.scene.read(window, INDICES["NDVI"]).index("NDVI")


def check_change(scene: Scene) -> None:
    """Check that a scene can be compared with an earlier one.

    Raises:
        DataError: If it lacks a band that NDVI needs.
    """
    missing = [name for name in INDICES["NDVI"] if name not in scene.bands]
    if missing or scene.unit != "physical":
        what = f"has no {', '.join(missing)}" if missing else "holds display values"
        raise DataError(
            f"{scene.name} {what}: scenes before and after are compared by NDVI, of B8 and B4; "
            "give scenes that hold both, or leave the earlier one out."
        )


def align(
    before: str | Path | Sequence[str | Path],
    scene: Scene,
    **reading: Any,  # noqa: ANN401 - options of open_scene
) -> Scene:
    """Open an earlier scene on the grid of a later one, aligned to within a pixel.

    Args:
        before: The earlier scene, on any grid, as :func:`open_scene` takes it.
        scene: The later one.
        reading: How to read it, as ``scale`` and the like of :func:`open_scene`.

    Returns:
        The earlier scene with the grid and the size of the later one; its notes say how far
        it was shifted and how much of the later one it covers. :meth:`Scene.close` it.

    Raises:
        DataError: If it cannot be read, or has no ground or no band in common.
    """
    reading |= {"onto": scene.placement, "companions": scene.companions}
    with open_scene(before, **reading) as earlier:
        shift = shift_between(earlier, scene)
        notes = [f"{earlier.name} (before): {note}" for note in earlier.notes]
        share = earlier.covered
    if share < 1:
        notes.append(
            f"{earlier.name} covers {per_cent(share)} % of {scene.name}: elsewhere nothing is "
            "known of the time before."
        )
    rows, columns = 0.0, 0.0
    if shift is None:
        notes.append(
            f"{earlier.name} was not shifted, as it could not be told how far: too little ground "
            "is free of clouds, or shows detail, in both; check that both lie on each other."
        )
    elif np.abs(shift[0]).max() >= _STILL:
        (rows, columns), windows = shift
        notes.append(
            f"{earlier.name} was shifted by {abs(rows):.1f} pixels {'down' if rows >= 0 else 'up'} "
            f"and {abs(columns):.1f} pixels {'right' if columns >= 0 else 'left'} to lie on "
            f"{scene.name}, as {windows} windows say."
        )
    aligned = open_scene(before, shift=(rows, columns), **reading)
    aligned.notes = tuple(notes)
    return aligned


def shift_between(earlier: Scene, later: Scene) -> tuple[np.ndarray, str] | None:
    """How far an earlier scene lies off a later one of the same size.

    Phase correlation of windows spread over both; the median of those that agree.

    Returns:
        Rows to move it down and columns to move it right, shape (2,), and how many windows say
        so, as in ``23 of 25``; None where too few agree.

    Raises:
        DataError: If they have no band of :data:`BANDS` in common.
    """
    common = [name for name in BANDS if name in earlier.bands and name in later.bands]
    if not common:
        raise DataError(
            f"{earlier.name} and {later.name} have none of {', '.join(BANDS)} in common: "
            "give scenes that have."
        )
    shifts = [_shift_of(window, common[0], earlier, later) for window in _windows(later.size)]
    known = np.array([shift for shift in shifts if shift is not None])
    if len(known) < ENOUGH:
        return None
    agree = (np.abs(known - np.median(known, axis=0)) <= TOGETHER).all(axis=1)
    if agree.sum() < max(ENOUGH, len(known) / 2):
        return None
    return np.median(known[agree], axis=0), f"{agree.sum()} of {len(known)}"


def _windows(size: tuple[int, int]) -> Iterator[Window]:
    side = min(SIDE, max(SMALLEST, min(size) // 2), *size)
    if side < SMALLEST:
        return
    for row in np.unique(np.linspace(0, size[0] - side, PER_SIDE).astype(int)):
        for column in np.unique(np.linspace(0, size[1] - side, PER_SIDE).astype(int)):
            yield Window(int(row), int(column), side, side)


def _shift_of(window: Window, band: str, earlier: Scene, later: Scene) -> np.ndarray | None:
    """Rows and columns to move the earlier scene by; None where a window does not tell."""
    from skimage.registration import phase_cross_correlation

    reference, moving = _detail(later, window, band), _detail(earlier, window, band)
    if reference is None or moving is None:
        return None
    taper = np.outer(np.hanning(window.height), np.hanning(window.width))
    shift, _, _ = phase_cross_correlation(reference * taper, moving * taper, upsample_factor=_STEPS)
    if np.abs(shift).max() > FARTHEST * window.height:
        return None
    moved = ndimage.shift(moving, shift, order=1)
    if np.corrcoef((reference * taper).ravel(), (moved * taper).ravel())[0, 1] < ALIKE:
        return None
    return np.asarray(shift)


def _detail(scene: Scene, window: Window, band: str) -> np.ndarray | None:
    """What a band shows beside its wide brightness; None where too little of it is seen."""
    patch = scene.read(window, (band,))
    seen = patch.observed & ~scene.classification(window, (*CLOUDS, *SHADOWS))
    if seen.mean() < OBSERVED:
        return None
    values = np.where(seen, patch.values[0], np.median(patch.values[0][seen]))
    detail = values - ndimage.gaussian_filter(values, _DETAIL)
    spread = detail.std()
    # A few bright roofs or cloud edges would outweigh the ground.
    return None if spread == 0 else np.clip(detail, -3 * spread, 3 * spread)
