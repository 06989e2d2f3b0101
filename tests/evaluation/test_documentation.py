"""The library example of docs/evaluation.md does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from labelled_data import write_pair

DOCUMENT = Path(__file__).parents[2] / "docs" / "evaluation.md"


def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_folder: Path
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    for number in (1, 9, 17, 25, 33):  # five blocks, so that there are intervals
        write_pair(tmp_path / "l4s-rgb", number, "validation")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code.replace("unet-mobilenet_v2-rgb", str(model_folder)), names)
    assert names["other"].augmented  # type: ignore[attr-defined]
