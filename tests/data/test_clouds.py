"""Clouds laid over patches: bright, no landslide, and above the ground that they darken."""

from __future__ import annotations

import numpy as np
from patch_files import physical_values

from landslide_zoo.data.augmentation import Augmentation
from landslide_zoo.data.bands import BAND_NAMES, BANDS, TRUE_COLOUR, display_values
from landslide_zoo.data.clouds import lay_clouds
from landslide_zoo.data.synthetic.spectra import CLOUD

SIDE = 128
SEEDS = range(24)
GROUND = np.array([band.mean for band in BANDS], np.float32)


def covered(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Even ground that is all landslide, and its mask, under clouds."""
    even = np.broadcast_to(GROUND[:, None, None], (14, SIDE, SIDE))
    everywhere = np.ones((SIDE, SIDE), np.uint8)
    random = np.random.default_rng(seed)
    return lay_clouds(even, everywhere, BAND_NAMES, "physical", random)


def test_what_an_opaque_cloud_hides_looks_like_cloud_and_is_no_landslide_any_more() -> None:
    visible_bands = slice(0, 5)  # those in which a cloud outshines any ground
    half_way = (CLOUD + (1 - 0.6) * GROUND[:12])[visible_bands, None] / 2
    hidden = []
    for seed in SEEDS:
        cloudy, mask = covered(seed)
        assert (cloudy[visible_bands, mask == 0] >= half_way).all()
        hidden.append(np.mean(mask == 0))
    assert min(hidden) == 0  # thin ones hide nothing
    assert 0.02 < max(hidden) < 0.5


def test_shadows_darken_the_ground_and_the_terrain_stays() -> None:
    shaded = []
    for seed in SEEDS:
        cloudy, _ = covered(seed)
        near_infrared = cloudy[7] / GROUND[7]
        shaded.append(np.mean(near_infrared < 0.8))
        assert near_infrared.min() > 0.4
        assert (cloudy[12:] == GROUND[12:, None, None]).all()
    assert np.mean(np.array(shaded) > 0.002) > 0.5


def test_a_picture_stays_a_picture_and_its_ground_turns_dark_under_a_bright_cloud() -> None:
    picture = display_values(physical_values(SIDE, SIDE)[[3, 2, 1]]).astype(np.float32)
    nothing = np.zeros((SIDE, SIDE), np.uint8)
    medians = []
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        cloudy, _ = lay_clouds(picture, nothing, TRUE_COLOUR, "display", random)
        assert cloudy.min() >= 0 and cloudy.max() == 1
        medians.append(np.median(cloudy) / np.median(picture))
    assert min(medians) < 0.9


def test_a_black_picture_stays_black() -> None:
    black, mask = np.zeros((3, SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.uint8)
    random = np.random.default_rng(0)
    cloudy, _ = lay_clouds(black, mask, TRUE_COLOUR, "display", random)
    np.testing.assert_array_equal(cloudy, black)


def test_clouds_come_as_often_as_asked_and_only_then() -> None:
    values = physical_values(SIDE, SIDE).astype(np.float32)
    mask = np.zeros((SIDE, SIDE), np.uint8)

    def changed(share: float, seed: int) -> bool:
        augmentation = Augmentation(flips=False, clouds=share)
        random = np.random.default_rng(seed)
        seen, _ = augmentation(values, mask, BAND_NAMES, "physical", random)
        return not np.allclose(seen, values, rtol=1e-5)

    assert 10 <= sum(changed(0.3, seed) for seed in range(60)) <= 26
    assert not any(changed(0.0, seed) for seed in range(10))
