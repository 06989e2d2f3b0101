"""README, cards and results say the same of the models that were measured."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from landslide_zoo.models.card import render_card
from landslide_zoo.models.config import read_config
from landslide_zoo.models.folder import bundled_folders
from landslide_zoo.models.record import Record

ROOT = Path(__file__).parents[2]


def test_readme_and_cards_are_made_from_the_results(tmp_path: Path) -> None:
    """If this fails, run ``make cards``."""
    shutil.copytree(ROOT / "model_cards", tmp_path / "model_cards")
    (tmp_path / "docs").mkdir()
    documents = [tmp_path / "README.md", tmp_path / "docs" / "evaluation.md"]
    for document in documents:
        shutil.copy(ROOT / document.relative_to(tmp_path), document)
    subprocess.run([sys.executable, ROOT / "scripts" / "leaderboard.py"], cwd=tmp_path, check=True)
    for made in [*(tmp_path / "model_cards").iterdir(), *documents]:
        assert made.read_text() == (ROOT / made.relative_to(tmp_path)).read_text()


def test_bundled_models_say_what_the_leaderboard_says() -> None:
    """If this fails, run ``python scripts/leaderboard.py landslide_zoo/models/bundled``."""
    models = json.loads((ROOT / "model_cards" / "results.json").read_text())["models"]
    listed = {model["name"]: json.dumps(model["record"]) for model in models}
    for name, folder in bundled_folders().items():
        record = Record.read(folder / "record.json")
        assert Record.model_validate_json(listed[name]) == record
        figures = [path.name for path in folder.glob("*.png")]
        card = render_card(read_config(folder / "config.json"), record, figures)
        assert (folder / "README.md").read_text(encoding="utf-8") == str(card)
