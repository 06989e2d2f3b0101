"""A model that a visitor names by its id on the Hub."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_server import Server
from huggingface_hub import HfApi
from loopback_hub import LoopbackHub
from playwright.sync_api import Page, expect
from rest_client import Rest
from visitor import open_tab, pick_sample

from landslide_zoo import LandslideModel, ModelZoo
from landslide_zoo.errors import ModelError
from landslide_zoo.settings import Settings
from landslide_zoo.web.service import Service


@pytest.fixture
def repo(hub: LoopbackHub, model_folder: Path) -> str:
    """A model of somebody, whom the zoo does not name."""
    name = f"{hub.namespace}/by-id"
    LandslideModel.from_folder(model_folder).push_to_hub(name, token=hub.token)
    return name


def test_the_api_takes_it_and_refuses_what_is_no_model(
    server: Server, repo: str, hub: LoopbackHub, patches: Path
) -> None:
    rest = Rest(server.url)
    event, answer = rest.detect(patches / "image_1.h5", model=repo)
    assert event == "complete" and answer[0]["model"] == repo
    other = f"{hub.namespace}/other"
    api = HfApi(token=hub.token)
    api.create_repo(other)
    api.upload_file(path_or_fileobj=b"# No model", path_in_repo="README.md", repo_id=other)
    for name, words in ((other, "not a model of this zoo"), (f"{repo}-gone", "no repo")):
        event, answer = rest.detect(patches / "image_1.h5", model=name)
        assert event == "error" and words in answer["error"]


def test_an_owner_switches_it_off(repo: str) -> None:
    with pytest.raises(ModelError, match="no other models"):
        Service(ModelZoo(), Settings(hub_models=False)).folder(repo)


@pytest.mark.browser
def test_it_is_typed_and_stays_for_the_visit(page: Page, repo: str) -> None:
    pick_sample(page, 0)
    box = page.locator("#lz-model input")
    box.fill(repo)
    box.press("Enter")
    expect(page.locator("#lz-summary")).to_contain_text(repo.partition("/")[0])
    page.get_by_role("button", name="Find landslides").click()
    expect(page.locator(".lz-detection h2")).to_contain_text(repo)
    open_tab(page, "Compare")
    page.locator("#lz-models input").click()
    expect(page.get_by_role("option", name=repo, exact=True)).to_be_visible()
