"""The leaderboard: every model's results in one file, and the cards and tables made from it.

``model_cards/results.json`` holds the configuration and the record of each
model that was measured. ``python -m landslide_zoo.hub.leaderboard`` makes
``model_cards/NAME.md`` and the table in the README from it, so that they cannot
say different things.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from landslide_zoo.data.files import write_whole
from landslide_zoo.errors import DataError, LandslideZooError
from landslide_zoo.models.card import figure_text, render_card
from landslide_zoo.models.catalog import lookup
from landslide_zoo.models.config import ModelConfig, validation_sentence
from landslide_zoo.models.record import Record, Result

CARDS, RESULTS, README = Path("model_cards"), "results.json", Path("README.md")
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
_PAPER = (
    "The last column is the F1 of the paper's Table 2 for the same network on 14 bands (6 for "
    "`unet`): a random 80/20 split of the train patches, whose neighbours leak, the mean of the "
    "F1 of batches, and the same held-out patches used to choose the model. It stands beside "
    "these results, not in one line with them."
)
_BASELINE = (
    "A name with `-paper` in it is the paper's recipe on the same patches, from the same "
    "encoder's weights: its loss, no scaling, no augmentation, a constant learning rate, "
    "threshold 0.5."
)
_HEADER = (
    "model",
    "encoder started from",
    "seed",
    "trained in",
    "F1",
    "precision",
    "recall",
    "average precision",
    "calibration error",
    "false alarms, ha per 100 km2",
    "the paper's F1",
)


class ModelResults(BaseModel):
    """One model of the leaderboard: what it is, and what was measured of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    config: ModelConfig
    record: Record


class Results(BaseModel):
    """The contents of ``results.json``.

    Attributes:
        format: Version of this format.
        models: The models, by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    models: list[ModelResults] = []

    @classmethod
    def read(cls, folder: Path) -> Results:
        """Read ``results.json`` in a folder; without one there are no results yet.

        Raises:
            DataError: If it is no such file.
        """
        path = folder / RESULTS
        if not path.is_file():
            return cls()
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise DataError(
                f"{path} holds no results of this zoo: {validation_sentence(error)}."
            ) from error

    def with_model(self, name: str, config: ModelConfig, record: Record) -> Results:
        """The results with a model, in place of an earlier one of its name."""
        new = ModelResults(name=name, config=config, record=record)
        others = [model for model in self.models if model.name != name]
        models = sorted([*others, new], key=lambda model: model.name)
        return self.model_copy(update={"models": models})

    def write(self, folder: Path) -> None:
        """Write ``results.json`` and the cards into a folder; cards of other models go.

        Raises:
            DataError: If they cannot be written.
        """
        write_whole(folder / RESULTS, self.model_dump_json(indent=1) + "\n")
        cards = {f"{model.name}.md": card(model) for model in self.models}
        for name, text in cards.items():
            write_whole(folder / name, text)
        for old in folder.glob("*.md"):
            if old.name not in cards and old.name != README.name:
                old.unlink()


def card(model: ModelResults) -> str:
    """The card of a model of the leaderboard, without pictures."""
    return render_card(model.config, model.record, figures=[])


def leaderboard(models: Iterable[ModelResults]) -> str:
    """One table for each protocol, best F1 first, as Markdown.

    A table holds results on the very same patches. A model's result on
    validation, on which its threshold was chosen, is shown only where it has
    none on test by the same protocol.
    """
    tables: dict[tuple[str, ...], list[tuple[ModelResults, Result]]] = {}
    listed = list(models)
    for model in listed:
        results = model.record.results
        tested = {(one.dataset, one.protocol) for one in results if one.subset == "test"}
        for result in results:
            if result.subset == "validation" and (result.dataset, result.protocol) in tested:
                continue
            tables.setdefault(_key(result), []).append((model, result))
    if not tables:
        return "No model has been measured yet.\n"
    parts = [_table(rows) for _, rows in sorted(tables.items())]
    notes = [_BASELINE, "", _PAPER] if any("-paper-" in one.name for one in listed) else [_PAPER]
    return "\n".join([*parts, *notes, ""])


def fill_readme(text: str, results: Results) -> str:
    """A README with the leaderboard between its markers.

    Raises:
        DataError: If it lacks the markers.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise DataError(f"The README needs the lines {BEGIN} and {END}, between which results go.")
    return f"{before}{BEGIN}\n\n{leaderboard(results.models)}\n{END}{after}"


def _key(result: Result) -> tuple[str, ...]:
    return result.dataset, result.protocol, result.subset, result.fingerprint


def _table(rows: list[tuple[ModelResults, Result]]) -> str:
    first = rows[0][1]
    lines = [_HEADER, ["---"] * len(_HEADER)]
    for model, result in sorted(rows, key=lambda row: -row[1].f1):
        lines.append(_cells(model, result))
    return "\n".join(
        [
            f"**{first.dataset}, {first.protocol} split, {first.subset}** ({first.patches} "
            "patches, all pixels pooled, 95 % intervals by bootstrap over blocks of patches)",
            "",
            *(f"| {' | '.join(cells)} |" for cells in lines),
            "",
        ]
    )


def _cells(model: ModelResults, result: Result) -> tuple[str, ...]:
    record = model.record
    paper = lookup(model.config.name).paper_f1
    alarms = [f"{one.ground} {one.hectares_per_100_km2:.0f}" for one in record.false_alarms]
    return (
        f"[{model.name}]({CARDS}/{model.name}.md)",
        record.encoder_weights.source,
        str(record.seed),
        _effort(record),
        figure_text(result, "f1"),
        f"{result.precision:.3f}",
        f"{result.recall:.3f}",
        _short(result.average_precision),
        _short(result.details.calibration_error),
        ", ".join(alarms) or "-",
        f"{paper:.4f}" if paper else "-",
    )


def _effort(record: Record) -> str:
    minutes = "" if record.minutes is None else f", {record.minutes:.0f} min"
    return f"{record.epochs} epoch{'s' * (record.epochs != 1)}{minutes}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def main() -> None:
    """Make the cards and the README's table from ``model_cards/results.json``."""
    try:
        results = Results.read(CARDS)
        results.write(CARDS)
        write_whole(README, fill_readme(README.read_text(), results))
    except (LandslideZooError, OSError) as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
