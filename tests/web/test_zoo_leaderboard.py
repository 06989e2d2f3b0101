"""The leaderboard never mixes what cannot be compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from trained_model import make_record

from landslide_zoo.models.config import catalog_config
from landslide_zoo.web.zoo import leaderboard
from landslide_zoo.zoo import ZooEntry


@pytest.fixture
def entry() -> ZooEntry:
    config = catalog_config("unet-resnet34")
    return ZooEntry("first", "bundled", config, make_record(), 1, "apache-2.0", Path())


def with_result(entry: ZooEntry, name: str, **changes: object) -> ZooEntry:
    assert entry.record is not None
    result = entry.record.results[0].model_copy(update=changes)
    return replace(entry, name=name, record=entry.record.model_copy(update={"results": [result]}))


@pytest.mark.parametrize(
    "changes",
    [{"protocol": "random"}, {"subset": "validation"}, {"dataset": "x"}, {"fingerprint": "1" * 64}],
)
def test_every_protocol_has_its_own_column(entry: ZooEntry, changes: dict[str, str]) -> None:
    _, rows = leaderboard([entry, with_result(entry, "second", f1=0.9, **changes)])
    assert [row[:3] for row in rows] == [["first", 0.6, None], ["second", None, 0.9]]
