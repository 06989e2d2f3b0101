"""A published model for the tests of the Hub."""

from __future__ import annotations

from pathlib import Path

import pytest
from loopback_hub import LoopbackHub
from trained_model import NAME

from landslide_zoo.zoo import publish_model


@pytest.fixture
def repo_id(hub: LoopbackHub, model_folder: Path) -> str:
    """A published model with a tag."""
    repo_id = f"{hub.namespace}/{NAME}"
    publish_model(model_folder, repo_id, token=hub.token, tag="v1.0")
    hub.requests.clear()
    return repo_id
