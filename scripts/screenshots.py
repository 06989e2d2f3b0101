"""Take the pictures of the app in ``docs/``: ``make screenshots``.

It starts the app with the bundled models (and those that ``LANDSLIDE_ZOO``
names), visits every tab with a sample in Chromium, and writes one PNG a tab.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
WAIT = 120_000


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


def detect(page: Page) -> None:
    """A sample, found."""
    page.locator("#lz-samples button").first.click()
    expect(page.locator(".lz-detection")).to_be_visible(timeout=WAIT)
    expect(page.locator("#lz-download")).to_be_visible(timeout=WAIT)


def compare(page: Page) -> None:
    """All models on it."""
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_text("All results .zip")).to_be_visible(timeout=WAIT)


def bands(page: Page) -> None:
    """Its layers."""
    page.get_by_role("tab", name="Bands").click()
    expect(page.locator("#lz-values")).to_be_visible(timeout=WAIT)


def map_scene(page: Page) -> None:
    """The sample scene, mapped, with its largest landslide."""
    page.get_by_role("tab", name="Map").click()
    page.locator("#lz-map-sample").click()
    expect(page.locator(".lz-mapped")).to_be_visible(timeout=WAIT)
    expect(page.locator(".lz-map .leaflet-image-layer").first).to_be_visible()


def zoo(page: Page) -> None:
    """What the zoo holds."""
    page.get_by_role("tab", name="Zoo").click()
    expect(page.locator("#lz-card-text h2").first).to_be_visible(timeout=WAIT)


def main() -> None:
    """Write a picture of each tab to ``docs/``, and the variants of Detect."""
    folder = ROOT / "docs"
    with app() as url, sync_playwright() as playwright:
        chromium = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=DESKTOP, color_scheme="light")
        page.goto(url)
        tabs = {"detect": detect, "compare": compare, "bands": bands, "map": map_scene, "zoo": zoo}
        for name, visit in tabs.items():
            visit(page)
            page.screenshot(path=folder / f"{name}.png", full_page=visit is not zoo)
        for name, viewport, scheme in (
            ("detect-dark", DESKTOP, "dark"),
            ("detect-phone", PHONE, "light"),
        ):
            page = browser.new_page(viewport=viewport, color_scheme=scheme)
            page.goto(url)
            detect(page)
            page.screenshot(path=folder / f"{name}.png", full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
