"""The tab Bands in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from visitor import column, give, open_tab, rows

from landslide_zoo import read_patch
from landslide_zoo.data.bands import BAND_NAMES, BANDS

pytestmark = pytest.mark.browser


def values(page: Page, title: str) -> list[str]:
    """A column of the table of bands."""
    return column(page.locator("#lz-values"), title)


def test_every_layer_with_its_name_unit_and_range(page: Page, real_data: Path) -> None:
    folder = real_data / "l4s-14band"
    path, mask = folder / "images" / "image_150.h5", folder / "annotations" / "mask_150.h5"
    give(page, [path], [mask])
    open_tab(page, "Bands")
    expect(rows(page.locator("#lz-values"))).to_have_count(14)
    assert values(page, "Band") == list(BAND_NAMES)
    patch = read_patch(path)
    assert values(page, "Unit") == [band.unit for band in BANDS]
    assert values(page, "Lowest") == [f"{band.min():.0f}" for band in patch.values]
    assert values(page, "Highest") == [f"{band.max():.0f}" for band in patch.values]
    for name in ("True colour", "False colour", "NDVI", "Hillshade", *BAND_NAMES):
        page.locator("#lz-bands").get_by_label(name, exact=True).check()
        shown = page.locator(".lz-stack img[data-layer]:visible")
        expect(shown).to_have_count(1)
        expect(shown).to_have_attribute("alt", f"{name} of image_150")
    expect(page.locator("img.lz-truth")).to_be_visible()


def test_a_click_reads_the_pixel(page: Page, patches: Path) -> None:
    path = patches / "image_1.h5"
    give(page, [path], [patches / "mask_1.h5"])
    open_tab(page, "Bands")
    stack = page.locator("[data-probe]")
    expect(stack).to_be_visible()
    box = stack.bounding_box()
    assert box is not None
    x, y = 100, 30  # column and row
    stack.click(
        position={"x": (x + 0.5) * box["width"] / 128, "y": (y + 0.5) * box["height"] / 128}
    )
    expect(page.locator("#lz-at-pixel h3")).to_contain_text(f"row {y}, column {x}")
    patch = read_patch(path, patches / "mask_1.h5")
    assert values(page, "At the pixel") == [f"{value:.0f}" for value in patch.values[:, y, x]]
    expect(page.get_by_label("Row")).to_have_value(str(y))
    assert patch.mask is not None
    row, column = (int(places[0]) for places in patch.mask.nonzero())
    page.get_by_label("Row").fill(str(row))
    page.get_by_label("Column").fill(str(column))
    expect(page.locator("#lz-at-pixel h3")).to_have_text(
        f"Pixel at row {row}, column {column}: landslide in the known mask"
    )
    assert values(page, "At the pixel") == [
        f"{value:.0f}" for value in patch.values[:, row, column]
    ]
