"""The tab Zoo in a real browser, on a folder and on a Hub."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from visitor import choose_card, column, open_tab, rows, sort_by

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
