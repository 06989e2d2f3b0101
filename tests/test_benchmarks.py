"""The page on performance: its figures are those that the benchmarks kept."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator

import pytest
from snippets import ROOT

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"


def figures(kept: object) -> Iterator[str]:
    """Every number of a file of figures, as the page would write it."""
    if isinstance(kept, dict):
        for one in kept.values():
            yield from figures(one)
    elif isinstance(kept, list):
        for one in kept:
            yield from figures(one)
    elif isinstance(kept, int | float):
        yield f"{kept:,g}"


def test_the_page_is_what_the_figures_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import report

    assert PAGE.read_text(encoding="utf-8") == report.page(), "run benchmarks/report.py"
    sys.modules.pop("report")


def test_every_figure_of_a_table_is_kept() -> None:
    files = sorted(RESULTS.glob("*.json"))
    assert files
    known = {one for path in files for one in figures(json.loads(path.read_text("utf-8")))}
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    cells = [cell.strip() for row in rows for cell in row.strip("|").split("|")[1:]]
    shown = {part for cell in cells for part in re.split(r", | (?=\d)", cell)}
    numbers = {one for one in shown if re.fullmatch(r"[\d,.]+", one)}
    assert len(numbers) > 50
    assert numbers <= known


@pytest.mark.parametrize("name", sorted({path.stem for path in RESULTS.glob("*.json")} - {"aims"}))
def test_figures_say_what_they_were_measured_on(name: str) -> None:
    machine = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))["machine"]
    assert machine["cores"]
    assert machine["processor"] in PAGE.read_text("utf-8")
