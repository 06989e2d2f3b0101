"""A published model for the tests of the Hub, over Xet and without."""

from __future__ import annotations

from pathlib import Path

import pytest
from loopback_hub import LoopbackHub
from trained_model import NAME

from landslide_zoo.zoo import publish_model


@pytest.fixture(params=["xet", "lfs"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How large files travel: as the client wants it, and with HF_HUB_DISABLE_XET=1."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", request.param == "lfs")
    return request.param


@pytest.fixture
def repo_id(hub: LoopbackHub, model_folder: Path) -> str:
    """A published model."""
    repo_id = f"{hub.namespace}/{NAME}"
    publish_model(model_folder, repo_id, token=hub.token)
    hub.requests.clear()
    return repo_id
