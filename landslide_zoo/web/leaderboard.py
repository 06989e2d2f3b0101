"""The zoo's results in one table, a column for each protocol: they are never mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from landslide_zoo.hub.entry import ZooEntry
from landslide_zoo.models.catalog import RGB_SUFFIX, lookup
from landslide_zoo.models.record import Result


@dataclass(frozen=True)
class Row:
    """One model of the leaderboard.

    Attributes:
        entry: The model.
        scores: Its F1 in each of the leaderboard's columns, None where it has none.
        paper: F1 that the paper reports for this network, or None.
    """

    entry: ZooEntry
    scores: list[float | None]
    paper: float | None


@dataclass(frozen=True)
class Leaderboard:
    """The zoo's results.

    Attributes:
        columns: What each column of scores was measured on, and by which protocol.
        rows: The models, in the zoo's order.
    """

    columns: list[str]
    rows: list[Row]


def leaderboard(entries: Sequence[ZooEntry]) -> Leaderboard:
    """Arrange the results that the models' records hold.

    Two scores share a column only if dataset, protocol, subset and the very
    files (by fingerprint) are the same.
    """
    columns: dict[tuple[str, ...], str] = {}
    for entry in entries:
        for result in _results(entry):
            columns.setdefault(_key(result), _title(result))
    rows = [
        Row(
            entry,
            [_scores(entry).get(key) for key in columns],
            None if entry.config.name.endswith(RGB_SUFFIX) else lookup(entry.config.name).paper_f1,
        )
        for entry in entries
    ]
    return Leaderboard(list(columns.values()), rows)


def _results(entry: ZooEntry) -> list[Result]:
    return entry.record.results if entry.record else []


def _scores(entry: ZooEntry) -> dict[tuple[str, ...], float]:
    return {_key(result): result.f1 for result in _results(entry)}


def _key(result: Result) -> tuple[str, ...]:
    return result.dataset, result.protocol, result.subset, result.fingerprint


def _title(result: Result) -> str:
    return f"{result.dataset}, {result.protocol} split, {result.subset} ({result.patches} patches)"
