"""Pictures: right bands, fixed scales, outlines that touch nothing else, safe colours."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from command_line import imported_by
from patch_files import random_patch
from PIL import Image

from landslide_zoo import figures
from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import DataError

RED = (255, 0, 0)


def patch_of(**bands: np.ndarray) -> Patch:
    """A patch of 40 x 50 whose named bands hold these values and whose others hold 100."""
    values = np.full((len(BAND_NAMES), 40, 50), 100, np.float32)
    for name, band in bands.items():
        values[BAND_NAMES.index(name)] = band
    return Patch(values)


@pytest.fixture
def rising() -> np.ndarray:
    """Values that rise from left to right, shape (40, 50)."""
    return np.tile(np.linspace(500, 2000, 50, dtype=np.float32), (40, 1))


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((40, 50), np.uint8)
    mask[10:20, 15:30] = 1
    return mask


def drawn_on(picture: np.ndarray, **kinds: np.ndarray) -> np.ndarray:
    """A picture with marks of one kind or more: mask, dropped, hidden."""
    nothing = dict.fromkeys(("mask", "dropped", "hidden"), np.zeros((40, 50), dtype=bool))
    return figures.marked(picture, figures.marks(**(nothing | kinds)))


@pytest.mark.parametrize(("colour", "band"), list(enumerate(TRUE_COLOUR)))
def test_true_colour_is_bands_4_3_2(colour: int, band: str, rising: np.ndarray) -> None:
    shown = figures.true_colour(patch_of(**{band: rising}))
    assert shown.dtype == np.uint8 and shown.shape == (40, 50, 3)
    assert (shown[:, 0, colour] == 0).all() and (shown[:, -1, colour] == 255).all()
    assert (np.delete(shown, colour, axis=2) == 128).all()  # constant bands are mid-grey


def test_false_colour_shows_near_infrared_in_red(rising: np.ndarray) -> None:
    shown = figures.false_colour(patch_of(B8=rising))
    assert shown[0, -1, 0] == 255 and (shown[..., 1:] == 128).all()


@pytest.mark.parametrize("value", [0.0, 700.0])
def test_a_constant_patch_is_shown_without_a_warning(
    value: float, recwarn: pytest.WarningsRecorder
) -> None:
    patch = Patch(np.full((len(BAND_NAMES), 40, 50), value, np.float32))
    composites = (figures.true_colour, figures.false_colour, figures.ndvi)
    for shown in (*(make(patch) for make in composites), figures.hillshade(patch.values[13])):
        assert (shown == shown[0, 0]).all()
    assert not recwarn.list


def test_one_bright_pixel_does_not_darken_the_rest(rising: np.ndarray) -> None:
    glint = rising.copy()
    glint[3, 4] = 60_000
    plain, shown = (figures.true_colour(patch_of(B4=band)) for band in (rising, glint))
    others = np.ones((40, 50), dtype=bool)
    others[3, 4] = False
    assert np.abs(plain[others].astype(int) - shown[others]).max() <= 10


def test_a_picture_is_shown_as_it_is(picture: np.ndarray) -> None:
    patch = Patch(picture.transpose(2, 0, 1).astype(np.float32) / 255, TRUE_COLOUR, "display")
    assert np.array_equal(figures.true_colour(patch), picture)
    for other in (figures.false_colour, figures.ndvi):
        with pytest.raises(DataError, match="patch"):
            other(patch)


def test_ndvi_has_a_fixed_scale() -> None:
    plants, rock = np.float32(3000), np.float32(1200)
    half = np.where(np.arange(50) < 25, plants, rock) * np.ones((40, 1), np.float32)
    mixed = figures.ndvi(patch_of(B8=half, B4=np.float32(1000)))
    alone = figures.ndvi(patch_of(B8=plants, B4=np.float32(1000)))
    assert np.array_equal(mixed[:, :25], alone[:, :25])
    assert mixed[0, 0].sum() < mixed[0, -1].sum()  # plants are dark green, rock is pale


def test_light_comes_from_the_north_west() -> None:
    row, column = np.mgrid[0:40, 0:50] * 10.0

    def grey(dem: np.ndarray) -> int:
        shade = figures.hillshade(dem)
        assert (shade[..., :1] == shade).all()
        return int(shade[20, 25, 0])

    flat = grey(np.full((40, 50), 800.0))
    facing_north_west, facing_south_east = (row + column) / 3, -(row + column) / 3
    assert grey(facing_south_east) < flat == round(255 * np.sin(np.pi / 4))
    assert grey(facing_north_west) > flat
    assert grey(row / 2) == grey(column / 2) > flat  # north and west faces alike


def test_probability_has_a_fixed_scale_that_brightens() -> None:
    steps = figures.probability_picture(np.linspace(0, 1, 64, dtype=np.float32)[None])
    brightness = steps[0].astype(float) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(brightness) > 0).all()
    for value, colour in ((0, steps[0, 0]), (1, steps[0, -1])):
        constant = figures.probability_picture(np.full((4, 4), value, np.float32))
        assert (constant == colour).all()


def test_a_mask_is_black_and_white(mask: np.ndarray) -> None:
    shown = figures.mask_picture(mask)
    assert (shown[mask == 1] == 255).all() and (shown[mask == 0] == 0).all()


def test_an_outline_leaves_all_other_pixels_untouched(
    picture: np.ndarray, mask: np.ndarray
) -> None:
    before = picture.copy()
    outlined = drawn_on(picture, mask=mask)
    edge = np.zeros((40, 50), dtype=bool)
    edge[10:20, 15:30] = True
    edge[11:19, 16:29] = False
    assert (outlined[edge] == RED).all()
    assert np.array_equal(outlined[~edge], picture[~edge])
    assert np.array_equal(picture, before)


def test_small_and_whole_masks_have_outlines_and_empty_ones_none(picture: np.ndarray) -> None:
    assert np.array_equal(drawn_on(picture), picture)
    single = np.zeros((40, 50))
    single[0, 0] = 1
    for mask in (single, np.ones((40, 50))):
        assert (drawn_on(picture, mask=mask)[0, 0] == RED).all()


def test_errors_are_told_apart_pixel_by_pixel(picture: np.ndarray, mask: np.ndarray) -> None:
    truth = np.roll(mask, 5, axis=1)
    shown = figures.errors_picture(picture, mask, truth)
    found, false_alarm, missed = figures.ERROR_COLOURS.values()
    assert (shown[(mask == 1) & (truth == 1)] == found).all()
    assert (shown[(mask == 1) & (truth == 0)] == false_alarm).all()
    assert (shown[(mask == 0) & (truth == 1)] == missed).all()
    rest = shown[(mask == 0) & (truth == 0)]
    assert (rest == rest[:, :1]).all()


# Machado, Oliveira and Fernandes, IEEE TVCG 15(6), 2009: severity 1, linear RGB.
COLOUR_DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def _lab(linear: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of one linear RGB colour."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x, y, z = np.cbrt(to_xyz @ np.clip(linear, 0, 1) / (0.9505, 1.0, 1.089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("deficiency", COLOUR_DEFICIENCIES)
def test_colour_blind_people_tell_the_errors_apart(deficiency: str) -> None:
    seen = []
    for colour in figures.ERROR_COLOURS.values():
        share = np.array(colour) / 255
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        seen.append(_lab(COLOUR_DEFICIENCIES[deficiency] @ linear))
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(one - other) > 30  # 2.3 is just noticeable side by side


def test_agreement_brightens_with_every_model_that_agrees() -> None:
    shown = figures.agreement_picture(np.arange(6)[None], models=5)[0].astype(int)
    assert (np.diff(shown.sum(axis=1)) > 0).all()


def test_enlarging_repeats_pixels(picture: np.ndarray, mask: np.ndarray) -> None:
    large = figures.enlarge(picture, 4)
    assert large.shape == (160, 200, 3)
    assert np.array_equal(large[2::4, 1::4], picture)
    assert figures.enlarge(mask, 3).shape == (120, 150)


def _image(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB"))


def test_examples_are_a_row_a_patch(mask: np.ndarray) -> None:
    patch = random_patch(40, 50)
    one = _image(figures.examples_figure([(patch, mask, mask)]))
    three = _image(figures.examples_figure([(patch, mask, mask)] * 3))
    assert three.shape[1] == one.shape[1] and three.shape[0] > 2.5 * one.shape[0]
    assert not np.array_equal(one, _image(figures.examples_figure([(patch, mask, 0 * mask)])))


def test_curves_are_drawn_for_any_number_of_epochs() -> None:
    history = [{"loss": 1 / n, "validation_loss": 2 / n, "f1": 1 - 1 / n} for n in (1, 2, 3)]
    drawn = [_image(figures.curves_figure(history[:n])) for n in range(4)]
    for one, other in itertools.pairwise(drawn):
        assert one.shape == other.shape and not np.array_equal(one, other)


def test_charts_leave_no_global_state() -> None:
    code = "from landslide_zoo import figures; figures.curves_figure([{'loss': 1.0}])"
    assert "matplotlib.pyplot" not in imported_by(code)


def test_a_dashed_outline_is_part_of_the_whole_one(picture: np.ndarray, mask: np.ndarray) -> None:
    whole = (drawn_on(picture, mask=mask) != picture).any(axis=2)
    dashed = (drawn_on(picture, dropped=mask) != picture).any(axis=2)
    assert 0.3 < dashed.sum() / whole.sum() < 0.7 and not (dashed & ~whole).any()


def test_hatching_leaves_what_is_observed_untouched(picture: np.ndarray, mask: np.ndarray) -> None:
    changed = (drawn_on(picture, hidden=mask > 0) != picture).any(axis=2)
    assert not changed[mask == 0].any()
    assert changed[10, 15:30].all() and 0.2 < changed[mask == 1].mean() < 0.9
    assert np.array_equal(drawn_on(picture), picture)


def test_a_png_file_holds_the_picture(picture: np.ndarray) -> None:
    for shown in (picture, figures.enlarge(picture, 3), picture[::2, ::5]):
        assert np.array_equal(_image(figures.png(shown)), shown)


def test_marks_are_drawn_alike_on_a_picture_and_by_themselves(
    picture: np.ndarray, mask: np.ndarray
) -> None:
    drawn = figures.marks(mask, np.roll(mask, 15, axis=0), np.roll(mask, 15, axis=1))
    alone = Image.open(io.BytesIO(figures.png(drawn, figures.MARK_COLOURS)))
    below = Image.fromarray(picture).convert("RGBA")
    together = np.asarray(Image.alpha_composite(below, alone.convert("RGBA")).convert("RGB"))
    assert np.array_equal(figures.marked(picture, drawn), together)
    assert (together != picture).any(axis=2).sum() > 40
