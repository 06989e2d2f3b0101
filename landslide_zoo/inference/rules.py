"""Rules on objects: they keep or drop what a network takes for a landslide.

A rule (:class:`landslide_zoo.models.config.Rule`) is data in a model's ``config.json``. One on
a layer, as ``vegetation``, cuts pixels out of objects; one on an attribute of an object, as
``median_slope`` or ``hectares``, drops whole objects.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources

import numpy as np

from landslide_zoo.errors import ModelError, quoted
from landslide_zoo.inference.indices import LAYERS, Layer
from landslide_zoo.inference.objects import LandslideObject, connected_parts, label_objects
from landslide_zoo.models.config import PredictorConfig, Rule

DEFAULT_RULES = tuple(
    Rule(**rule)
    for rule in tomllib.loads(
        resources.files(__package__).joinpath("rules.toml").read_text(encoding="utf-8")
    )["rule"]
)
"""Rules for any network whose ``config.json`` has none of its own."""


ALL_RULES = "all"
"""In place of an attribute: every rule."""
LISTED = 10
"""Pixels from which a part that a rule cut out of objects is listed by itself."""
_LAYER_OF = {"elevation_range": "elevation", "water_contact": "ndwi"}
"""Layers of the attributes that are not named after one."""


@dataclass(frozen=True)
class DroppedObject:
    """A landslide of a network, or a part of one, that a rule drops.

    Attributes:
        object: The object, numbered among those dropped.
        rule: The rule.
    """

    object: LandslideObject
    rule: Rule

    @property
    def why(self) -> str:
        """What of the object breaks the rule, in a sentence."""
        rule, value = self.rule, self.object.value(self.rule.attribute)
        if value is None:  # a rule on pixels
            value = self.object.value(f"median_{rule.attribute}") or 0.0
        # Attributes are rounded: a bound that stands alone is the one that is broken.
        above = rule.minimum is None or (rule.maximum is not None and value > rule.maximum)
        side, bound = ("above", rule.maximum) if above else ("below", rule.minimum)
        return f"{_title(rule)} is {value:.3g}, {side} {bound:.3g}: {rule.reason}."


@dataclass(frozen=True, eq=False)
class RuledObjects:
    """The objects of a mask after rules.

    Attributes:
        kept: The landslides that remain, the largest first.
        labels: Number of the kept landslide of each pixel, 0 where there is none,
            shape (H, W), int32.
        dropped: What rules dropped, the largest first: whole objects, and parts cut
            out of objects from ten pixels on.
        dropped_labels: The number of the dropped object of each pixel, shape (H, W), int32.
    """

    kept: list[LandslideObject]
    labels: np.ndarray
    dropped: list[DroppedObject]
    dropped_labels: np.ndarray


def rules_of(config: PredictorConfig) -> tuple[Rule, ...]:
    """The rules of a model: its own, else those for any network."""
    return tuple(config.rules) or DEFAULT_RULES


def switched_on(rules: Sequence[Rule], off: Collection[str]) -> tuple[Rule, ...]:
    """The rules but for those on the attributes that are switched off."""
    return tuple(rule for rule in rules if not {rule.attribute, ALL_RULES} & set(off))


def check_rules_off(config: PredictorConfig, off: Collection[str]) -> None:
    """Check that a model has the rules that are switched off.

    Raises:
        ModelError: If it has no such rule.
    """
    known = [rule.attribute for rule in rules_of(config)]
    for name in off:
        if name not in (*known, ALL_RULES):
            raise ModelError(
                f"{config.name} has no rule on {quoted(name)}; it has {', '.join(known)}."
            )


def rule_title(rule: Rule) -> str:
    """A rule in a few words.

    Example:
        >>> rule_title(Rule(attribute="median_slope", minimum=8.0, reason="flat", source="-"))
        'Median slope at least 8'
    """
    bounds = (("at least", rule.minimum), ("at most", rule.maximum))
    limits = " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
    return f"{_title(rule)} {limits}"


def why_skipped(rule: Rule, layers: Collection[str]) -> str | None:
    """Why a rule cannot be applied where these layers are known; None where it can."""
    needed = _layer(rule)
    if needed is None or needed.name in layers:
        return None
    bands = " or ".join(", ".join(names) for names in needed.bands)
    return f"The rule on {_words(rule.attribute)} needs {bands}, not given here."


def apply_rules(
    mask: np.ndarray,
    layers: Mapping[str, np.ndarray],
    rules: Sequence[Rule],
    describe: Callable[[np.ndarray], list[LandslideObject]],
) -> RuledObjects:
    """Keep of a mask what rules allow.

    Args:
        mask: What a network marks, shape (H, W), bool.
        layers: NDVI, slope and the like, from
            :func:`landslide_zoo.inference.indices.layers_of`.
        rules: The rules that are switched on. One whose layer is not known is skipped.
        describe: Makes the objects of a label image (H, W), in the order of their numbers.
    """
    broken = cut_by_rules(mask, layers, rules)
    labels = label_objects(mask & (broken == 0))
    whole = int(labels.max(initial=0))
    labels, cut = _with_cut_parts(labels, broken)
    objects = describe(labels)
    breaks = [*(dropped_by(landslide, layers, rules) for landslide in objects[:whole]), *cut]
    pairs = sorted(zip(objects, breaks, strict=True), key=lambda pair: (-pair[0].pixels, pair[1]))
    # Whole objects are dropped: those that remain are what they were, numbered anew.
    kept, kept_labels = _numbered([landslide for landslide, number in pairs if not number], labels)
    removed, dropped_labels = _numbered(
        [landslide for landslide, number in pairs if number], labels
    )
    reasons = [rules[number - 1] for _, number in pairs if number]
    dropped = list(map(DroppedObject, removed, reasons))
    return RuledObjects(kept, kept_labels, dropped, dropped_labels)


def cut_by_rules(
    mask: np.ndarray, layers: Mapping[str, np.ndarray], rules: Sequence[Rule]
) -> np.ndarray:
    """Which rule cuts a pixel out of a mask (H, W), counted from 1; 0 where none does.

    Returns:
        Shape (H, W), int16.
    """
    broken = np.zeros(mask.shape, dtype=np.int16)
    for number, rule in enumerate(rules, start=1):
        if rule.attribute in layers:
            broken[mask & (broken == 0) & ~_within(rule, layers[rule.attribute])] = number
    return broken


def dropped_by(landslide: LandslideObject, layers: Collection[str], rules: Sequence[Rule]) -> int:
    """The first rule that drops an object, counted from 1; 0 where all of them keep it.

    Args:
        landslide: The object.
        layers: Names of the layers that are known: rules on them cut pixels, not objects.
        rules: The rules that are switched on.
    """
    for number, rule in enumerate(rules, start=1):
        value = None if rule.attribute in layers else landslide.value(rule.attribute)
        if value is not None and not _within(rule, np.array(value)):
            return number
    return 0


def _with_cut_parts(labels: np.ndarray, broken: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Count the parts that rules cut out of objects with them.

    Returns:
        The label image (H, W) with both, and the rule of each part; those that touch but broke
        two rules are two.
    """
    labels, cut = labels.copy(), []
    total = int(labels.max(initial=0))
    for number in np.flatnonzero(np.bincount(broken.ravel())[1:]) + 1:
        parts = connected_parts(broken == number)
        sizes = np.bincount(parts.ravel())
        listed = np.flatnonzero(sizes[1:] >= LISTED) + 1
        numbers = np.zeros(len(sizes), dtype=np.int32)
        numbers[listed] = total + np.arange(1, len(listed) + 1)
        labels += numbers[parts]
        total += len(listed)
        cut += [int(number)] * len(listed)
    return labels, cut


def _numbered(
    objects: Sequence[LandslideObject], labels: np.ndarray
) -> tuple[list[LandslideObject], np.ndarray]:
    """Objects of a label image (H, W) counted anew in this order, and their own label image."""
    numbers = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.int32)
    numbers[[landslide.number for landslide in objects]] = np.arange(1, len(objects) + 1)
    renumbered = [replace(landslide, number=i) for i, landslide in enumerate(objects, start=1)]
    return renumbered, numbers[labels]


def _within(rule: Rule, values: np.ndarray) -> np.ndarray:
    """Whether values keep to a rule's bounds; what is not a number does."""
    low = -np.inf if rule.minimum is None else rule.minimum
    high = np.inf if rule.maximum is None else rule.maximum
    return ~((values < low) | (values > high))


def _layer(rule: Rule) -> Layer | None:
    """The layer that a rule looks at, by itself or in an attribute made from it."""
    own = re.sub("^(median|mean|spread)_", "", rule.attribute)
    names = {rule.attribute, own, _LAYER_OF.get(rule.attribute)}
    return next((layer for layer in LAYERS if layer.name in names), None)


def _title(rule: Rule) -> str:
    words = _words(rule.attribute)
    return f"{words[0].upper()}{words[1:]}"


def _words(attribute: str) -> str:
    words = attribute.replace("_", " ").replace("ndvi", "NDVI").replace("ndwi", "NDWI")
    return {"hectares": "area in hectares"}.get(words, words)
