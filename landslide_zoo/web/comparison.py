"""Several models on one patch: each by itself, and all together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import LandslideZooError
from landslide_zoo.inference.ensemble import Ensemble, join_predictions
from landslide_zoo.web.detection import Detection
from landslide_zoo.web.service import Service


@dataclass(frozen=True, eq=False)
class Cell:
    """One model's place in a comparison.

    Attributes:
        model: Its name.
        found: What it found, or None.
        problem: Why it found nothing, or None.
    """

    model: str
    found: Detection | None = None
    problem: str | None = None

    @property
    def waiting(self) -> bool:
        """Whether the model has not run yet."""
        return self.found is None and self.problem is None

    def figures(self) -> dict[str, object]:
        """The figures as plain values for JSON."""
        return self.found.figures() if self.found else {"model": self.model, "error": self.problem}


@dataclass(frozen=True, eq=False)
class Together:
    """What several models say together.

    Attributes:
        ensemble: Votes, mean and disagreement.
        mean: The mean as a detection of its own.
    """

    ensemble: Ensemble
    mean: Detection

    def figures(self) -> dict[str, object]:
        """The figures as plain values for JSON."""
        votes, members = self.ensemble.votes, self.ensemble.members
        return {
            **self.mean.figures(),
            "members": members,
            "seen_by_all": int((votes == members).sum()),
            "seen_by_any": int((votes > 0).sum()),
            "mean_disagreement": round(float(self.ensemble.disagreement.mean()), 4),
        }


def compare(service: Service, models: Sequence[str], patch: Patch) -> Iterator[list[Cell]]:
    """Run models on a patch, one after another.

    A model that fails says so in its own cell, and the others go on.

    Yields:
        The cells of all models, first with none run, then after each.
    """
    cells = [Cell(model) for model in models]
    yield cells
    for place, model in enumerate(models):
        try:
            cell = Cell(model, found=service.detect(model, patch))
        except LandslideZooError as error:
            cell = Cell(model, problem=str(error))
        cells = [*cells[:place], cell, *cells[place + 1 :]]
        yield cells


def join(cells: Sequence[Cell]) -> Together | None:
    """What the models that ran say together, if they are two or more."""
    found = [cell.found for cell in cells if cell.found]
    if len(found) < 2:
        return None
    ensemble = join_predictions([one.prediction for one in found])
    mean = replace(
        found[0],
        prediction=ensemble.mean,
        milliseconds=sum(one.milliseconds for one in found),
        warnings=(),
    )
    return Together(ensemble, mean)
