"""The page as a whole: paint, layout, access, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect
from visitor import SCREENS, barriers, give, look, open_tab

pytestmark = pytest.mark.browser

TABS = ("Detect", "Compare", "Bands", "Map", "Zoo")
# Colours change with the scheme alone, and everything else with the screen alone.
LOOKS: list[tuple[str, Literal["light", "dark"], dict[str, object]]] = [
    ("desktop", "light", {}),
    ("desktop", "dark", {"runOnly": ["color-contrast"]}),
    ("phone", "light", {"rules": {"color-contrast": {"enabled": False}}}),
]


def fill_every_tab(page: Page, patches: Path) -> None:
    """Bring a result to every tab."""
    give(page, [patches / "image_1.h5", patches / "image_2.h5"], [patches / "mask_1.h5"])
    open_tab(page, "Compare")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator(".lz-progress")).to_contain_text("models have run")
    expect(page.get_by_text("All results .zip")).to_be_visible()
    open_tab(page, "Zoo")
    expect(page.locator("#lz-card-text h2").first).to_be_visible()


def test_every_tab_can_be_read_and_reached_by_all(page: Page, patches: Path) -> None:
    fill_every_tab(page, patches)
    for (screen, scheme, options), tab in product(LOOKS, TABS):
        look(page, screen, scheme)
        expect(page.locator("body.dark")).to_have_count(int(scheme == "dark"))
        open_tab(page, tab)
        assert barriers(page, **options) == [], (screen, scheme, tab)
        used = page.locator("#lz-main").bounding_box()
        least = 0.6 * SCREENS[screen][0]
        assert used and used["width"] > least, f"{tab} leaves the {screen} empty"


def test_an_empty_page_invites_and_says_what_becomes_of_files(page: Page) -> None:
    for tab, words in (
        ("Detect", "pick a sample"),
        ("Compare", "choose the models"),
        ("Bands", "fourteen layers"),
        ("Map", "take the sample"),
    ):
        open_tab(page, tab)
        expect(page.locator(".lz-empty:visible")).to_contain_text(words)
    about = page.get_by_role("region", name="About this app")
    expect(about).to_contain_text("deleted after 60 minutes")
    expect(about).to_contain_text("Not validated for emergency use")


def test_visitors_do_not_see_each_other(open_page: Callable[..., Page], patches: Path) -> None:
    one, other = open_page(), open_page()
    give(one, [patches / "image_1.h5"])
    give(other, [patches / "image_2.h5"])
    for page, name in ((one, "image_1"), (other, "image_2")):
        slider = page.locator("#lz-threshold input[type=range]")
        slider.fill("0.2")
        expect(page.locator(".lz-detection h2")).to_contain_text(name)
        expect(page.locator(".lz-detection h2")).to_contain_text("at threshold 0.20")
