"""The report: one file that stands alone, says what was found and what is not known."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from mapped_scenes import FIELD, Slope, found_on
from PIL import Image

from landslide_zoo.mapping.landslides import Landslides
from landslide_zoo.mapping.report import render_report
from landslide_zoo.mapping.scenes import Scene

VOID = {"meta", "image", "rect", "br"}


class Page(HTMLParser):
    """The words, tags and addresses of a page; fails where a tag is not closed in its order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in ("href", "src")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words += f" {data.strip()}" if data.strip() else ""


def scene_with(tmp_path: Path, slope: Slope, **options: object) -> tuple[Scene, Landslides]:
    scene, probabilities = slope.open(tmp_path, **options)
    return scene, found_on(scene, probabilities)


def a_slope() -> Slope:
    slope = Slope(200, 300)
    for number in range(25):
        row, column = 10 + 30 * (number // 5), 10 + 50 * (number % 5)
        slope.put(slice(row, row + 4), slice(column, column + 5 + number))
    slope.put(slice(170, 190), slice(10, 40), surface=FIELD)
    slope.observed[:, 270:] = False
    slope.cloud[:100, 270:] = True
    return slope


def test_it_stands_alone(tmp_path: Path) -> None:
    scene, landslides = scene_with(tmp_path, a_slope())
    page = Page(render_report(scene, landslides, {"scene": "slope"}))
    assert [address[:22] for address in page.addresses] == ["data:image/jpeg;base64"]
    assert not {"script", "link", "iframe"} & set(page.tags)


def test_it_says_what_was_found_and_how_much_was_seen(tmp_path: Path) -> None:
    scene, landslides = scene_with(tmp_path, a_slope())
    provenance = {"scene": "slope", "model": "unet-vgg16-rgb", "acquired": "2024-07-30"}
    words = Page(render_report(scene, landslides, provenance)).words
    assert "Landslides of slope Sentinel-2, 2024-07-30. Found by unet-vgg16-rgb" in words
    assert "at a probability of 0.5 and above, and judged by 7 rules" in words
    area = sum(4 * (5 + number) for number in range(25)) / 100
    assert f"Landslides 25 Their area {area:.2f} ha The largest 1.16 ha" in words
    assert "Observed 5.4 km² 90.0 % Under cloud 0.3 km² 5.0 % Without data 0.3 km² 5.0 %" in words
    assert "20 of 25; the rest are in the files" in words
    assert "10.0 % of the scene was not observed" in words
    assert "Median vegetation at most 0.65 most of it is covered by plants" in words
    assert "One date cannot tell a fresh landslide from an old scar" in words


def test_it_lists_the_largest_with_their_measures(tmp_path: Path) -> None:
    slope = Slope()
    slope.put(slice(50, 60), slice(30, 70))
    scene, landslides = scene_with(tmp_path, slope)
    words = Page(render_report(scene, landslides, {})).words
    assert "No. Area (ha) Length (m) Width (m) Probability Slope (°) Fall (m) NDVI" in words
    assert "1 4.00 400 100 0.90 35 273 0.2" in words
    assert "NDVI drop" not in words  # there was no earlier scene
    assert "rest are in the files" not in words


def test_what_others_named_is_escaped(tmp_path: Path) -> None:
    scene, landslides = scene_with(tmp_path, Slope(64, 64))
    nasty = "<script>alert(1)</script>\"'&"
    landslides = replace(landslides, notes=(nasty,))
    text = render_report(scene, landslides, {"scene": nasty, "input": [nasty], nasty: {nasty: 1}})
    page = Page(text)
    assert "script" not in page.tags
    assert page.words.count(nasty) == 7  # title, heading, note, and in where it comes from


def test_nothing_found_on_a_scene_without_place(tmp_path: Path) -> None:
    scene, landslides = scene_with(
        tmp_path, Slope(64, 64), crs=None, transform=None, bands=("B4", "B3", "B2")
    )
    words = Page(render_report(scene, landslides, {"scene": None, "revision": None})).words
    assert "Landslides of slope" in words
    assert "Landslides 0 Their area 0.00 ha The largest \N{EN DASH}" in words
    assert "None was found." in words
    assert "The scene has no projection" in words
    assert "The rule on vegetation needs B4, B8, B11, B12, not given here." in words


def test_the_picture_shows_the_scene_with_its_landslides(tmp_path: Path) -> None:
    slope = Slope()
    slope.put(slice(50, 60), slice(30, 70))
    slope.observed[:40, 100:] = False
    scene, landslides = scene_with(tmp_path, slope)
    text = render_report(scene, landslides, {})
    (uri,) = re.findall(r"data:image/jpeg;base64,([^\"]+)", text)
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri)))).astype(int)
    assert picture.shape == (9 * 128, 9 * 128, 3)
    red = (picture[..., 0] > 180) & (picture[..., 1:] < 90).all(axis=2)
    rows, columns = np.nonzero(red)
    assert (rows.min(), rows.max()) == pytest.approx((450, 539), abs=2)
    assert (columns.min(), columns.max()) == pytest.approx((270, 629), abs=2)
