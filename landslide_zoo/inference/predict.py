"""From patches to predictions: the one way, whoever asks and whatever computes the network."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol, Self, TypedDict, Unpack, overload

import numpy as np

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.data.checks import check_patch, check_statistics
from landslide_zoo.data.patch import Grid, Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.errors import ModelError
from landslide_zoo.figures.images import true_colour
from landslide_zoo.inference.clouds import (
    CSMASK,
    CloudMasker,
    cloud_note,
    find_clouds,
    why_no_clouds,
    without_clouds,
)
from landslide_zoo.inference.indices import layers_of
from landslide_zoo.inference.objects import LandslideObject, describe
from landslide_zoo.inference.rules import (
    DroppedObject,
    RuledObjects,
    apply_rules,
    check_rules_off,
    rules_of,
    switched_on,
    why_skipped,
)
from landslide_zoo.io import write_whole
from landslide_zoo.models.config import ModelConfig, PredictorConfig, Rule
from landslide_zoo.models.record import Record
from landslide_zoo.settings import Clouds, Level

BATCH_PIXELS = 16 * 128 * 128
"""Pixels that are predicted at once: sixteen patches of the benchmark, one of 512 x 512."""

SCORES = ("precision", "recall", "f1", "iou")


class Predictor(Protocol):
    """Anything that turns bands into landslide probabilities."""

    @property
    def config(self) -> PredictorConfig:
        """Its bands and unit, its threshold and its rules."""

    @property
    def backend(self) -> str:
        """What computes it and in which number type, as in ``torch float32``."""

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Landslide probabilities, shape (N, H, W), float32.

        Args:
            values: The bands that ``config`` names, in its unit, shape (N, B, H, W),
                float32, any H and W from 32.
        """


class LoadedPredictor(Predictor, Protocol):
    """A predictor that was loaded from a model folder."""

    record: Record | None
    """How it was trained and evaluated, if it was."""

    @property
    def nbytes(self) -> int:
        """Bytes of its weights in memory."""


class Options(TypedDict, total=False):
    """What is done besides the network; see :func:`predict`."""

    postprocess: bool
    clouds: Clouds | CloudMasker
    rules_off: Sequence[str]
    level: Level | None


class PatchPredictor:
    """The ``predict`` of a predictor: from files or patches to predictions."""

    @overload
    def predict(  # type: ignore[overload-overlap]  # a path is a sequence of letters, too
        self: Predictor,
        patches: str | Path | Patch,
        threshold: float | None = None,
        **options: Unpack[Options],
    ) -> Prediction: ...

    @overload
    def predict(
        self: Predictor,
        patches: Sequence[str | Path | Patch],
        threshold: float | None = None,
        **options: Unpack[Options],
    ) -> list[Prediction]: ...

    def predict(
        self: Predictor,
        patches: str | Path | Patch | Sequence[str | Path | Patch],
        threshold: float | None = None,
        **options: Unpack[Options],
    ) -> Prediction | list[Prediction]:
        """Find landslides in one patch or in several, as the command line and the app do.

        Args:
            patches: A patch with the bands that the model reads, the path of a
                file that holds one, or several of either.
            threshold: Probability from which a pixel counts as landslide; the
                model's own where None.
            options: Keyword arguments of :func:`landslide_zoo.inference.predict`:
                ``postprocess=False`` is the network alone.

        Returns:
            A prediction, or one for each of several patches.

        Raises:
            DataError: If a file cannot be read, or a patch lacks a band or has
                the wrong unit.
            ModelError: If the model gives probabilities that are not finite.

        Example:
            >>> from landslide_zoo import LandslideModel
            >>> model = LandslideModel.from_pretrained("unet-mobilenet_v2-rgb")
            >>> model.predict("image_28.h5")  # doctest: +SKIP
            Prediction('unet-mobilenet_v2-rgb', 128 x 128, threshold 0.418, 9.68 ha)
        """
        single = isinstance(patches, str | Path | Patch)
        sources = [patches] if isinstance(patches, str | Path | Patch) else patches
        read = [source if isinstance(source, Patch) else read_patch(source) for source in sources]
        predictions = predict(self, read, threshold, **options)
        return predictions[0] if single else predictions


@dataclass(frozen=True)
class Scores:
    """A mask against the known one, by pixel; pixels that were not observed do not count.

    Attributes:
        true_positives: Landslide pixels found.
        false_positives: Other pixels taken for landslides.
        false_negatives: Landslide pixels missed.
        true_negatives: Other pixels left alone.
    """

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @classmethod
    def of_masks(
        cls, mask: np.ndarray, truth: np.ndarray, observed: np.ndarray | None = None
    ) -> Self:
        """Scores of a mask (H, W) against the truth (H, W), both 0 and 1.

        Args:
            mask: The mask.
            truth: The known mask.
            observed: Pixels that count, shape (H, W), bool; all where None.
        """
        mask, truth = mask > 0, truth > 0
        kinds = (mask & truth, mask & ~truth, ~mask & truth, ~mask & ~truth)
        counted = np.True_ if observed is None else observed
        return cls(*(int(np.count_nonzero(kind & counted)) for kind in kinds))

    @property
    def precision(self) -> float:
        """TP / (TP + FP); 0 where nothing was found."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """TP / (TP + FN); 0 where there is no landslide."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); 0 where there is neither a landslide nor a find."""
        doubled = 2 * self.true_positives
        return _ratio(doubled, doubled + self.false_positives + self.false_negatives)

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN); 0 where there is neither a landslide nor a find."""
        wrong = self.false_positives + self.false_negatives
        return _ratio(self.true_positives, self.true_positives + wrong)

    def to_dict(self) -> dict[str, float]:
        """The scores, to four digits, and the counts, by name."""
        return {name: round(getattr(self, name), 4) for name in SCORES} | asdict(self)


@dataclass(frozen=True, repr=False, eq=False)
class Prediction:
    """Landslides found in a patch, and all that another threshold or other rules need.

    Attributes:
        probability: The network's own, shape (H, W), float32, 0 to 1.
        observed: Pixels that could be seen, shape (H, W), bool. What is not
            observed is neither landslide nor free of it.
        threshold: Probability from which a pixel counts as landslide.
        model: Name of the model.
        patch: A preview of the patch: true colour as display values, with its name, grid
            and known mask.
        indices: NDVI, slope and the like of each pixel, for the rules and the objects.
        rules: The rules of the model; none for the network alone.
        rules_off: Attributes of those that are switched off, or ``all``.
        clouds: Pixels under cloud, shape (H, W), bool; None where clouds were not looked for.
        cloud_note: How much is under cloud, or why that is not known, a sentence.
        milliseconds: Time it took; of several patches together, each one's share.
        warnings: What is odd about the input, a sentence each.
        backend: What computed the network and in which number type.
    """

    probability: np.ndarray
    observed: np.ndarray
    threshold: float
    model: str
    patch: Patch
    indices: Mapping[str, np.ndarray] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    rules_off: tuple[str, ...] = ()
    clouds: np.ndarray | None = None
    cloud_note: str | None = None
    milliseconds: float = 0.0
    warnings: tuple[str, ...] = ()
    backend: str = ""

    def __repr__(self) -> str:
        height, width = self.probability.shape
        return (
            f"Prediction({self.model!r}, {height} x {width}, threshold {self.threshold:.3g}, "
            f"{self.hectares:.2f} ha)"
        )

    def at(self, threshold: float) -> Self:
        """The same at another threshold; the network does not run again."""
        return replace(self, threshold=threshold)

    def without_rules(self, off: Sequence[str]) -> Self:
        """The same with these rules switched off, and no others."""
        return replace(self, rules_off=tuple(off))

    @property
    def network(self) -> Self:
        """The same before rules."""
        return replace(self, rules=())

    @property
    def grid(self) -> Grid:
        """Size and, where known, place of the pixels."""
        return self.patch.grid

    @cached_property
    def mask(self) -> np.ndarray:
        """Observed landslide pixels as 1, others 0, shape (H, W), uint8, after rules."""
        mask = self._ruled.labels > 0 if self._rules else self._above
        return mask.astype(np.uint8)

    @property
    def hectares(self) -> float:
        """Area of the mask."""
        return self.grid.hectares(int(self.mask.sum()))

    @cached_property
    def possible(self) -> np.ndarray:
        """What the model half believes, beside the mask, shape (H, W), uint8.

        It is from half the threshold on, and dropped by no rule.
        """
        return self.at(self.threshold / 2).mask & (1 - self.mask)

    @property
    def objects(self) -> list[LandslideObject]:
        """The single landslides, the largest first."""
        return self._ruled.kept

    @property
    def dropped(self) -> list[DroppedObject]:
        """Objects that rules dropped, and parts they cut out of objects, the largest first."""
        return self._ruled.dropped

    @property
    def dropped_labels(self) -> np.ndarray:
        """The number in :attr:`dropped` of each pixel, 0 elsewhere, shape (H, W), int32."""
        return self._ruled.dropped_labels

    @cached_property
    def picture(self) -> np.ndarray:
        """True colour, shape (H, W, 3), uint8."""
        return true_colour(self.patch)

    @property
    def notes(self) -> list[str]:
        """Notes on clouds and on rules that could not be applied, a sentence each."""
        notes = [self.cloud_note] if self.cloud_note else []
        skipped = [rule.attribute for rule in self._rules if why_skipped(rule, self.indices)]
        if skipped:
            notes.append(f"The bands do not allow the rules on {', '.join(skipped)}.")
        return notes

    def scores(self, truth: np.ndarray | None = None) -> Scores | None:
        """Scores of the mask against a known one (H, W), over the observed pixels.

        Args:
            truth: The patch's own where None: then there are no scores where it is not
                known or holds no landslide.
        """
        if truth is None:
            truth = self.patch.mask
            if truth is None or not truth.any():
                return None
        return Scores.of_masks(self.mask, truth, self.observed)

    def save(self, folder: str | Path) -> list[Path]:
        """Write probability, mask and overlay, each whole before it gets its name.

        Args:
            folder: Made if need be; files of the same names are replaced.

        Returns:
            The files; see :func:`landslide_zoo.inference.outputs.output_names`.

        Raises:
            DataError: If one cannot be written; none is left half-written.
        """
        from landslide_zoo.inference.outputs import output_files

        files = {Path(folder) / name: content for name, content in output_files(self).items()}
        for path, content in files.items():
            write_whole(path, content)
        return list(files)

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values for JSON."""
        objects, network = self.objects, self.network
        height, width = self.probability.shape
        observed = int(self.observed.sum())
        figures: dict[str, Any] = {
            "patch": self.patch.name,
            "model": self.model,
            "threshold": round(self.threshold, 6),
            "height": height,
            "width": width,
            "area_hectares": round(self.hectares, 4),
            "share": round(int(self.mask.sum()) / observed, 6) if observed else 0.0,
            "observed": round(observed / (height * width), 6),
            "cloud": None if self.clouds is None else round(float(self.clouds.mean()), 6),
            "objects": len(objects),
            "largest_hectares": objects[0].hectares if objects else 0.0,
            "network_hectares": round(network.hectares, 4),
            "dropped": [
                {
                    "hectares": dropped.object.hectares,
                    "row": dropped.object.row,
                    "column": dropped.object.column,
                    "rule": dropped.rule.attribute,
                    "why": dropped.why,
                }
                for dropped in self.dropped
            ],
            "backend": self.backend,
            "milliseconds": round(self.milliseconds, 1),
            "warnings": list(self.warnings),
            "notes": self.notes,
        }
        if self.patch.mask is not None:
            truth = int(self.patch.mask.sum())
            figures["truth_hectares"] = round(self.grid.hectares(truth), 4)
        scores, network_scores = self.scores(), network.scores()
        if scores is not None and network_scores is not None:
            figures["scores"] = scores.to_dict()
            figures["network_scores"] = network_scores.to_dict()
        return figures

    @property
    def _rules(self) -> tuple[Rule, ...]:
        return switched_on(self.rules, self.rules_off)

    @property
    def _above(self) -> np.ndarray:
        return (self.probability >= np.float32(self.threshold)) & self.observed

    @cached_property
    def _ruled(self) -> RuledObjects:
        def describe_all(labels: np.ndarray) -> list[LandslideObject]:
            return describe(labels, self.probability, self.observed, self.grid, self.indices)

        return apply_rules(self._above, self.indices, self._rules, describe_all)


@dataclass(frozen=True, repr=False, eq=False)
class _PreparedPatch(Patch):
    """A patch without its clouds, with all that several models can share, made when needed."""

    source: Patch = None  # type: ignore[assignment]  # what was prepared
    clouds: np.ndarray | None = None
    cloud_note: str | None = None

    @cached_property
    def indices(self) -> dict[str, np.ndarray]:
        return layers_of(self)

    @cached_property
    def warnings(self) -> list[str]:
        return check_patch(self.source)

    @cached_property
    def preview(self) -> Patch:
        if set(TRUE_COLOUR) <= set(self.bands):
            values = true_colour(self.source).transpose(2, 0, 1).astype(np.float32) / 255
        else:
            values = np.zeros((3, *self.size), np.float32)
        return replace(self.source, values=values, bands=TRUE_COLOUR, unit="display")


def prepare(
    patch: Patch, clouds: Clouds | CloudMasker = "mask", level: Level | None = None
) -> Patch:
    """A patch whose clouds are not observed, for one model or for several.

    What :func:`predict` would do for each model anew, such as finding clouds, is done once
    for all that are given the prepared patch.

    Args:
        patch: The patch.
        clouds: See :func:`predict`.
        level: See :func:`predict`.
    """
    masker = CSMASK if clouds == "mask" else clouds
    reason, hidden = None, None
    if masker != "keep":
        reason = why_no_clouds(patch, masker)
        hidden = find_clouds(patch, level, masker) if reason is None else None
    visible = patch if hidden is None else without_clouds(patch, hidden)
    values = {item.name: getattr(visible, item.name) for item in fields(Patch)}
    note = reason if hidden is None else cloud_note(hidden)
    return _PreparedPatch(**values, source=patch, clouds=hidden, cloud_note=note)


def predict(
    predictor: Predictor,
    patches: Sequence[Patch],
    threshold: float | None = None,
    *,
    postprocess: bool = True,
    clouds: Clouds | CloudMasker = "mask",
    rules_off: Sequence[str] = (),
    level: Level | None = None,
) -> list[Prediction]:
    """Find landslides in patches, those of one size together.

    Clouds are masked where the bands show them, the network runs, and rules drop objects
    that the bands tell from landslides.

    Args:
        predictor: A model, an ensemble of them, or whatever else predicts.
        patches: Each holds the bands that the predictor reads; further ones allow clouds and
            rules. One from :func:`prepare` is taken as it is.
        threshold: Probability from which a pixel counts as landslide; the
            predictor's own where None.
        postprocess: False for the network alone: clouds are not looked for, and no rule is
            applied.
        clouds: ``mask``: what lies under cloud is not observed; ``keep``: clouds are not
            looked for; or what finds them in place of the default.
        rules_off: Attributes of rules that are switched off, or ``all``.
        level: Product level of the bands, by which clouds look different; detected
            from the bands where None.

    Returns:
        One prediction for each patch, in their order.

    Raises:
        DataError: If a patch lacks a band or has the wrong unit.
        ModelError: If the threshold is no probability, there is no such rule, or a
            probability is not finite.
    """
    config = predictor.config
    threshold = config.threshold if threshold is None else threshold
    if not 0 <= threshold <= 1:
        raise ModelError(f"The threshold is {threshold:g}; a probability is from 0 to 1.")
    check_rules_off(config, rules_off)
    start = time.perf_counter()
    prepared = [
        patch
        if isinstance(patch, _PreparedPatch)
        else prepare(patch, clouds if postprocess else "keep", level)
        for patch in patches
    ]
    rules = rules_of(config) if postprocess else ()
    predictions = []
    for patch, probability in zip(prepared, run_network(predictor, prepared), strict=True):
        assert isinstance(patch, _PreparedPatch)
        predictions.append(
            Prediction(
                probability=probability,
                observed=patch.observed,
                threshold=threshold,
                model=config.name,
                patch=patch.preview,
                indices=patch.indices,
                rules=rules,
                rules_off=tuple(rules_off),
                clouds=patch.clouds,
                cloud_note=patch.cloud_note,
                warnings=tuple(patch.warnings or _model_warnings(config, patch.source)),
                backend=predictor.backend,
            )
        )
    share = 1000 * (time.perf_counter() - start) / max(1, len(predictions))
    return [replace(prediction, milliseconds=share) for prediction in predictions]


def run_network(predictor: Predictor, patches: Sequence[Patch]) -> list[np.ndarray]:
    """Probabilities of patches, each of shape (H, W), float32; nothing else is done.

    Raises:
        DataError: If a patch lacks a band or has the wrong unit.
        ModelError: If a probability is not finite: a damaged model finds nothing anywhere,
            which must not pass for an answer.
    """
    results: list[np.ndarray] = []
    for (height, width), group in groupby(patches, key=lambda patch: patch.size):
        alike, size = list(group), max(1, BATCH_PIXELS // (height * width))
        for start in range(0, len(alike), size):
            batch = alike[start : start + size]
            probabilities = predictor.probabilities(values_of(batch, predictor.config))
            for patch, probability in zip(batch, probabilities, strict=True):
                if not np.isfinite(probability).all():
                    raise ModelError(
                        f"{predictor.config.name} gives probabilities that are not finite on "
                        f"{patch.name}: its weights are damaged; load or train it again."
                    )
                results.append(probability)
    return results


def values_of(patches: Sequence[Patch], config: PredictorConfig) -> np.ndarray:
    """The input of a predictor: its bands in its unit, shape (N, B, H, W), float32.

    Args:
        patches: Patches of one size.
        config: Names the bands and the unit.

    Raises:
        DataError: If a patch lacks a band or has the wrong unit; the message names it.
    """
    return np.stack([patch.in_unit(config.bands, config.unit) for patch in patches])


def _model_warnings(config: PredictorConfig, patch: Patch) -> list[str]:
    """Warnings about a patch for a model of this configuration."""
    if not isinstance(config, ModelConfig):
        return []
    # Indices have no unit to be far off in; bands do.
    places = [i for i, name in enumerate(config.channels) if name in config.bands]
    names = [config.channels[i] for i in places]
    values = values_of([patch], config)[0][[config.bands.index(name) for name in names]]
    mean, std = np.array(config.scaling.mean)[places], np.array(config.scaling.std)[places]
    return check_statistics(values, names, mean, std, patch.name)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
