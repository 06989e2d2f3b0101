"""Several models on one patch: each one's result, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from landslide_zoo.inference.ensembles import Agreement, join_predictions
from landslide_zoo.inference.result import Detection
from landslide_zoo.inference.rules import DEFAULT_RULES


@dataclass(frozen=True, eq=False)
class ModelResult:
    """One model's place in a comparison.

    Attributes:
        model: Its name.
        detection: What it found, or None.
        error: Why it found nothing, or None.
    """

    model: str
    detection: Detection | None = None
    error: str | None = None

    @property
    def waiting(self) -> bool:
        """Whether the model has not run yet."""
        return self.detection is None and self.error is None

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values for JSON."""
        if self.detection:
            return self.detection.to_dict()
        return {"model": self.model, "error": self.error}


@dataclass(frozen=True, eq=False)
class EnsembleResult:
    """Several models together.

    Attributes:
        agreement: Votes, mean and disagreement.
        mean: The mean as a detection of its own.
    """

    agreement: Agreement
    mean: Detection

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values for JSON."""
        votes, members = self.agreement.votes, self.agreement.members
        return {
            **self.mean.to_dict(),
            "members": members,
            "seen_by_all": int((votes == members).sum()),
            "seen_by_any": int((votes > 0).sum()),
            "mean_disagreement": round(float(self.agreement.disagreement.mean()), 4),
        }


def join_detections(results: Sequence[ModelResult]) -> EnsembleResult | None:
    """The models that ran together; None if they are fewer than two.

    Votes and disagreement are of what each model's rules keep. On the mean their
    rules decide where all have the same, else those for any network.
    """
    found = [result.detection for result in results if result.detection]
    if len(found) < 2:
        return None
    same = all(one.rules == found[0].rules for one in found)
    mean = replace(
        found[0],
        network=join_predictions([one.network for one in found]).mean,
        rules=found[0].rules if same else DEFAULT_RULES,
        milliseconds=sum(one.milliseconds for one in found),
        warnings=(),
        backend=", ".join(dict.fromkeys(one.backend for one in found)),
    )
    return EnsembleResult(join_predictions([one.prediction for one in found]), mean)
