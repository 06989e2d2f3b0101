"""Running a model on a patch, and the detection that the app, the API and the command line show."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.data.checks import check_patch, check_statistics
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import ModelError, quoted
from landslide_zoo.figures.images import true_colour
from landslide_zoo.inference.clouds import (
    CloudMask,
    Clouds,
    Level,
    find_clouds,
    why_no_clouds,
    without_clouds,
)
from landslide_zoo.inference.layers import PatchLayers
from landslide_zoo.inference.objects import LandslideObject, describe
from landslide_zoo.inference.rules import (
    ALL_RULES,
    DEFAULT_RULES,
    DroppedObject,
    RuledPrediction,
    apply_rules,
    layers_needed,
    rules_of,
    switched_on,
    why_skipped,
)
from landslide_zoo.models.config import ModelConfig, PredictorConfig, Rule
from landslide_zoo.models.prediction import Prediction, Predictor, Scores, predict, values_of


@dataclass(frozen=True)
class Steps:
    """Steps beside the network: clouds and rules.

    Attributes:
        clouds: ``mask``: what lies under cloud is not observed, where the bands
            tell clouds; ``keep``: clouds are not looked for.
        rules_off: Attributes of the rules that are switched off, or ``all``.
        level: Product level of the bands, by which clouds look different; told
            from the bands where None.
    """

    clouds: Clouds = "mask"
    rules_off: tuple[str, ...] = ()
    level: Level | None = None

    def check(self, config: PredictorConfig) -> None:
        """Check that what is switched off is there.

        Raises:
            ModelError: If the predictor has no such rule.
        """
        known = [rule.attribute for rule in rules_of(config)]
        for name in self.rules_off:
            if name not in (*known, ALL_RULES):
                raise ModelError(
                    f"{config.name} has no rule on {quoted(name)}; it has {', '.join(known)}."
                )


SMALL = 512 * 512
"""Pixels of a patch up to which objects are described by every layer of its bands."""
ALL_STEPS = Steps()


@dataclass(frozen=True, eq=False)
class PreparedPatch:
    """A patch with all that is known of it before a model sees it, each made once when needed.

    Attributes:
        patch: As it was read.
        steps: What is done beside the network.
    """

    patch: Patch
    steps: Steps = ALL_STEPS

    @cached_property
    def clouds(self) -> CloudMask | None:
        """Its clouds; None where they are not looked for or cannot be told."""
        if self.steps.clouds == "keep" or why_no_clouds(self.patch):
            return None
        return find_clouds(self.patch, self.steps.level)

    @cached_property
    def seen(self) -> Patch:
        """The patch with its clouds not observed."""
        return without_clouds(self.patch, self.clouds) if self.clouds else self.patch

    @cached_property
    def layers(self) -> PatchLayers:
        """Layers of its bands, such as NDVI and slope."""
        return PatchLayers(self.seen)

    @cached_property
    def warnings(self) -> list[str]:
        """Warnings about it, whatever model it is for."""
        return check_patch(self.patch)

    @cached_property
    def shown(self) -> Patch:
        """Its true colour as display values, with its name and known mask, and nothing else."""
        values = true_colour(self.patch).transpose(2, 0, 1).astype(np.float32) / 255
        return replace(self.patch, values=values, bands=TRUE_COLOUR, unit="display")

    def detect(self, predictor: Predictor, threshold: float | None = None) -> Detection:
        """Run a predictor on the patch, and the rules on what it finds.

        Args:
            predictor: A model, or whatever else predicts.
            threshold: The predictor's own where None.

        Raises:
            DataError: If the predictor cannot take the patch.
            ModelError: If its probabilities are not finite, or a rule is not known.
        """
        self.steps.check(predictor.config)
        rules, seen = rules_of(predictor.config), self.seen
        start = time.perf_counter()
        (network,) = predict(predictor, [seen], threshold)
        layers: Mapping[str, np.ndarray] = self.layers
        if self.patch.values[0].size > SMALL:
            # A visitor's session keeps them: of a large patch only what the rules look at.
            layers = self.layers.select(layers_needed((*rules, *DEFAULT_RULES)))
        return Detection(
            patch=self.shown,
            network=network,
            layers=layers,
            rules=rules,
            rules_off=self.steps.rules_off,
            clouds=self.clouds,
            milliseconds=1000 * (time.perf_counter() - start),
            warnings=tuple(self.warnings or model_warnings(predictor.config, self.patch)),
            cloud_note=None if self.steps.clouds == "keep" else why_no_clouds(self.patch),
            backend=predictor.backend,
        )


@dataclass(frozen=True, eq=False)
class Detection:
    """Landslides found in a patch, and all that another threshold or other rules need.

    Attributes:
        patch: Its true colour as display values, with its name and known mask.
        network: What the network says.
        layers: What the bands say of each pixel, for the rules and the objects.
        rules: The rules of the predictor.
        rules_off: Attributes of those that are switched off, or ``all``.
        clouds: The clouds that were found; None where they were not looked for.
        milliseconds: Time it took; of several models on one patch, each one's own.
        warnings: What is odd about the input, a sentence each.
        cloud_note: Why clouds cannot be told, a sentence; None where they can.
        backend: What computed the network and in which number type.
    """

    patch: Patch
    network: Prediction
    layers: Mapping[str, np.ndarray]
    rules: tuple[Rule, ...]
    rules_off: tuple[str, ...]
    clouds: CloudMask | None
    milliseconds: float
    warnings: tuple[str, ...]
    cloud_note: str | None = None
    backend: str = ""

    def at(self, threshold: float) -> Detection:
        """The same at another threshold; the network does not run again."""
        return replace(self, network=self.network.at(threshold))

    def without_rules(self, off: Sequence[str]) -> Detection:
        """The same with these rules switched off, and no others."""
        return replace(self, rules_off=tuple(off))

    @cached_property
    def ruled(self) -> RuledPrediction:
        """The network's prediction after the rules."""
        needed = {name: self.layers[name] for name in layers_needed(self.rules) & {*self.layers}}
        return apply_rules(self.network, needed, switched_on(self.rules, self.rules_off))

    @property
    def prediction(self) -> Prediction:
        """The network's prediction without the objects that rules drop."""
        return self.ruled.prediction

    @cached_property
    def objects(self) -> list[LandslideObject]:
        """The single landslides, the largest first, described by every layer."""
        return describe(self.ruled.labels, self.prediction, self.layers)

    @property
    def dropped(self) -> list[DroppedObject]:
        """Objects that rules dropped, the largest first."""
        return self.ruled.dropped

    @cached_property
    def picture(self) -> np.ndarray:
        """True colour, shape (H, W, 3), uint8."""
        return true_colour(self.patch)

    @cached_property
    def scores(self) -> Scores | None:
        """Scores against the known mask; None where there is none, or no landslide in it."""
        return self._scores(self.prediction)

    @property
    def notes(self) -> list[str]:
        """Notes on clouds and on rules that could not be applied, a sentence each."""
        notes = [self.clouds.sentence()] if self.clouds and self.clouds.share else []
        notes += [self.cloud_note] if self.cloud_note else []
        rules = switched_on(self.rules, self.rules_off)
        skipped = [rule.attribute for rule in rules if why_skipped(rule, self.layers)]
        if skipped:
            notes.append(f"The bands do not allow the rules on {', '.join(skipped)}.")
        return notes

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values for JSON."""
        prediction, kept = self.prediction, self.ruled.kept
        height, width = prediction.probability.shape
        observed = int(prediction.observed.sum())
        pixels = int(prediction.mask.sum())
        figures: dict[str, Any] = {
            "patch": self.patch.name,
            "model": prediction.model,
            "threshold": round(prediction.threshold, 6),
            "height": height,
            "width": width,
            "area_hectares": round(prediction.hectares, 4),
            "share": round(pixels / observed, 6) if observed else 0.0,
            "observed": round(observed / (height * width), 6),
            "cloud": round(self.clouds.share, 6) if self.clouds else None,
            "objects": len(kept),
            "largest_hectares": kept[0].hectares if kept else 0.0,
            "network_hectares": round(self.network.hectares, 4),
            "dropped": [
                {
                    "hectares": one.object.hectares,
                    "row": one.object.row,
                    "column": one.object.column,
                    "rule": one.rule.attribute,
                    "why": one.why,
                }
                for one in self.dropped
            ],
            "backend": self.backend,
            "milliseconds": round(self.milliseconds, 1),
            "warnings": list(self.warnings),
            "notes": self.notes,
        }
        if self.patch.mask is not None:
            truth = int(self.patch.mask.sum())
            figures["truth_hectares"] = round(prediction.grid.hectares(truth), 4)
        alone = self._scores(self.network)
        if self.scores is not None and alone is not None:
            figures["scores"] = self.scores.to_dict()
            figures["network_scores"] = alone.to_dict()
        return figures

    def _scores(self, prediction: Prediction) -> Scores | None:
        truth = self.patch.mask
        return None if truth is None or not truth.any() else prediction.scores(truth)


def detect(
    predictor: Predictor, patch: Patch, threshold: float | None = None, steps: Steps = ALL_STEPS
) -> Detection:
    """Run a predictor on a patch, without its clouds, and the rules on what it finds.

    Args:
        predictor: A model, or whatever else predicts.
        patch: Holds the bands that it reads; bands besides allow clouds and rules.
        threshold: The predictor's own where None.
        steps: What is done beside the network.

    Raises:
        DataError: If the predictor cannot take the patch.
        ModelError: If its probabilities are not finite, or a rule is not known.
    """
    start = time.perf_counter()
    found = PreparedPatch(patch, steps).detect(predictor, threshold)
    return replace(found, milliseconds=1000 * (time.perf_counter() - start))


class Refinement:
    """The steps beside the network, on predictions that are there: as :func:`detect` takes them.

    What clouds hide in a patch is found once, for both.

    Args:
        predictor: What made the predictions; it runs again where there are clouds.
        steps: What is done beside the network.
    """

    def __init__(self, predictor: Predictor, steps: Steps = ALL_STEPS) -> None:
        self._predictor, self._steps = predictor, steps
        self._rules = switched_on(rules_of(predictor.config), steps.rules_off)
        self._last: tuple[Prediction, PreparedPatch, Prediction] | None = None

    def without_clouds(self, patch: Patch, prediction: Prediction) -> Prediction:
        """The prediction of a patch without its clouds."""
        return self._prepare(patch, prediction)[1]

    def with_rules(self, patch: Patch, prediction: Prediction) -> Prediction:
        """The same after the rules."""
        prepared, seen = self._prepare(patch, prediction)
        if not self._rules:
            return seen
        layers = prepared.layers.select(layers_needed(self._rules))
        return apply_rules(seen, layers, self._rules).prediction

    def _prepare(self, patch: Patch, prediction: Prediction) -> tuple[PreparedPatch, Prediction]:
        if self._last is None or self._last[0] is not prediction:
            prepared, seen = PreparedPatch(patch, self._steps), prediction
            if prepared.clouds and prepared.clouds.cloud.any():
                (seen,) = predict(self._predictor, [prepared.seen], prediction.threshold)
            self._last = prediction, prepared, seen
        return self._last[1:]


def model_warnings(config: PredictorConfig, patch: Patch) -> list[str]:
    """Warnings about a patch for a model of this configuration."""
    if not isinstance(config, ModelConfig):
        return []
    # Indices have no unit to be far off in; bands do.
    places = [i for i, name in enumerate(config.channels) if name in config.bands]
    names = [config.channels[i] for i in places]
    values = values_of([patch], config)[0][[config.bands.index(name) for name in names]]
    mean, std = np.array(config.scaling.mean)[places], np.array(config.scaling.std)[places]
    return check_statistics(values, names, mean, std, patch.name)
