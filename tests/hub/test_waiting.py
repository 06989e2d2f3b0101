"""A Hub that is slow, silent, overrun or dying: a sentence in time, and nobody else waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from loopback_hub import Damage, LoopbackHub, Refuse, Trickle
from tqdm.auto import tqdm
from trained_model import NAME

from landslide_zoo import LandslideModel, ModelZoo
from landslide_zoo.errors import HubError, LandslideZooError
from landslide_zoo.hub import publish_model
from landslide_zoo.hub.client import list_models
from landslide_zoo.models.downloads import download_folder

SOON = 30.0
"""Seconds that a busy machine may take over what needs no waiting."""
WEIGHTS = "^/lfs/"
"""Addresses that weights are fetched from."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is inside is over in so many seconds."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


def asking() -> list[threading.Thread]:
    """The threads that ask the Hub."""
    return [thread for thread in threading.enumerate() if thread.name == "asks the Hub"]


@pytest.mark.parametrize("seconds", [0.01, 600])
def test_weights_that_trickle_or_stall_end_in_a_sentence(
    hub: LoopbackHub, repo_id: str, seconds: float
) -> None:
    hub.faults = {WEIGHTS: Trickle(seconds)}
    with within(SOON), pytest.raises(HubError, match="was not fetched within 2 s: try again"):
        LandslideModel.from_pretrained(repo_id, timeout=2)
    for thread in asking():  # it reads no more, or its client's own limit of 10 s ends it
        thread.join(SOON)
        assert not thread.is_alive()
    hub.faults = {}
    assert LandslideModel.from_pretrained(repo_id).config.threshold == 0.4


@pytest.mark.parametrize(
    ("address", "refusal"),
    [
        ("/api/models/", Refuse(429, {"Retry-After": "600"})),
        ("/resolve/", Refuse(429, {"RateLimit": '"resolvers";r=0;t=299'})),
        (WEIGHTS, Refuse(503, {"Retry-After": "3600"})),
        (WEIGHTS, Refuse(429, {"Retry-After": "600"})),
    ],
)
def test_a_hub_that_asks_to_wait_long_is_told_at_once(
    hub: LoopbackHub, repo_id: str, address: str, refusal: Refuse
) -> None:
    hub.faults = {address: refusal}
    with within(SOON), pytest.raises(HubError, match=r"asks to wait (600|299|3600) s") as told:
        LandslideModel.from_pretrained(repo_id)
    assert str(told.value).endswith(".") and not asking()


def test_a_hub_that_asks_to_wait_a_moment_is_obeyed(hub: LoopbackHub, repo_id: str) -> None:
    hub.faults = {WEIGHTS: Refuse(429, {"Retry-After": "0"})}

    def recover() -> None:
        while not any("/lfs/" in request for request in hub.requests):
            time.sleep(0.05)
        hub.faults = {}

    recovering = threading.Thread(target=recover)
    recovering.start()
    assert LandslideModel.from_pretrained(repo_id).config.threshold == 0.4
    recovering.join()


def test_the_time_is_an_argument_or_the_environments(
    hub: LoopbackHub, repo_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.faults = {WEIGHTS: Trickle(600)}
    monkeypatch.setenv("LANDSLIDE_ZOO_TIMEOUT", "1.5")
    with pytest.raises(HubError, match=r"within 1\.5 s: try again, or allow more with LANDSLIDE"):
        ModelZoo(hub.namespace).load(NAME)
    with pytest.raises(HubError, match="within 1 s"):
        ModelZoo(hub.namespace).load(NAME, timeout=1)
    for text in ("soon", "-1", "inf"):
        monkeypatch.setenv("LANDSLIDE_ZOO_TIMEOUT", text)
        with pytest.raises(HubError, match=f"is '{text}'; it must be a number of seconds"):
            ModelZoo(hub.namespace).load(NAME)


def test_the_progress_of_the_weights_is_told(hub: LoopbackHub, repo_id: str) -> None:
    seen: list[float] = []

    class Bar(tqdm):
        def update(self, n: float | None = 1) -> bool | None:
            seen.append(n or 0)
            return super().update(n)

    folder = download_folder(repo_id, tqdm_class=Bar)
    assert sum(seen) == (folder / "model.safetensors").stat().st_size


FAULTS = {
    "a page": {".": Refuse(200, {"content-type": "text/html"}, "<html>Log in</html>")},
    "not a list": {"^/api/": Refuse(200, {"content-type": "application/json"}, '{"a": 1}')},
    "deep JSON": {"^/api/": Refuse(200, {"content-type": "application/json"}, "[" * 100_000)},
    "a teapot": {".": Refuse(418)},
    "unauthorised": {".": Refuse(401)},
    "nothing": {".": Refuse(404)},
    "a loop": {".": Refuse(302, {"location": "/api/models"})},
    "no commit": {"/resolve/": Damage(headers={"x-repo-commit": ""})},
    "a path for a commit": {"/resolve/": Damage(headers={"x-repo-commit": "../../../../evil"})},
    "another hash": {"/resolve/": Damage(headers={"etag": '"' + "0" * 64 + '"'})},
    "too much": {WEIGHTS: Damage(lambda content: content + b"x" * 5000)},
    "too little": {WEIGHTS: Damage(lambda content: content[: len(content) // 2])},
    "another config": {r"config\.json": Damage(lambda content: content.replace(b"unet", b"UNET"))},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_hub_that_answers_nonsense_is_a_sentence(
    hub: LoopbackHub, repo_id: str, fault: str, impatient_client: None
) -> None:
    hub.faults = FAULTS[fault]
    with within(SOON), pytest.raises(LandslideZooError) as told:
        LandslideModel.from_pretrained(repo_id)
    message = str(told.value)
    assert message.endswith(".") and "\n" not in message and len(message) < 600
    with within(SOON):
        zoo = ModelZoo(hub.namespace)
        assert zoo.names() in ([], [NAME]) and all("\n" not in one for one in zoo.status())


def test_a_silent_or_dead_hub_leaves_what_is_cached(hub: LoopbackHub, repo_id: str) -> None:
    LandslideModel.from_pretrained(repo_id)
    with hub.hung(), within(SOON):
        assert LandslideModel.from_pretrained(repo_id, timeout=1).config.threshold == 0.4
    hub.faults = {"/api/": Trickle(600)}
    with within(SOON):
        assert LandslideModel.from_pretrained(repo_id, timeout=1).config.threshold == 0.4
    hub.stop()
    with within(SOON):
        assert LandslideModel.from_pretrained(repo_id).config.threshold == 0.4
    with within(SOON), pytest.raises(HubError, match="cannot be reached"):
        LandslideModel.from_pretrained(f"{hub.namespace}/other")


def test_a_commit_in_the_cache_is_loaded_without_asking(hub: LoopbackHub, repo_id: str) -> None:
    zoo = ModelZoo(hub.namespace)
    zoo.load(NAME)
    hub.requests.clear()
    assert zoo.load(NAME).config.threshold == 0.4 and hub.requests == []


def test_a_listing_takes_what_comes_in_time_and_names_the_rest(
    hub: LoopbackHub, repo_id: str, model_folder: Path
) -> None:
    publish_model(model_folder, f"{hub.namespace}/slow", token=hub.token)
    hub.faults = {"/slow": Trickle(600)}
    with within(SOON):
        listing = list_models(hub.namespace, None, 3)
    assert [entry.name for entry in listing.entries] == [NAME]
    assert listing.faults == [f"{hub.namespace}/slow was not described within 3 s: try again."]
    hub.faults = {"^/api/models$": Trickle(600)}
    with within(SOON), pytest.raises(HubError, match="has not said within 1 s which models"):
        list_models(hub.namespace, None, 1)
    hub.faults = {"^/api/models$": Refuse(429, {"Retry-After": "600"})}
    with within(SOON), pytest.raises(HubError, match="asks to wait 600 s"):
        list_models(hub.namespace, None, 30)
