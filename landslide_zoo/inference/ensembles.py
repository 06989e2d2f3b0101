"""What several models, or one in several orientations, say of one patch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from landslide_zoo.data.patch import convert_values
from landslide_zoo.errors import ModelError
from landslide_zoo.inference.predict import PatchPredictor, Prediction, Predictor
from landslide_zoo.inference.rules import DEFAULT_RULES
from landslide_zoo.models.config import EnsembleConfig, PredictorConfig
from landslide_zoo.models.record import Record


@dataclass(eq=False)
class Ensemble(PatchPredictor):
    """A predictor that answers the mean of several.

    Attributes:
        members: The predictors, at least one.
        name: What the ensemble is called.
        stated: What its ``config.json`` says, where it is a folder of its own.
        record: What was measured of it, likewise.
        folder: That folder.
    """

    members: Sequence[Predictor]
    name: str
    stated: EnsembleConfig | None = None
    record: Record | None = None
    folder: Path | None = None

    @cached_property
    def config(self) -> PredictorConfig:
        """What is stated; else all the bands that the members read and their mean threshold."""
        if self.stated is not None:
            return self.stated
        configs = [member.config for member in self.members]
        same = len({(tuple(config.bands), config.unit) for config in configs}) == 1
        bands = dict.fromkeys(name for config in configs for name in config.bands)
        return PredictorConfig(
            name=self.name,
            bands=list(bands),
            unit=configs[0].unit if same else "physical",
            threshold=float(np.mean([config.threshold for config in configs])),
        )

    @property
    def backend(self) -> str:
        """What computes the members."""
        return ", ".join(dict.fromkeys(member.backend for member in self.members))

    @property
    def nbytes(self) -> int:
        """Bytes of the weights of members that were loaded from a folder."""
        return sum(getattr(member, "nbytes", 0) for member in self.members)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:  # noqa: ANN401
        """Publish the folder and its members to the Hub, as :func:`push_folder` does.

        Raises:
            ModelError: If it is no folder's; the sentence says what to do.
            HubError: If the Hub refuses or cannot be reached.
        """
        from landslide_zoo.models.card import push_folder

        if self.folder is None:
            raise ModelError(f"{self.name} is no model folder: publish its members one by one.")
        return push_folder(self.folder, repo_id, **options)

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Mean probabilities (N, H, W), float32, from bands (N, B, H, W)."""
        bands, unit = self.config.bands, self.config.unit
        probabilities = [
            member.probabilities(
                convert_values(values, bands, unit, member.config.bands, member.config.unit)
            )
            for member in self.members
        ]
        return np.stack(probabilities).mean(axis=0, dtype=np.float32)


ORIENTATIONS = [(turns, mirrored) for mirrored in (False, True) for turns in range(4)]
"""The dihedral group D4: quarter turns, of the patch and of its mirror image."""


class TestTimeAugmentation(PatchPredictor):
    """A predictor that answers the mean over all eight orientations of a patch.

    Ground has no up or down, so a turned patch has the same landslides; the
    mean turns with the patch, which one prediction alone does not quite do.

    Args:
        predictor: What is asked about each orientation.
    """

    __test__ = False  # not a test, whatever pytest makes of the name

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.config: PredictorConfig = predictor.config

    @property
    def backend(self) -> str:
        """That of the predictor."""
        return self.predictor.backend

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Mean probabilities (N, H, W), float32, from bands (N, B, H, W)."""
        total = np.zeros((len(values), *values.shape[-2:]), dtype=np.float64)
        for turns, mirrored in ORIENTATIONS:
            turned = np.rot90(values, turns, axes=(2, 3))
            turned = np.ascontiguousarray(turned[..., ::-1] if mirrored else turned)
            probabilities = self.predictor.probabilities(turned)
            probabilities = probabilities[..., ::-1] if mirrored else probabilities
            total += np.rot90(probabilities, -turns, axes=(1, 2))
        return (total / len(ORIENTATIONS)).astype(np.float32)


@dataclass(frozen=True)
class Agreement:
    """Several predictions of one patch, joined.

    Attributes:
        members: Number of models.
        mean: Mean of the probabilities; its threshold is the mean of theirs.
        votes: How many models see a landslide in each pixel, shape (H, W), uint8.
        disagreement: Standard deviation of the probabilities, shape (H, W),
            float32, 0 (all agree) to 0.5 (half say 0, half say 1).
    """

    members: int
    mean: Prediction
    votes: np.ndarray
    disagreement: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values for JSON."""
        return {
            **self.mean.to_dict(),
            "members": self.members,
            "seen_by_all": int((self.votes == self.members).sum()),
            "seen_by_any": int((self.votes > 0).sum()),
            "mean_disagreement": round(float(self.disagreement.mean()), 4),
        }


def join_predictions(predictions: Sequence[Prediction]) -> Agreement:
    """Join predictions of one patch by several models.

    Each model votes at its own threshold, after its own rules. On the mean their rules
    decide where all have the same, else those for any network.

    Args:
        predictions: At least one, all of one patch.
    """
    first = predictions[0]
    probabilities = np.stack([prediction.probability for prediction in predictions])
    same = all(prediction.rules == first.rules for prediction in predictions)
    return Agreement(
        members=len(predictions),
        mean=replace(
            first,
            probability=probabilities.mean(axis=0, dtype=np.float32),
            threshold=float(np.mean([prediction.threshold for prediction in predictions])),
            model=f"mean of {len(predictions)} models",
            rules=first.rules if same else DEFAULT_RULES,
            milliseconds=sum(prediction.milliseconds for prediction in predictions),
            warnings=(),
            backend=", ".join(dict.fromkeys(prediction.backend for prediction in predictions)),
        ),
        votes=np.stack([prediction.mask for prediction in predictions]).sum(axis=0, dtype=np.uint8),
        disagreement=probabilities.std(axis=0, dtype=np.float32),
    )
