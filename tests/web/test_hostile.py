"""Hostile files and cards: the app answers in a sentence, and others hardly notice."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import httpx
import psutil
import pytest
from app_server import Server
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


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A small patch within one chunk that unpacks to a quarter of a gigabyte."""
    path = tmp_path / "large-chunk.h5"
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((14, 32, 32), (14, h5py.h5s.UNLIMITED, h5py.h5s.UNLIMITED))
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((14, 1500, 1500))
        plist.set_deflate(9)
        dataset = h5py.h5d.create(file.id, b"img", h5py.h5t.NATIVE_DOUBLE, space, plist)
        dataset.write_direct_chunk((0, 0, 0), zlib.compress(bytes(14 * 1500 * 1500 * 8)))
    return path


def test_a_hostile_file_harms_nobody(
    hostile: Path, warm: Rest, server: Server, patches: Path
) -> None:
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
    assert event == "error"
    assert 20 < len(answer["error"]) < 400 and str(hostile.parent) not in answer["error"]
    assert other.result() < usual + 10
    assert peak < 300 * MEGABYTE


def seconds(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


@pytest.mark.browser
def test_an_untrusted_card_can_do_nothing(page: Page, server: Server, zoo_folder: Path) -> None:
    open_tab(page, "Zoo")
    choose_card(page, "trial-14")
    card = page.locator("#lz-card-text")
    expect(card).to_contain_text("A card <script>")  # shown, not run
    expect(card.locator("td")).to_have_text(["1", "2"])
    assert card.locator("img, script").count() == 0
    assert card.locator("a[href^=javascript]").count() == 0
    card.get_by_text("press me").click()
    assert page.title() == "Landslide Zoo"
    assert str(zoo_folder) not in httpx.get(server.url).text
