"""The leaderboard: the best run of each network, and the cards and the table made from it.

    python scripts/leaderboard.py [ZOO ...]

``model_cards/results.json`` holds the configuration and the record of one model for each
network. This makes ``model_cards/NAME.md``, the table in the README and that of false alarms
in ``docs/evaluation.md`` from it, after taking in the models of the folders or namespaces that
are named.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.io import markdown_table, write_whole
from landslide_zoo.models.card import figure_text, render_card
from landslide_zoo.models.catalog import lookup
from landslide_zoo.models.config import EnsembleConfig, ModelConfig
from landslide_zoo.models.record import Record, Result
from landslide_zoo.zoo import ModelZoo

CARDS, RESULTS, README = Path("model_cards"), "results.json", Path("README.md")
EVALUATION = Path("docs/evaluation.md")
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
HEADER = ("model", "encoder init", "training", "F1 (95 % interval)", "paper F1")
_NOTE = (
    "The paper's F1 (its Table 2) comes from a random split with neighbouring patches on both "
    "sides; it is shown for reference only. Each model's card has the other figures."
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
    """The contents of ``results.json``: one model a network, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    models: list[ModelResults] = []


def with_zoo(models: list[ModelResults], source: str) -> list[ModelResults]:
    """The models with those of a zoo, each in place of an earlier one of its network."""
    by_name = {model.name: model for model in models}
    zoo = ModelZoo(source)
    for entry in zoo.entries():
        if entry.record is None:
            raise LandslideZooError(f"{entry.name} is not trained.")
        name = entry.config.name
        by_name[name] = ModelResults(name=name, config=entry.config, record=entry.record)
    for sentence in zoo.status():
        print(f"Warning: {sentence}", file=sys.stderr)
    return [by_name[name] for name in sorted(by_name)]


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


def false_alarms(models: Iterable[ModelResults]) -> str:
    """Hectares that each model takes for landslide where there is none, as Markdown."""
    alarms = {
        model.name: {
            alarm.negatives: f"{alarm.hectares_per_100_km2:.0f}"
            for alarm in model.record.false_alarms
        }
        for model in models
    }
    places = sorted({place for known in alarms.values() for place in known})
    rows = [
        (name, *(known.get(place, "-") for place in places))
        for name, known in alarms.items()
        if known
    ]
    return markdown_table(("false alarms, ha per 100 km²", *places), rows) + "\n"


def fill(text: str, table: str) -> str:
    """A document with a table between its markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


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
    return (
        f"[{model.name}]({CARDS}/{model.name}.md)",
        start,
        training,
        figure_text(result, "f1"),
        f"{paper:.4f}" if paper else "-",
    )


def _start(record: Record) -> str:
    source = record.encoder_weights.source
    start = "random" if source == "none" else Path(source).stem
    return f"{start}, distilled" if record.recipe.get("teachers") else start


def main() -> None:
    """Make the cards and the tables, with models of the zoos that are named."""
    results = Results.model_validate_json((CARDS / RESULTS).read_bytes())
    for source in sys.argv[1:]:
        results = Results(models=with_zoo(results.models, source))
    write_whole(CARDS / RESULTS, results.model_dump_json(indent=1) + "\n")
    for old in {*CARDS.glob("*.md")} - {CARDS / README}:
        old.unlink()
    for model in results.models:
        write_whole(CARDS / f"{model.name}.md", card(model))
    for path, table in ((README, leaderboard), (EVALUATION, false_alarms)):
        write_whole(path, fill(path.read_text(encoding="utf-8"), table(results.models)))


if __name__ == "__main__":
    main()
