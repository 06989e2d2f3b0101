"""The tab Map in a real browser."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from playwright.sync_api import Page, expect
from rasterio.warp import transform
from visitor import SCREENS, barriers, look, open_tab

from landslide_zoo.web.samples import PUTHUMALA

pytestmark = pytest.mark.browser

WAIT = 300_000


def areas(page: Page) -> list[float]:
    """The areas in the table, from the top."""
    cells = page.locator(".lz-map-list tbody td:nth-child(2)").all_inner_texts()
    return [float(text.replace(",", "")) for text in cells]


def check_list_and_outlines(page: Page) -> None:
    """The largest comes first, and a click on it shows it on the map."""
    found = areas(page)
    assert found == sorted(found, reverse=True) and 10 < found[0] < 30
    outlines = page.locator(".lz-map path.leaflet-interactive")
    expect(outlines).to_have_count(len(found))
    page.locator(".lz-map-list tbody tr").first.click()
    popup = page.locator(".leaflet-popup")
    expect(popup).to_contain_text("Landslide 1")
    expect(popup).to_contain_text(f"{found[0]:.2f} ha")
    for name in ("Length x width", "Mean slope", "Elevation range", "Mean NDVI", "Centre"):
        expect(popup).to_contain_text(name)
    expect(page.locator(".lz-map-list tr[aria-current]")).to_have_count(1)


def check_layers_and_coordinates(page: Page) -> None:
    """Layers are switched, and where the pointer is is said."""
    pictures = page.locator(".lz-map .leaflet-image-layer")
    expect(pictures).to_have_count(2)  # true colour, and what is not observed
    page.get_by_label("False colour").check()
    expect(page.get_by_alt_text("False colour of puthumala")).to_be_visible()
    expect(page.get_by_alt_text("True colour of puthumala")).to_have_count(0)
    page.get_by_label("Probability", exact=True).check()
    page.get_by_label("Not observed").uncheck()
    expect(page.get_by_alt_text("Probability of puthumala")).to_be_visible()
    expect(page.get_by_alt_text("Not observed of puthumala")).to_have_count(0)
    page.get_by_role("checkbox", name=re.compile(r"^Landslides \(")).uncheck()
    expect(page.locator(".lz-map path.leaflet-interactive")).to_have_count(0)
    for picture in pictures.all():
        assert picture.evaluate("e => e.complete && e.naturalWidth") == 581
    page.get_by_alt_text("False colour of puthumala").hover(force=True)
    with rasterio.open(PUTHUMALA.path) as file:
        middle = file.xy(file.height / 2, file.width / 2)
        xs, ys = transform(file.crs, "EPSG:4326", *([one] for one in middle))
    place = page.locator(".lz-map-place").inner_text()
    latitude, longitude = (
        float(part.split("\N{DEGREE SIGN}")[0]) for part in place.split(", ")[:2]
    )
    assert (latitude, longitude) == pytest.approx((ys[0], xs[0]), abs=2e-4)


def check_screen(page: Page, screen: str) -> None:
    """On a screen of this size, in light and in dark, the map is read and reached by all."""
    look(page, screen, "light")
    listed = page.locator(".lz-map-list")
    listed.locator("tbody tr").first.click()
    popup, canvas = page.locator(".leaflet-popup"), page.locator(".lz-map-canvas")
    expect(popup).to_be_visible()
    expect(canvas).to_be_in_viewport(ratio=0.99)
    edges = [one.evaluate("e => e.getBoundingClientRect().right") for one in (popup, canvas)]
    assert edges[0] <= edges[1]
    assert listed.evaluate("e => e.scrollWidth <= e.clientWidth")
    for scheme in ("light", "dark"):
        look(page, screen, scheme)
        expect(page.locator("body.dark")).to_have_count(int(scheme == "dark"))
        assert barriers(page) == [], scheme
        box = canvas.bounding_box()
        least = 0.6 if screen == "desktop" else 0.9
        assert box and box["width"] > least * SCREENS[screen][0]


def check_threshold_and_smallest_area(page: Page) -> None:
    """They redraw the same map, and what is downloaded is what is shown."""
    before = areas(page)
    address = page.get_by_alt_text("True colour of puthumala").get_attribute("src")
    page.locator("#lz-map-threshold input[type=range]").fill("0.8")
    expect(page.locator(".lz-mapped h2")).to_contain_text("at threshold 0.80", timeout=WAIT)
    stricter = areas(page)
    assert 0 < sum(stricter) < sum(before)
    page.locator("#lz-map-area input").fill("5")
    expect(page.locator(".lz-map-list tbody tr")).to_have_count(1, timeout=WAIT)
    # The pictures are those of the first time: nothing else was computed.
    assert page.get_by_alt_text("True colour of puthumala").get_attribute("src") == address
    with page.expect_download(timeout=WAIT) as started:
        page.locator("#lz-map-download").click()
    assert started.value.suggested_filename == "puthumala.zip"
    with zipfile.ZipFile(started.value.path()) as archive:
        mask = io.BytesIO(archive.read("puthumala_mask.tif"))
        assert len(archive.namelist()) == 5
    with rasterio.open(mask) as file:
        assert (file.read(1) == 1).sum() / 100 == pytest.approx(stricter[0], abs=0.01)


def map_sample(page: Page) -> None:
    """Map the sample and wait for it."""
    open_tab(page, "Map")
    page.locator("#lz-map-sample").click()
    expect(page.locator(".lz-mapped")).to_be_visible(timeout=WAIT)
    expect(page.locator(".lz-map .leaflet-image-layer").first).to_be_visible()


def test_the_map_on_a_phone(open_page: Callable[..., Page]) -> None:
    page = open_page(screen="phone")
    map_sample(page)
    check_screen(page, "phone")


def test_the_sample_is_one_click_and_its_map_is_looked_into(page: Page) -> None:
    map_sample(page)
    expect(page.locator("#lz-map-inputs")).to_contain_text("modified Copernicus Sentinel data")
    expect(page.locator("#lz-map-inputs")).to_contain_text("Copernicus GLO-30 (DLR, Airbus; ESA)")
    check_list_and_outlines(page)
    check_screen(page, "desktop")
    look(page, "desktop", "light")
    check_threshold_and_smallest_area(page)
    check_layers_and_coordinates(page)


def test_stop_ends_a_map(page: Page, tmp_path: Path) -> None:
    open_tab(page, "Map")
    scene = tmp_path / "large.tif"
    profile = {"driver": "GTiff", "height": 2000, "width": 2000, "count": 3, "dtype": "uint16"}
    with rasterio.open(scene, "w", **profile) as file:
        values = np.random.default_rng(0).integers(1, 2000, (3, 2000, 2000), np.uint16)
        file.write(values)
        file.descriptions = ("B4", "B3", "B2")
    page.locator("#lz-map-scene input[type=file]").set_input_files(scene)
    expect(page.locator("#lz-map-scene")).to_contain_text("large")
    page.locator("#lz-map-run").click()
    expect(page.locator("#lz-map-page .lz-progress")).to_be_visible(timeout=WAIT)
    page.locator("#lz-map-stop").click()
    expect(page.locator("#lz-map-page")).to_contain_text("Stopped")
    page.wait_for_timeout(1500)
    expect(page.locator("#lz-map-page")).to_contain_text("Stopped")
