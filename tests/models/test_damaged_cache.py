"""A damaged file in the Hub's cache is fetched once more; what stays damaged is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from loopback_hub import Damage, LoopbackHub

from landslide_zoo import LandslideModel
from landslide_zoo.errors import HubError, ModelError

WEIGHTS = "^/lfs/"


@pytest.fixture
def repo_id(hub: LoopbackHub, model_folder: Path) -> str:
    """A published model that the cache holds."""
    repo_id = f"{hub.namespace}/trial-rgb"
    LandslideModel.from_pretrained(model_folder).push_to_hub(repo_id, token=hub.token)
    LandslideModel.from_pretrained(repo_id)
    return repo_id


def cached(hub: LoopbackHub, repo_id: str, name: str) -> Path:
    """A file in the client's cache."""
    return Path(hub.api().hf_hub_download(repo_id, name)).resolve()


def truncate(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    """One bit of the last number is another."""
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("model.safetensors", truncate),
        ("model.safetensors", flip),
        ("config.json", lambda content: b""),
        ("record.json", flip),
    ],
)
def test_a_damaged_file_is_fetched_once_more(
    hub: LoopbackHub, repo_id: str, name: str, change: Callable[[bytes], bytes]
) -> None:
    file = cached(hub, repo_id, name)
    file.write_bytes(change(file.read_bytes()))
    assert LandslideModel.from_pretrained(repo_id).config.threshold == 0.4
    hub.requests.clear()
    commit = hub.api().model_info(repo_id).sha
    assert LandslideModel.from_pretrained(repo_id, revision=commit).config.threshold == 0.4
    assert not [request for request in hub.requests if "/resolve/" in request]  # it is whole again


@pytest.mark.parametrize("change", [truncate, flip])
def test_what_every_download_damages_is_named_with_what_to_do(
    hub: LoopbackHub, repo_id: str, change: Callable[[bytes], bytes]
) -> None:
    file = cached(hub, repo_id, "model.safetensors")
    file.write_bytes(change(file.read_bytes()))
    hub.faults = {WEIGHTS: Damage(flip)}
    with pytest.raises(ModelError) as refused:
        LandslideModel.from_pretrained(repo_id)
    message = str(refused.value)
    assert str(hub.namespace) in message
    assert "is damaged on its way from the Hub: try again" in message


def test_what_is_damaged_on_the_way_is_not_kept(hub: LoopbackHub, model_folder: Path) -> None:
    repo_id = f"{hub.namespace}/other"
    LandslideModel.from_pretrained(model_folder).push_to_hub(repo_id, token=hub.token)
    hub.faults = {WEIGHTS: Damage(flip)}
    with pytest.raises(HubError, match=r"examples\.png of .* is damaged on its way"):
        LandslideModel.from_pretrained(repo_id)
    hub.faults = {}
    assert LandslideModel.from_pretrained(repo_id).config.threshold == 0.4


def test_a_repo_that_is_wrong_itself_is_fetched_once(
    hub: LoopbackHub, repo_id: str, model_folder: Path
) -> None:
    weights = hub.api()
    weights.upload_file(
        path_or_fileobj=b"no weights", path_in_repo="model.safetensors", repo_id=repo_id
    )
    for _ in range(2):
        hub.requests.clear()
        with pytest.raises(ModelError, match="safetensors"):
            LandslideModel.from_pretrained(repo_id)
    assert not [request for request in hub.requests if "/lfs/" in request]


def test_a_damaged_file_and_no_hub(hub: LoopbackHub, repo_id: str) -> None:
    file = cached(hub, repo_id, "config.json")
    file.write_bytes(b"{")
    hub.stop()
    with pytest.raises(
        ModelError, match=r"config\.json describes no model .* again now: .*reached"
    ):
        LandslideModel.from_pretrained(repo_id)
    hub.start()
    assert LandslideModel.from_pretrained(repo_id).config.threshold == 0.4
