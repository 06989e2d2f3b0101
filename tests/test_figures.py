"""Pictures: right bands, fixed scales, outlines that touch nothing else, safe colours."""

from __future__ import annotations

import io

import numpy as np
import pytest
from patch_files import random_patch
from PIL import Image

from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import DataError
from landslide_zoo.figures import charts, images

RED = (255, 0, 0)
RISING = np.tile(np.linspace(500, 2000, 50, dtype=np.float32), (40, 1))
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
MASK = np.zeros((40, 50), np.uint8)
MASK[10:20, 15:30] = 1


def patch_of(**bands: object) -> Patch:
    """A patch of 40 x 50 whose named bands hold these values and whose others hold 100."""
    values = np.full((len(BAND_NAMES), 40, 50), 100, np.float32)
    for name, band in bands.items():
        values[BAND_NAMES.index(name)] = band
    return Patch(values)


@pytest.mark.parametrize(("colour", "band"), list(enumerate(TRUE_COLOUR)))
def test_true_colour_is_bands_4_3_2(colour: int, band: str) -> None:
    picture = images.true_colour(patch_of(**{band: RISING}))
    assert (picture[:, 0, colour] == 0).all() and (picture[:, -1, colour] == 255).all()
    assert (np.delete(picture, colour, axis=2) == 128).all()  # constant bands are mid-grey


def test_a_picture_is_shown_as_it_is_and_has_no_near_infrared() -> None:
    patch = Patch(PICTURE.transpose(2, 0, 1).astype(np.float32) / 255, TRUE_COLOUR, "display")
    assert np.array_equal(images.true_colour(patch), PICTURE)
    for other in (images.false_colour, images.ndvi):
        with pytest.raises(DataError):
            other(patch)
    assert images.false_colour(patch_of(B8=RISING))[0, -1].tolist() == [255, 128, 128]


def test_ndvi_and_probability_have_fixed_scales() -> None:
    mixed = images.ndvi(patch_of(B8=np.where(RISING < 1000, 3000, 1200), B4=1000))
    assert np.array_equal(mixed[:, 0], images.ndvi(patch_of(B8=3000, B4=1000))[:, 0])
    assert mixed[0, 0].sum() < mixed[0, -1].sum()  # plants are dark green, rock is pale
    steps = images.probability_picture(np.linspace(0, 1, 64, dtype=np.float32)[None])
    assert (np.diff(steps[0].astype(float) @ (0.2126, 0.7152, 0.0722)) > 0).all()
    assert (images.probability_picture(np.ones((4, 4), np.float32)) == steps[0, -1]).all()


def test_marks_leave_all_other_pixels_untouched() -> None:
    edge = MASK.astype(bool)
    edge[11:19, 16:29] = False
    outlined = images.marked(PICTURE, images.marks(MASK))
    assert (outlined[edge] == RED).all() and np.array_equal(outlined[~edge], PICTURE[~edge])
    nothing = 0 * MASK
    dashed = images.marks(nothing, dropped=MASK) > 0
    assert 0.3 < dashed.sum() / edge.sum() < 0.7 and not (dashed & ~edge).any()
    hatched = images.marks(nothing, hidden=MASK) > 0
    assert not hatched[MASK == 0].any() and 0.2 < hatched[MASK == 1].mean() < 0.9
    assert not images.marks(nothing).any()


def test_a_png_file_holds_the_picture_and_marks_by_themselves_look_as_on_it() -> None:
    for picture in (PICTURE, images.enlarge(PICTURE, 3), PICTURE[::2, ::5]):
        assert np.array_equal(Image.open(io.BytesIO(images.png(picture))), picture)
    drawn = images.marks(MASK, np.roll(MASK, 15, axis=0), np.roll(MASK, 15, axis=1))
    alone = Image.open(io.BytesIO(images.png(drawn, images.MARK_COLOURS))).convert("RGBA")
    together = Image.alpha_composite(Image.fromarray(PICTURE).convert("RGBA"), alone)
    assert np.array_equal(images.marked(PICTURE, drawn), together.convert("RGB"))


def test_errors_agreement_and_enlarged_pixels() -> None:
    truth = np.roll(MASK, 5, axis=1)
    picture = images.errors_picture(PICTURE, MASK, truth)
    for (mask, true), colour in zip(
        ((1, 1), (1, 0), (0, 1)), images.ERROR_COLOURS.values(), strict=True
    ):
        assert (picture[(mask == MASK) & (truth == true)] == colour).all()
    agreement = images.agreement_picture(np.arange(6)[None], models=5)[0].astype(int)
    assert (np.diff(agreement.sum(axis=1)) > 0).all()
    assert np.array_equal(images.enlarge(PICTURE, 4)[2::4, 1::4], PICTURE)


def test_charts_are_drawn_for_any_number_of_rows() -> None:
    patch = random_patch(40, 50)
    heights = [
        Image.open(io.BytesIO(charts.examples_figure([(patch, MASK, MASK)] * n))).height
        for n in (1, 3)
    ]
    assert heights[1] > 2.5 * heights[0]
    history = [{"loss": 1 / n, "validation_loss": 2 / n, "f1": 1 - 1 / n} for n in (1, 2, 3)]
    assert len({charts.curves_figure(history[:n]) for n in range(4)}) == 4
