"""The tab Compare in a real browser."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from app_server import Server, serving
from patch_files import write_png
from playwright.sync_api import Locator, Page, expect
from visitor import column, give, open_tab, rows, sort_by

pytestmark = pytest.mark.browser


def choose(page: Page, *names: str) -> None:
    """Choose the named models and no others."""
    box = page.locator("#lz-models")
    box.get_by_title("Clear").click()
    for name in names:
        box.locator("input").fill(name)
        page.get_by_role("option", name=name, exact=True).click()
    page.keyboard.press("Escape")


def compare(page: Page) -> None:
    page.get_by_role("button", name="Compare", exact=True).click()


def cell(page: Page, model: str) -> Locator:
    return page.locator(".lz-cell", has=page.get_by_role("heading", name=model, exact=True))


def test_models_side_by_side_and_one_that_fails(page: Page, patches: Path, tmp_path: Path) -> None:
    give(page, [patches / "image_1.h5"], [patches / "mask_1.h5"])
    open_tab(page, "Compare")
    choose(page, "unreadable", "trial-14", "trial-rgb")
    compare(page)
    expect(page.locator(".lz-progress")).to_contain_text("All 3 models")
    expect(page.locator(".lz-comparison h2").first).to_have_text("image_1")
    expect(cell(page, "unreadable")).to_contain_text("safetensors")
    for name in ("trial-14", "trial-rgb"):
        expect(cell(page, name)).to_contain_text(re.compile(r"[\d.]+ ha in .* F1 .* ms"))
    expect(page.get_by_role("heading", name="All 2 together")).to_be_visible()
    for name in ("Agreement", "Mask of the mean", "Mean probability", "Disagreement"):
        expect(page.locator(".lz-together")).to_contain_text(name)
    figures = page.locator("#lz-figures")
    expect(rows(figures)).to_have_count(2)
    sort_by(figures, "Objects")
    counts = [int(text) for text in column(figures, "Objects")]
    assert counts == sorted(counts)
    with page.expect_download() as started:
        page.get_by_text("All results .zip").click()
    assert started.value.suggested_filename == "image_1_comparison.zip"
    with zipfile.ZipFile(started.value.path()) as archive:
        names = set(archive.namelist())
        one, two, mean = (
            np.load(io.BytesIO(archive.read(name)))
            for name in ("trial-14/image_1.npy", "trial-rgb/image_1.npy", "image_1.npy")
        )
    np.testing.assert_allclose(mean, (one + two) / 2, atol=1e-6)
    assert {"image_1_agreement.png", "image_1_disagreement.png", "figures.csv"} <= names


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory, zoo_folder: Path) -> Iterator[Server]:
    """The app with ten models, with memory for one of them."""
    folder = tmp_path_factory.mktemp("ten")
    for number in range(10):
        shutil.copytree(zoo_folder / "trial-rgb", folder / "zoo" / f"model-{number}")
    zoo = str(folder / "zoo")
    with serving(folder / "app", LANDSLIDE_ZOO=zoo, LANDSLIDE_ZOO_CACHE_GB="0.03") as running:
        yield running


def compare_all(page: Page, patch: Path, names: Iterable[str]) -> None:
    """Compare models and wait for the first of them."""
    give(page, [patch])
    open_tab(page, "Compare")
    choose(page, *names)
    compare(page)
    expect(page.locator(".lz-cell img").first).to_be_visible()
    expect(page.locator(".lz-waiting")).not_to_have_count(0)  # the others have yet to run


def test_one_by_one_until_cancel_stops_what_has_not_run(
    open_page: Callable[..., Page], ten: Server, tmp_path: Path
) -> None:
    page = open_page(url=ten.url)
    large = tmp_path / "large.png"  # each model takes a while
    write_png(large, 640, 640)
    compare_all(page, large, [f"model-{number}" for number in range(10)])
    page.get_by_role("button", name="Cancel").click()
    status = page.locator(".lz-progress")
    expect(status).to_contain_text(re.compile(r"Cancelled: \d of 10 models ran"))
    expect(page.locator(".lz-cell", has_text="Not run")).not_to_have_count(0)
    choose(page, "model-0", "model-9")  # the queue is free again at once
    compare(page)
    expect(status).to_contain_text("All 2 models have run")
    expect(page.locator(".lz-failed")).to_have_count(0)
