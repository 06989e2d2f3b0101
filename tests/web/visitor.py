"""What a visitor does on the page, and what the page must not do meanwhile."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Request, expect

SCREENS = {"desktop": (1440, 900), "phone": (390, 844)}


@dataclass
class Visit:
    """What a page did while a test looked at it.

    Attributes:
        errors: Errors on its console, and exceptions.
        outside: Requests that would have left loopback.
    """

    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Note what goes wrong on a page, and what it asks of others than the app."""
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if not re.match(r"(data|blob):|https?://(127\.0\.0\.1|localhost)[:/]", request.url):
            self.outside.append(request.url)


def look(page: Page, screen: str, scheme: str) -> None:
    """Look at a page on a screen, in light or dark colours."""
    width, height = SCREENS[screen]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)


def barriers(page: Page, **options: object) -> list[tuple[str, str]]:
    """What keeps people from reading or reaching what is on a page, in our own markup.

    Gradio's own parts are its makers' business. The page is not to be wider than the screen.
    """
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    found = Axe().run(page, context={"include": [[".lz"]]}, options=options)
    return [
        (one["id"], node["html"][:200])
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def give(page: Page, patches: list[Path], masks: list[Path] | None = None) -> None:
    """Give patches and masks as a visitor does, masks first, and wait for the answer."""
    if masks:
        page.locator("#lz-masks input[type=file]").set_input_files(masks)
        expect(page.locator("#lz-masks")).to_contain_text(masks[-1].suffix)
    page.locator("#lz-patches input[type=file]").set_input_files(patches)
    answer = page.locator("#lz-result .lz-detection, #lz-result .lz-problems")
    expect(answer).to_be_attached()  # the tab may be another


def choose_model(page: Page, name: str) -> None:
    """Choose a model on the tab Detect and wait for its summary."""
    page.locator("#lz-model input").click()
    page.get_by_role("option", name=name, exact=True).click()


def choose_card(page: Page, name: str) -> None:
    """Click a model's name on the leaderboard."""
    page.locator("#lz-board").get_by_role("gridcell", name=name, exact=True).click()


def open_tab(page: Page, name: str) -> None:
    """Turn to a tab."""
    page.get_by_role("tab", name=name, exact=True).click()


def pick_sample(page: Page, place: int) -> None:
    """Pick the sample of that place and wait for what is found on it."""
    page.locator("#lz-samples button").nth(place).click()
    expect(page.locator(".lz-detection")).to_be_visible()


def rows(table: Locator) -> Locator:
    """The rows of one of Gradio's tables."""
    return table.locator("[role=row]:has([role=gridcell])")


def column(table: Locator, title: str) -> list[str]:
    """A column of one of Gradio's tables, from the top."""
    heads = table.get_by_role("columnheader").all()
    titles = [head.get_attribute("title") for head in heads]
    cells = rows(table).locator(f"[role=gridcell][aria-colindex='{titles.index(title) + 1}']")
    return [text.strip() for text in cells.all_inner_texts()]


def sort_by(table: Locator, title: str) -> None:
    """Sort one of Gradio's tables by a column, the lowest first."""
    head = table.get_by_role("columnheader", name=title)
    head.hover()
    head.get_by_label("Open cell menu").click()
    choice = table.page.get_by_role("menuitem", name="Sort ascending")
    choice.click()
    expect(choice).to_be_hidden()
