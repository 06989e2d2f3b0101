"""The leaderboard never mixes what cannot be compared."""

from __future__ import annotations

from dataclasses import replace

import pytest
from trained_model import make_record

from landslide_zoo.hub.entry import ZooEntry
from landslide_zoo.models.config import catalog_config
from landslide_zoo.web.leaderboard import leaderboard


@pytest.fixture
def entry() -> ZooEntry:
    config = catalog_config("unet-resnet34")
    return ZooEntry("first", "bundled", config, make_record(), size=1)


def with_result(entry: ZooEntry, name: str, **changes: object) -> ZooEntry:
    assert entry.record is not None
    result = entry.record.results[0].model_copy(update=changes)
    return replace(entry, name=name, record=entry.record.model_copy(update={"results": [result]}))


@pytest.mark.parametrize(
    "changes",
    [{"protocol": "random"}, {"subset": "validation"}, {"dataset": "x"}, {"fingerprint": "1" * 64}],
)
def test_every_protocol_has_its_own_column(entry: ZooEntry, changes: dict[str, str]) -> None:
    board = leaderboard([entry, with_result(entry, "second", f1=0.9, **changes)])
    assert len(board.columns) == 2
    assert [row.scores for row in board.rows] == [[0.6, None], [None, 0.9]]


def test_the_same_protocol_shares_a_column(entry: ZooEntry) -> None:
    board = leaderboard([entry, with_result(entry, "second", f1=0.7)])
    assert board.columns == ["l4s-rgb, folder split, test (2 patches)"]
    assert [row.scores for row in board.rows] == [[0.6], [0.7]]


def test_the_papers_score_stands_apart(entry: ZooEntry) -> None:
    rgb = replace(entry, config=catalog_config("unet-resnet34-rgb"), record=None)
    board = leaderboard([entry, rgb])
    assert [row.paper for row in board.rows] == [0.747, None]
