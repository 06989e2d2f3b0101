"""``publish``: a model folder or the app goes to the Hub, and comes back by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Command
from loopback_hub import LoopbackHub


@pytest.fixture
def owner(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> LoopbackHub:
    """The Hub, with the owner's token where its client looks for it."""
    monkeypatch.setenv("HF_TOKEN", hub.token)
    return hub


def test_what_is_published_is_listed_and_loaded_by_name(
    command: Command,
    owner: LoopbackHub,
    model_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repo_id = f"{owner.namespace}/trial-rgb"
    answer = command("publish", model_folder, repo_id)
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.strip().endswith(owner.api().model_info(repo_id).sha)
    assert not owner.api().model_info(repo_id).private
    monkeypatch.setenv("LANDSLIDE_ZOO", owner.namespace)
    assert "trial-rgb" in command("models").out


def test_the_app_itself(command: Command, owner: LoopbackHub) -> None:
    repo_id = f"{owner.namespace}/landslide-zoo"
    answer = command("publish", "--space", repo_id)
    assert (answer.status, answer.err) == (0, "")
    files = owner.api().list_repo_files(repo_id, repo_type="space")
    assert {"README.md", "space_app.py", "requirements.txt"} <= set(files)
    assert "landslide_zoo/cli/__init__.py" in files
