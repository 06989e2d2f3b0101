"""``models``: what the zoo holds, for people and for programs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from command_line import MAIN, Command

from landslide_zoo import ModelZoo


@pytest.fixture
def zoo(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one trained model, named by the environment."""
    monkeypatch.setenv("LANDSLIDE_ZOO", str(model_folder.parent))
    return model_folder.parent


def test_the_table(command: Command, zoo: Path) -> None:
    answer = command("models")
    assert (answer.status, answer.err) == (0, "")
    header, *rows = answer.out.splitlines()
    assert header.split() == ["name", "bands", "size", "F1", "protocol", "source", "revision"]
    assert [row.split()[0] for row in rows] == ModelZoo().names()
    row = next(row for row in rows if row.startswith("trial-rgb"))
    for text in ("B4 B3 B2", "13.4 MB", "0.6000", "folder, test", str(zoo)):
        assert text in row
    for title in ("bands", "source"):  # columns are aligned
        start = header.index(title)
        assert all(row[start - 2 : start].isspace() and row[start] != " " for row in rows)


@pytest.mark.parametrize("variable", ["HF_ENDPOINT", "HF_HUB_CACHE"])
def test_a_hub_that_is_set_up_wrong_does_not_hide_the_bundled_models(
    variable: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no cache")
    wrong = {"HF_ENDPOINT": "http://[bad", "HF_HUB_CACHE": str(tmp_path / "file")}
    environment = os.environ | {"LANDSLIDE_ZOO": "someone", variable: wrong[variable]}
    done = subprocess.run([*MAIN, "models"], env=environment, capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert "unet-mobilenet_v2-rgb" in done.stdout
    assert "Warning: " in done.stderr and "someone" in done.stderr
