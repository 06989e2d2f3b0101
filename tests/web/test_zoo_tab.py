"""The tab Zoo in a real browser, on a folder and on a Hub."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from app_server import serving
from loopback_hub import LoopbackHub
from playwright.sync_api import Page, expect
from visitor import choose_card, choose_model, column, open_tab, pick_sample, rows, sort_by

from landslide_zoo import LandslideModel
from landslide_zoo.models.folder import bundled_folders

pytestmark = pytest.mark.browser


def test_leaderboard_keeps_protocols_apart_and_sorts(page: Page) -> None:
    open_tab(page, "Zoo")
    board = page.locator("#lz-board")
    expect(rows(board)).to_have_count(3 + len(bundled_folders()))
    heads = [head.get_attribute("title") for head in board.get_by_role("columnheader").all()]
    assert any("l4s-rgb, folder split, test (2 patches)" in head for head in heads)
    assert any("Paper's F1" in head for head in heads)
    row = rows(board).filter(has_text="trial-rgb")
    expect(row.get_by_role("gridcell", name="0.6", exact=True)).to_have_count(1)
    sort_by(board, "Size (MB)")
    sizes = [float(text) for text in column(board, "Size (MB)")]
    assert sizes == sorted(sizes)


def test_card_curves_and_code_of_the_chosen_model(page: Page) -> None:
    open_tab(page, "Zoo")
    choose_card(page, "trial-rgb")
    card = page.locator("#lz-card")
    expect(card.get_by_role("heading", name="Use trial-rgb")).to_be_visible()
    expect(page.locator("#lz-card-text")).to_contain_text("not validated for emergency use")
    expect(card.get_by_alt_text("Loss and F1 over the epochs")).to_be_visible()
    for title in ("Python", "Command line", "gradio_client", "curl", "MCP, for agents"):
        expect(card.get_by_role("heading", name=title, exact=True)).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    card.get_by_role("button", name="Copy: Python").click()
    expect(card.get_by_role("button", name="Copy: Python")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "LandslideModel.from_pretrained(" in copied and "&quot;" not in copied


def test_the_page_is_up_before_the_hub_answers(
    open_page: Callable[..., Page], hub: LoopbackHub, model_folder: Path, tmp_path: Path
) -> None:
    LandslideModel.from_folder(model_folder).push_to_hub(
        f"{hub.namespace}/late-model", token=hub.token
    )
    environment = {"LANDSLIDE_ZOO": hub.namespace, "HF_HUB_ETAG_TIMEOUT": "120"}
    with ExitStack() as silence:
        silence.enter_context(hub.hung())
        with serving(tmp_path / "server", **environment) as server:
            page = open_page(url=server.url)
            open_tab(page, "Zoo")
            board = page.locator("#lz-board")
            status = page.locator("#lz-zoo-status")
            expect(status).to_contain_text("Asking the Hub")
            expect(board).not_to_contain_text("late-model")
            silence.close()  # now the Hub answers
            expect(board).to_contain_text("late-model", timeout=30_000)
            expect(status).not_to_contain_text("Asking the Hub")
            choose_card(page, "late-model")
            expect(page.locator("#lz-card")).to_contain_text(f"{hub.namespace}/late-model")
            open_tab(page, "Detect")
            choose_model(page, "late-model")
            note_everything_shown(page)
            pick_sample(page, 0)
            expect(page.locator(".lz-detection h2")).to_contain_text("late-model", timeout=60_000)
            assert "Fetching late-model from the Hub" in page.evaluate("window.shown.join()")
            page.close()


def note_everything_shown(page: Page) -> None:
    """Keep whatever the result's place says, however briefly."""
    page.evaluate(
        """() => {
          window.shown = [];
          const result = document.querySelector("#lz-result");
          new MutationObserver(() => window.shown.push(result.innerText))
            .observe(result, { subtree: true, childList: true, characterData: true });
        }"""
    )
