"""The tab Detect in a real browser."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Download, Page, expect
from visitor import choose_model, column, give, pick_sample, rows, sort_by

from landslide_zoo import read_mask
from landslide_zoo.web.samples import samples

pytestmark = pytest.mark.browser


def tile(page: Page, title: str) -> str:
    """The value of a figure."""
    box = page.locator(".lz-tile", has=page.get_by_text(title, exact=True))
    return box.locator(".lz-number").inner_text()


def download(page: Page) -> Download:
    with page.expect_download() as started:
        page.locator("#lz-download").click()
    return started.value


def test_a_sample_is_one_click_and_says_whose_it_is(page: Page) -> None:
    for place, sample in enumerate(samples()):
        pick_sample(page, place)
        expect(page.locator(".lz-detection h2")).to_contain_text(sample.path.stem)
        expect(page.locator(".lz-about")).to_contain_text(sample.caption)
        expect(page.locator(".lz-about")).to_contain_text("CC BY 4.0")
    expect(page.locator(".lz-detection")).to_contain_text("holds no landslide")
    pick_sample(page, 0)
    expect(page.locator(".lz-detection h2")).to_contain_text(samples()[0].path.stem)
    for title in ("Area", "Share", "Objects", "Largest", "Time", "F1", "IoU"):
        assert re.match(r"[\d,.]+$", tile(page, title)), title
    known = read_mask(samples()[0].path).sum() / 100
    expect(page.locator(".lz-tiles")).to_contain_text(f"known: {known:.2f}")


def test_a_model_runs_once_and_another_threshold_not_at_all(page: Page, patches: Path) -> None:
    give(page, [patches / "image_1.h5"])
    posts: list[str] = []
    page.on("request", lambda one: posts.append(one.post_data or "") if one.method == "POST" else 0)
    page.get_by_role("button", name="Clouds and rules").click()
    rule = page.locator("#lz-rules").get_by_role("checkbox").first
    rule.uncheck()
    choose_model(page, "trial-rgb")
    title = page.locator(".lz-detection h2")
    expect(title).to_contain_text("trial-rgb at threshold 0.40")
    assert sum('null,"trial-rgb",' in data for data in posts) == 1
    expect(rule).not_to_be_checked()  # nor is it applied
    slider = page.locator("#lz-threshold input[type=range]")
    assert float(slider.input_value()) == pytest.approx(0.4)
    area, time = tile(page, "Area"), tile(page, "Time")
    slider.focus()
    slider.press("End")
    expect(title).to_contain_text("threshold 1.00")
    assert tile(page, "Area") == "0.00" != area
    assert tile(page, "Time") == time  # the network's time: it did not run again


def test_layers_and_before_after_slider(page: Page, patches: Path) -> None:
    give(page, [patches / "image_1.h5"], [patches / "mask_1.h5"])
    shown = page.locator(".lz-over img:visible")
    for name, layer in (
        ("Probability", "probability"),
        ("Mask", "mask"),
        ("Against the known mask", "errors"),
        ("Outlines", "overlay"),
    ):
        page.get_by_label(name, exact=True).check()
        expect(shown).to_have_count(1)
        expect(shown).to_have_attribute("data-layer", layer)
    page.get_by_label("Probability", exact=True).check()
    bar = page.get_by_role("img", name="Landslide probability, from 0 to 1")
    expect(bar).to_be_visible()
    over = page.locator(".lz-over")
    before = over.evaluate("e => getComputedStyle(e).clipPath")
    page.locator("[data-split]").fill("70")
    assert over.evaluate("e => getComputedStyle(e).clipPath") != before
    assert "70%" in over.evaluate("e => getComputedStyle(e).clipPath")


def test_many_files_in_a_table_that_sorts(page: Page, patches: Path, no_patch: Path) -> None:
    names = ["image_1.h5", "image_2.h5", "image_3.h5"]
    masks = [patches / "mask_1.h5", patches / "mask_2.h5"]
    give(page, [patches / names[0], no_patch, *(patches / name for name in names[1:])], masks)
    expect(page.locator("#lz-batch-problems .lz-problems")).to_have_text(
        "notes.h5 is neither an HDF5 file nor a PNG picture: give a Landslide4Sense "
        ".h5 patch or a true-colour PNG."
    )
    batch = page.locator("#lz-batch")
    expect(rows(batch)).to_have_count(3)
    scores = column(batch, "F1")
    assert scores[0] != "" and scores[2] == ""  # no mask was given for the third
    batch.get_by_role("gridcell", name="image_3").click()
    expect(page.locator(".lz-detection h2")).to_contain_text("image_3")
    with zipfile.ZipFile(download(page).path()) as archive:
        held = archive.namelist()
    assert {"image_1.npy", "mask_2.h5", "image_3_overlay.png", "image_1_objects.csv"} <= set(held)
    assert "figures.csv" in held and not any("notes" in name for name in held)
    sort_by(batch, "Area (ha)")
    areas = [float(text) for text in column(batch, "Area (ha)")]
    assert areas == sorted(areas)
    last = column(batch, "Patch")[-1]
    rows(batch).last.get_by_role("gridcell").first.click()  # the row as sorted, not as given
    expect(page.locator(".lz-detection h2")).to_contain_text(last)


def test_what_is_wrong_is_one_sentence_and_nothing_else_is_shown(
    page: Page, no_patch: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "photo.png"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(picture)
    problem, downloads = page.locator("#lz-result .lz-problems"), page.locator("#lz-download")
    give(page, [no_patch])
    expect(problem).to_have_text(
        "notes.h5 is neither an HDF5 file nor a PNG picture: give a Landslide4Sense "
        ".h5 patch or a true-colour PNG."
    )
    expect(page.locator(".lz-tiles")).to_have_count(0)
    expect(downloads).to_be_hidden()
    assert "Traceback" not in page.content()
    page.locator("#lz-patches").get_by_label("Clear").click()
    expect(page.locator("#lz-result .lz-empty")).to_be_visible()
    give(page, [picture])
    choose_model(page, "trial-14")
    expect(problem).to_contain_text("needs physical values")
    card = page.locator("#lz-summary")
    expect(card).to_contain_text("its weights are random")
    choose_model(page, "trial-rgb")
    expect(page.locator(".lz-detection .lz-notices")).to_contain_text("B4, B3, B2 of photo")
    for words in (
        "0.60 on l4s-rgb, folder split, test",
        "40 % of the pixels it marks",
        "true colour (B4, B3, B2)",
        "apache-2.0",
    ):
        expect(card).to_contain_text(words)
    expect(downloads).to_be_visible()
    page.locator("#lz-patches").get_by_label("Clear").click()
    expect(page.locator("#lz-result .lz-empty")).to_be_visible()
    expect(downloads).to_be_hidden()


def test_by_keyboard_alone(page: Page) -> None:
    page.locator("#lz-samples button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".lz-detection")).to_be_visible()
    page.get_by_label("Outlines", exact=True).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".lz-over img:visible")).to_have_attribute("data-layer", "probability")
    split = page.locator("[data-split]")
    split.focus()
    page.keyboard.press("End")
    assert split.input_value() == "100"
