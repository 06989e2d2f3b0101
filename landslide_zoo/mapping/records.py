"""One landslide of a scene, in little room: a whole product may have tens of thousands."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, fields, replace
from functools import cache

import shapely
from shapely.geometry import MultiPolygon

from landslide_zoo.inference.objects import LandslideObject
from landslide_zoo.inference.rules import DroppedObject
from landslide_zoo.mapping.polygons import Extent
from landslide_zoo.models.config import Rule

_KINDS = {
    field.name: int if field.type == "int" else float
    for field in fields(LandslideObject)
    if field.name != "attributes"
}
"""Of the measures that every object has, in their order."""
_OWN = len(_KINDS)
_NUMBER = list(_KINDS).index("number")


@dataclass(frozen=True, eq=False, slots=True)
class Landslide:
    """One landslide of a scene, or what a rule dropped.

    Attributes:
        names: Names of the attributes of its object.
        numbers: Measures of the object and its attributes; then area, extent and place.
        wkb: Its outline.
        rule: The rule that dropped it; None for a landslide.
        why: What of it breaks the rule, in a sentence.
    """

    names: tuple[str, ...]
    numbers: array[float]
    wkb: bytes
    rule: Rule | None = None
    why: str | None = None

    @classmethod
    def of(
        cls,
        one: LandslideObject,
        outline: MultiPolygon,
        area: float,
        extent: Extent,
        place: tuple[float, float] | None,
    ) -> Landslide:
        """From what is known of it; the properties say what each is."""
        own = (getattr(one, name) for name in _KINDS)
        azimuth = math.nan if extent.azimuth is None else extent.azimuth
        last = (area, extent.length, extent.width, azimuth, *(place or (math.nan, math.nan)))
        numbers = array("d", (*own, *one.attributes.values(), *last))
        return cls(_shared(tuple(one.attributes)), numbers, shapely.to_wkb(outline))

    @property
    def object(self) -> LandslideObject:
        """What it is like.

        Its rows and columns are those of the scene, its hectares and perimeter those on
        the ground.
        """
        own = {name: kind(n) for (name, kind), n in zip(_KINDS.items(), self.numbers, strict=False)}
        attributes = dict(zip(self.names, self.numbers[_OWN:], strict=False))
        return LandslideObject(**own, attributes=attributes)  # type: ignore[arg-type]

    @property
    def outline(self) -> MultiPolygon:
        """Along the edges of its pixels, in pixels of the scene: x is the column, y the row."""
        return shapely.from_wkb(self.wkb)

    @property
    def area(self) -> float:
        """In square metres."""
        return self.numbers[-6]

    @property
    def extent(self) -> Extent:
        """How far it reaches along the slope and across it."""
        length, width, azimuth = self.numbers[-5:-2]
        return Extent(length, width, None if math.isnan(azimuth) else azimuth)

    @property
    def place(self) -> tuple[float, float] | None:
        """Longitude and latitude of its centre, in degrees; None where they are not known."""
        longitude, latitude = self.numbers[-2:]
        return None if math.isnan(longitude) else (longitude, latitude)

    def by(self, rule: Rule) -> Landslide:
        """The same, dropped by a rule."""
        return replace(self, rule=rule, why=DroppedObject.by(rule, self.object).why)

    def numbered(self, number: int) -> Landslide:
        """The same with another number."""
        numbers = self.numbers[:]
        numbers[_NUMBER] = number
        return replace(self, numbers=numbers)


@cache
def _shared(names: tuple[str, ...]) -> tuple[str, ...]:
    """The same names, kept once for all that have them."""
    return names
