"""How a model came to be and what was measured of it: the contents of ``record.json``."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError

from landslide_zoo.errors import ModelError
from landslide_zoo.models.catalog import lookup
from landslide_zoo.models.config import Part, PredictorConfig, read_small, validation_sentence

Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class DataRecord(Part):
    """What a model was trained on.

    Attributes:
        name: Name of the dataset.
        fingerprint: SHA-256 over the files that were used.
        protocol: How it was split: ``random``, ``spatial``, ``region:X``,
            ``official`` or ``folder``.
        patches: Number of patches in each subset.
        synthetic: Whether the patches were generated, not observed.
    """

    name: str
    fingerprint: Sha256
    protocol: str
    patches: dict[str, int]
    synthetic: bool = False


class EncoderWeights(Part):
    """Where the encoder's weights started: ``imagenet``, ``none`` or a file's name."""

    source: str
    sha256: Sha256 | None = None


class FalseAlarms(Part):
    """What a model finds on negatives: patches without a landslide.

    Attributes:
        negatives: Name of the negatives.
        patches: Number of patches.
        square_kilometres: Their area.
        hectares_per_100_km2: Area taken for landslides, by area looked at.
        low: Lower end of its 95 % interval, if it has one.
        high: Upper end.
    """

    negatives: str
    patches: int
    square_kilometres: NotNegative
    hectares_per_100_km2: NotNegative
    low: NotNegative | None = None
    high: NotNegative | None = None


class RefinedScores(Part):
    """Scores of the same predictions after further steps, such as rules on objects.

    Attributes:
        steps: What was done.
        precision: As in :class:`Result`.
        recall: As in :class:`Result`.
        f1: As in :class:`Result`.
        f1_interval: 95 % interval of the F1, if it has one.
    """

    steps: str
    precision: Share
    recall: Share
    f1: Share
    f1_interval: tuple[NotNegative, NotNegative] | None = None


class Details(Part):
    """What is known of a result besides its scores.

    Attributes:
        blocks: Number of blocks of patches that the intervals were drawn from.
        intervals: 95 % interval of each figure, by the name of its field.
        batch_mean_f1: Mean of the F1 of batches, as the paper reports; for
            comparison with it alone.
        calibration_error: Mean difference between the probability said and the
            share of landslide pixels seen.
        false_alarms: What was found where there is no landslide.
        refined: Scores after further steps, each in addition to those before it.
    """

    blocks: int | None = None
    intervals: dict[str, tuple[NotNegative, NotNegative]] = Field(default={})
    batch_mean_f1: Share | None = None
    calibration_error: Share | None = None
    false_alarms: list[FalseAlarms] = Field(default=[])
    refined: list[RefinedScores] = Field(default=[])


class TestAccess(Part):
    """One use of patches that were held out, whatever became of it.

    Attributes:
        when: Date and time, ISO 8601, UTC.
        dataset: Name of the dataset.
        protocol: How it was split.
        subset: What was measured.
        command: What was run.
    """

    when: str
    dataset: str
    protocol: str
    subset: str
    command: str


class Result(Part):
    """Scores of the model on one subset, all pixels of all patches pooled.

    Attributes:
        dataset: Name of the dataset.
        fingerprint: SHA-256 over the files that were used.
        protocol: How the dataset was split; results of different protocols
            cannot be compared.
        subset: ``validation``, ``test`` or another name for what was measured.
        patches: Number of patches.
        threshold: Probability from which a pixel counted as landslide.
        true_positives: Landslide pixels found.
        false_positives: Other pixels taken for landslides.
        false_negatives: Landslide pixels missed.
        true_negatives: Other pixels left alone.
        precision: TP / (TP + FP).
        recall: TP / (TP + FN).
        f1: 2 TP / (2 TP + FP + FN).
        iou: TP / (TP + FP + FN).
        average_precision: Area under the precision-recall curve.
        command: What was run to measure it.
        details: Intervals, calibration and false alarms, where they were measured.
    """

    dataset: str
    fingerprint: Sha256
    protocol: str
    subset: str
    patches: int
    threshold: Share
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    precision: Share
    recall: Share
    f1: Share
    iou: Share
    average_precision: Share | None = None
    command: str
    details: Details = Details()

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it was measured on; results compare only where this is the same."""
        return self.dataset, self.protocol, self.subset, self.fingerprint


class Record(Part):
    """The contents of a model folder's ``record.json``.

    Attributes:
        format: Version of this format.
        model: Name of the model.
        created: Date and time, ISO 8601, UTC.
        command: The command that trained it.
        seed: Seed of every random number.
        data: What it was trained on.
        encoder_weights: Where the encoder's weights started.
        recipe: The settings of the training, by name.
        versions: Versions of the packages, by name.
        epochs: Epochs that were run.
        best_epoch: Epoch whose weights were kept, counted from 1.
        history: Loss and scores of each epoch.
        results: Everything measured of the final weights.
        test_accesses: Every use of the test patches.
        weights_sha256: SHA-256 of ``model.safetensors``.
    """

    format: Literal[1] = 1
    model: str
    created: str
    command: str
    seed: int
    data: DataRecord
    encoder_weights: EncoderWeights
    recipe: dict[str, float | int | str | bool | None]
    versions: dict[str, str]
    epochs: int
    best_epoch: int
    history: list[dict[str, float]] = Field(default=[])
    results: list[Result] = Field(default=[])
    test_accesses: list[TestAccess] = Field(default=[])
    weights_sha256: Sha256 | None = None

    @property
    def headline(self) -> Result | None:
        """The result that stands for the model: test where there is one, else validation."""
        first = {result.subset: result for result in reversed(self.results)}
        return first.get("test") or first.get("validation")

    @property
    def minutes(self) -> float | None:
        """How long the epochs of its training took together, if that was noted."""
        seconds = [row["seconds"] for row in self.history if "seconds" in row]
        return sum(seconds) / 60 if 0 < len(seconds) == len(self.history) else None

    @property
    def false_alarms(self) -> list[FalseAlarms]:
        """The latest false alarms on each set of negatives."""
        latest = {
            alarms.negatives: alarms
            for result in self.results
            for alarms in result.details.false_alarms
        }
        return list(latest.values())

    def with_result(self, result: Result) -> Self:
        """The record with a result, in place of an earlier one on the same subset."""
        results = {other.key[:3]: other for other in [*self.results, result]}
        return self.model_copy(update={"results": list(results.values())})

    def with_test_access(self, dataset: str, protocol: str, subset: str, command: str) -> Self:
        """The record with a use of held-out patches, now, added to its log."""
        access = TestAccess(
            when=now(), dataset=dataset, protocol=protocol, subset=subset, command=command
        )
        return self.model_copy(update={"test_accesses": [*self.test_accesses, access]})

    def to_json(self) -> str:
        """The text of ``record.json``."""
        return self.model_dump_json(indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read and check a ``record.json``.

        Raises:
            ModelError: If it is no such record.
        """
        try:
            return cls.model_validate_json(read_small(path))
        except ValidationError as error:
            raise ModelError(
                f"{path} is not a record of this zoo: {validation_sentence(error)}."
            ) from error


def is_research_only(config: PredictorConfig, record: Record | None) -> bool:
    """Whether a model started from weights of an encoder that are for research alone."""
    if record is None or record.encoder_weights.source == "none" or not hasattr(config, "encoder"):
        return False
    return lookup(config.name).research_only


def now() -> str:
    """Date and time, ISO 8601, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
