"""Hostile files, cards and clients: the app answers in a sentence, and others hardly notice."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from app_server import Server, serving
from hostile_files import CARD, FILES
from playwright.sync_api import Page, expect
from rest_client import Rest
from visitor import choose_card, open_tab

MEGABYTE = 2**20


@pytest.fixture(scope="module")
def warm(server: Server, patches: Path) -> Rest:
    """A client of the app, whose default model is loaded and readers are running."""
    rest = Rest(server.url)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: rest.detect(patches / "image_1.h5"), range(8)))
    return rest


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_harms_nobody(
    name: str,
    warm: Rest,
    server: Server,
    patches: Path,
    tmp_path: Path,
) -> None:
    hostile = tmp_path / name
    FILES[name](hostile)
    usual = seconds(lambda: warm.detect(patches / "image_1.h5"))
    process = psutil.Process(server.process.pid)
    before, peak = process.memory_info().rss, 0
    with ThreadPoolExecutor(2) as pool:
        attack = pool.submit(warm.detect, hostile)
        other = pool.submit(seconds, lambda: warm.detect(patches / "image_1.h5"))
        while not (attack.done() and other.done()):
            peak = max(peak, process.memory_info().rss - before)
            time.sleep(0.02)
    event, answer = attack.result()
    if event == "error":
        assert 20 < len(answer["error"]) < 400 and str(tmp_path) not in answer["error"]
    else:
        assert name == "text.png"  # its pixels are fine
    assert other.result() < usual + 3
    assert peak < 300 * MEGABYTE


def seconds(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


@pytest.mark.browser
def test_an_untrusted_card_can_do_nothing(
    open_page: Callable[..., Page], zoo_folder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(zoo_folder / "trial-rgb", tmp_path / "zoo" / "markup"))
    (folder / "README.md").write_text(CARD)
    with serving(tmp_path, LANDSLIDE_ZOO=str(folder.parent)) as server:
        page = open_page(url=server.url)
        open_tab(page, "Zoo")
        choose_card(page, "markup")
        card = page.locator("#lz-card-text")
        expect(card).to_contain_text("A card <script>")  # shown, not run
        expect(card.locator("td")).to_have_text(["1", "2"])
        assert card.locator("img, script").count() == 0
        assert card.locator("a[href^=javascript]").count() == 0
        card.get_by_text("press me").click()
        assert page.title() == "Landslide Zoo"
        page.close()
        assert str(folder) not in httpx.get(server.url).text
