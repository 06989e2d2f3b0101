"""The report: one file that stands alone, says what was found and what is not known."""

from __future__ import annotations

import base64
import html
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mapped_scenes import FIELD, Slope, found_on
from PIL import Image

from landslide_zoo.mapping.report import render_report


def report_on(tmp_path: Path, slope: Slope, note: str = "", **options: object) -> str:
    """The report of a scene, with provenance where there is a note."""
    scene, probabilities = slope.open(tmp_path, **options)
    with scene:
        landslides = replace(found_on(scene, probabilities), notes=(note,) if note else ())
        return render_report(scene, landslides, {"scene": note, note: {note: [1]}} if note else {})


def words_of(page: str) -> str:
    """What a reader sees of a page."""
    body = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    return html.unescape(" ".join(body.split()))


def test_it_says_what_was_found_and_how_much_was_seen(tmp_path: Path) -> None:
    slope = Slope(200, 300)
    for number in range(25):
        row, column = 10 + 30 * (number // 5), 10 + 50 * (number % 5)
        slope.put(slice(row, row + 4), slice(column, column + 5 + number))
    slope.put(slice(170, 190), slice(10, 40), surface=FIELD)
    slope.observed[:, 270:] = False
    slope.cloud[:100, 270:] = True
    page = report_on(tmp_path, slope)
    words = words_of(page)
    area = sum(4 * (5 + number) for number in range(25)) / 100
    assert f"Landslides 25 Their area {area:.2f} ha The largest 1.16 ha" in words
    assert "Observed 5.4 km² 90.0 % Under cloud 0.3 km² 5.0 % Without data 0.3 km² 5.0 %" in words
    assert "20 of 25" in words
    assert "NDVI drop" not in words  # there was no earlier scene
    assert set(re.findall(r'(?:href|src)="([^"]{,10})', page)) == {"data:image"}
    assert not re.search("<(script|link|iframe)", page)


def test_what_others_named_is_escaped(tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script>\"'&"
    page = report_on(tmp_path, Slope(64, 64), nasty)
    assert "<script" not in page
    assert words_of(page).count(nasty) == 6


def test_nothing_found_on_a_scene_without_place(tmp_path: Path) -> None:
    bands = ("B4", "B3", "B2")
    words = words_of(report_on(tmp_path, Slope(64, 64), crs=None, transform=None, bands=bands))
    assert "Landslides 0 Their area 0.00 ha The largest \N{EN DASH}" in words
    assert "no projection" in words
    assert "The rule on vegetation needs B4, B8, B11, B12" in words


def test_the_picture_shows_the_scene_with_its_landslides(tmp_path: Path) -> None:
    slope = Slope()
    slope.put(slice(50, 60), slice(30, 70))
    slope.observed[:40, 100:] = False
    page = report_on(tmp_path, slope)
    assert "1 4.00 400 100 0.90 35 273 0.2" in words_of(page)
    (uri,) = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri)))).astype(int)
    assert picture.shape == (9 * 128, 9 * 128, 3)
    red = (picture[..., 0] > 180) & (picture[..., 1:] < 90).all(axis=2)
    rows, columns = np.nonzero(red)
    assert (rows.min(), rows.max()) == pytest.approx((450, 539), abs=2)
    assert (columns.min(), columns.max()) == pytest.approx((270, 629), abs=2)
