"""The leaderboard: the best run of each network, and the cards and the table made from it.

``model_cards/results.json`` holds the configuration and the record of one
model for each network. ``python -m landslide_zoo.zoo.leaderboard`` makes
``model_cards/NAME.md`` and the table in the README from it, so that they cannot
say different things. Other runs are kept in ``experiments/``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from landslide_zoo.errors import DataError, LandslideZooError
from landslide_zoo.io import write_whole
from landslide_zoo.models.card import figure_text, render_card
from landslide_zoo.models.catalog import lookup
from landslide_zoo.models.config import EnsembleConfig, ModelConfig, validation_sentence
from landslide_zoo.models.record import Record, Result
from landslide_zoo.text import markdown_table

CARDS, RESULTS, README = Path("model_cards"), "results.json", Path("README.md")
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
HEADER = (
    "model",
    "encoder's start",
    "training",
    "F1 (95 % interval)",
    "the paper's F1",
    "false alarms, ha per 100 km²",
)
_NOTE = (
    "The paper's F1 (its Table 2) was measured in another way, on a random split with neighbouring "
    "patches on both sides; it stands here for orientation. Each model's card has the other "
    "figures."
)


class ModelResults(BaseModel):
    """What a model is, and what was measured of it.

    Attributes:
        name: Name of its network.
        config: Its configuration.
        record: Its record.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    config: ModelConfig | EnsembleConfig
    record: Record


class Results(BaseModel):
    """The contents of ``results.json``.

    Attributes:
        format: Version of this format.
        models: One model a network, by name.
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

    def better_than(
        self, config: ModelConfig | EnsembleConfig, record: Record
    ) -> ModelResults | None:
        """The model here of the same network, if another one and better on the same validation."""
        for model in self.models:
            if model.name == config.name and model.record.weights_sha256 != record.weights_sha256:
                f1 = {one.key: one.f1 for one in record.results if one.subset == "validation"}
                if any(one.f1 > f1.get(one.key, one.f1) for one in model.record.results):
                    return model
        return None

    def with_model(self, config: ModelConfig | EnsembleConfig, record: Record) -> Results:
        """The results with a model, in place of an earlier one of its network."""
        new = ModelResults(name=config.name, config=config, record=record)
        others = [model for model in self.models if model.name != new.name]
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
    return str(render_card(model.config, model.record, figures=[]))


def leaderboard(models: Iterable[ModelResults]) -> str:
    """One table for each protocol, best F1 first, as Markdown.

    A table holds results on the very same patches. Other results than those on
    test patches are shown only for a model that has none on them.
    """
    tables: dict[tuple[str, ...], list[tuple[ModelResults, Result]]] = {}
    for model in models:
        results = model.record.results
        for result in [one for one in results if one.subset == "test"] or results:
            tables.setdefault(result.key, []).append((model, result))
    if not tables:
        return "No model has been measured yet.\n"
    return "\n\n".join([*(_table(rows) for _, rows in sorted(tables.items())), _NOTE]) + "\n"


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


def _table(rows: list[tuple[ModelResults, Result]]) -> str:
    first = rows[0][1]
    title = (
        f"**{first.dataset}, {first.protocol} split, {first.subset}** ({first.patches} patches, "
        "all pixels pooled)"
    )
    ordered = sorted(rows, key=lambda row: -row[1].f1)
    return f"{title}\n\n{markdown_table(HEADER, (_cells(*row) for row in ordered))}"


def _cells(model: ModelResults, result: Result) -> tuple[str, ...]:
    record = model.record
    if isinstance(model.config, EnsembleConfig):
        start, training, paper = "-", f"mean of {len(model.config.members)}", None
    else:
        minutes = "" if record.minutes is None else f", {record.minutes:.0f} min"
        start = _start(record)
        training = f"{record.epochs} epoch{'s' * (record.epochs != 1)}{minutes}"
        paper = lookup(model.config.name).paper_f1
    alarms = [f"{one.negatives} {one.hectares_per_100_km2:.0f}" for one in record.false_alarms]
    return (
        f"[{model.name}]({CARDS}/{model.name}.md)",
        start,
        training,
        figure_text(result, "f1"),
        f"{paper:.4f}" if paper else "-",
        ", ".join(alarms) or "-",
    )


def _start(record: Record) -> str:
    source = record.encoder_weights.source
    start = "random" if source == "none" else Path(source).stem
    return f"{start}, distilled" if record.recipe.get("teachers") else start


def main() -> None:
    """Make the cards and the README's table from ``model_cards/results.json``."""
    try:
        results = Results.read(CARDS)
        results.write(CARDS)
        write_whole(README, fill_readme(README.read_text(encoding="utf-8"), results))
    except (LandslideZooError, OSError) as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
