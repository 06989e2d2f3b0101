"""Take the pictures of the app in ``docs/``: ``make screenshots``.

It starts the app with the bundled models (and those that ``LANDSLIDE_ZOO``
names), visits it in Chromium as a newcomer would, and writes one PNG a step.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
WAIT = 120_000
AREA = "76.129, 11.497, 76.143, 11.505"


@contextmanager
def app() -> Iterator[str]:
    """The app's address, while it runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port)}
    process = subprocess.Popen([sys.executable, str(ROOT / "space_app.py")], env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait()


def sample(page: Page, place: int) -> None:
    """The sample of that place, found, with what is possible beside it."""
    page.locator("#lz-samples button").nth(place).click()
    expect(page.locator(".lz-detection")).to_be_visible(timeout=WAIT)
    expect(page.locator("#lz-download")).to_be_visible(timeout=WAIT)
    page.wait_for_timeout(2000)  # until the page has drawn the last one picked


def compare(page: Page) -> None:
    """All models on it."""
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_text("All results .zip")).to_be_visible(timeout=WAIT)


def map_part(page: Page) -> None:
    """The part of the sample scene that matters, mapped."""
    page.get_by_role("button", name="Sample scene").click()
    expect(page.locator(".lz-mapped")).to_be_visible(timeout=WAIT)
    page.locator("#lz-map-aoi input, #lz-map-aoi textarea").fill(AREA)
    page.locator("#lz-map-run").click()
    expect(page.locator(".lz-mapped .lz-notices")).to_contain_text("was read", timeout=WAIT)
    expect(page.locator(".lz-map .leaflet-image-layer").first).to_be_visible()
    page.get_by_label("Possible landslides (").check()


def main() -> None:
    """Write a picture of each step of a first visit to ``docs/``."""
    folder = ROOT / "docs"
    with app() as url, sync_playwright() as playwright:
        chromium = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=DESKTOP, color_scheme="light")
        page.goto(url)
        expect(page.locator("#lz-samples button").first).to_be_visible(timeout=WAIT)
        steps: dict[str, Callable[[], None]] = {
            "page": lambda: None,
            "detect": lambda: sample(page, 0),
            "detect-second": lambda: sample(page, 1),
            "compare": lambda: compare(page),
            "map": lambda: map_part(page),
        }
        for name, take in steps.items():
            take()
            page.screenshot(path=folder / f"{name}.png", full_page=True)
        page = browser.new_page(viewport=PHONE, color_scheme="light")
        page.goto(url)
        sample(page, 0)
        page.screenshot(path=folder / "detect-phone.png", full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
