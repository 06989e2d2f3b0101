"""Synthetic patches: like the real ones where it counts, and with masks that are true."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from landslide_zoo.data.bands import BAND_NAMES, PIXEL_SIZE, divisors
from landslide_zoo.data.hdf5 import read_mask_h5, read_patch_h5
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.synthetic import generate_patch, write_dataset
from landslide_zoo.data.synthetic.confusers import make_clouds
from landslide_zoo.errors import DataError

# Lowest and highest mean, then standard deviation, of a band over a patch, in physical
# units, among 21 patches of Landslide4Sense (15 train, 6 validation and test).
REAL_RANGES = {
    "B1": (838.3, 1301.7, 26.0, 132.4),
    "B2": (629.4, 1018.4, 40.5, 212.4),
    "B3": (543.9, 900.5, 75.8, 239.0),
    "B4": (352.7, 682.1, 72.6, 326.3),
    "B5": (632.1, 999.3, 104.7, 344.7),
    "B6": (1380.9, 2157.2, 272.2, 533.3),
    "B7": (1565.6, 2725.4, 356.4, 706.6),
    "B8": (1583.9, 2752.1, 399.7, 753.9),
    "B9": (736.0, 1668.4, 90.6, 569.7),
    "B10": (9.4, 141.6, 0.9, 70.3),
    "B11": (845.0, 1879.2, 162.5, 693.5),
    "B12": (392.1, 975.5, 93.9, 505.9),
    "slope": (21.8, 36.7, 6.1, 13.1),
    "DEM": (518.3, 3484.3, 81.8, 234.8),
}


@pytest.fixture(scope="module")
def patches() -> list[Patch]:
    return [generate_patch(seed) for seed in range(40)]


@pytest.fixture(scope="module")
def values(patches: list[Patch]) -> np.ndarray:
    """Shape (14, 40, 128, 128)."""
    return np.stack([patch.values for patch in patches], axis=1)


@pytest.fixture(scope="module")
def masks(patches: list[Patch]) -> np.ndarray:
    """Shape (40, 128, 128)."""
    return np.stack([patch.mask for patch in patches]) > 0


def test_one_seed_gives_one_patch():
    first, again, other = generate_patch(7), generate_patch(7), generate_patch(8)
    assert np.array_equal(first.values, again.values)
    assert np.array_equal(first.mask, again.mask)
    assert not np.array_equal(first.values, other.values)
    assert (first.name, first.synthetic, first.unit) == ("synthetic_0007", True, "physical")


@pytest.mark.parametrize("size", [(32, 32), (100, 140), (300, 128)])
def test_any_size_holds_whole_numbers_that_uint16_holds(size: tuple[int, int]):
    patch = generate_patch(np.random.default_rng(3), size)
    assert patch.values.shape == (14, *size)
    assert patch.values.dtype == np.float32
    assert np.array_equal(patch.values.astype(np.uint16), patch.values)
    assert patch.mask.shape == size
    assert patch.mask.dtype == np.uint8


def test_band_statistics_lie_within_those_of_real_patches(values: np.ndarray):
    for band, name in zip(values, BAND_NAMES, strict=True):
        low, high, low_std, high_std = REAL_RANGES[name]
        means, stds = band.mean(axis=(1, 2)), band.std(axis=(1, 2))
        assert low < means.mean() < high, name
        assert low_std < stds.mean() < high_std, name
        inside = (low <= means) & (means <= high) & (low_std <= stds) & (stds <= high_std)
        assert inside.mean() >= 0.75, f"{name}: single patches stray from the real ranges"


def test_the_ranges_are_those_of_the_real_patches(real_data: Path):
    files = sorted((real_data / "l4s-14band").glob("*/image_*.h5"))
    real = np.stack([read_patch_h5(path).values for path in files]).astype(np.float64)
    means, stds = real.mean(axis=(2, 3)), real.std(axis=(2, 3))
    measured = np.stack([means.min(0), means.max(0), stds.min(0), stds.max(0)], axis=1)
    assert measured == pytest.approx(np.array(list(REAL_RANGES.values())), abs=0.051)


def test_the_slope_is_that_of_the_elevation(patches: list[Patch]):
    for patch in patches:
        slope, dem = patch.select(["slope", "DEM"])
        expected = np.degrees(np.arctan(np.hypot(*np.gradient(dem, PIXEL_SIZE))))
        assert np.corrcoef(slope.ravel(), expected.ravel())[0, 1] > 0.98
        assert np.abs(slope - expected).mean() < 1.5


def test_landslides_take_a_few_percent_and_some_patches_have_none(masks: np.ndarray):
    share = masks.mean(axis=(1, 2))
    assert 0.01 < share.mean() < 0.06
    assert 0.05 < (share == 0).mean() < 0.5
    assert share.max() < 0.25
    assert generate_patch(0, landslides=0).mask.sum() == 0
    assert generate_patch(0, landslides=3).mask.sum() > 0


def test_landslides_lie_on_steep_ground_and_run_downhill(values: np.ndarray, masks: np.ndarray):
    slope = values[BAND_NAMES.index("slope")]
    assert slope[masks].mean() > slope[~masks].mean() + 2
    alignments = []
    for seed in range(40):
        patch = generate_patch(seed, landslides=1)
        pixels = np.argwhere(patch.mask).astype(float)
        spread, axes = np.linalg.eigh(np.cov(pixels.T)) if len(pixels) > 30 else ([1, 1], None)
        if spread[1] < 4 * spread[0]:
            continue  # nearly round: it has no direction
        fall = np.stack(np.gradient(gaussian_filter(patch.select(["DEM"])[0], 3)))
        fall = fall[:, patch.mask > 0].mean(axis=1)
        alignments.append(abs(axes[:, 1] @ fall) / np.hypot(*fall))
    assert len(alignments) > 15
    assert np.mean(alignments) > 0.9


def test_landslides_are_bare_and_no_threshold_finds_them(values: np.ndarray, masks: np.ndarray):
    red, near_infrared = (values[BAND_NAMES.index(name)] for name in ("B4", "B8"))
    ndvi = (near_infrared - red) / (near_infrared + red)
    # The real patches have 0.16 to 0.36 on landslides and 0.53 to 0.73 off them.
    assert 0.16 < ndvi[masks].mean() < 0.36
    assert 0.53 < ndvi[~masks].mean() < 0.73
    slope = values[BAND_NAMES.index("slope")]
    best = 0.0
    for greenest in np.arange(0.1, 0.6, 0.05):
        for gentlest in range(0, 40, 5):
            found = (ndvi < greenest) & (slope >= gentlest)
            best = max(best, 2 * (found & masks).sum() / (found.sum() + masks.sum()))
    assert best < 0.65


def test_the_morning_sun_lights_south_eastern_slopes(values: np.ndarray):
    near_infrared, dem = values[BAND_NAMES.index("B8")], values[BAND_NAMES.index("DEM")]
    for brightness, height in zip(near_infrared, dem, strict=True):
        south, east = np.gradient(gaussian_filter(height, 2))
        assert np.corrcoef(brightness.ravel(), -(south + east).ravel())[0, 1] > 0.2


def test_a_shadow_lies_away_from_the_sun():
    for azimuth, down, right in ((90, 0, -1), (180, -1, 0), (225, -1, 1)):
        cloud, shadow = make_clouds(np.random.default_rng(1), (128, 128), azimuth)
        steps = range(12, 31)
        alike = [
            np.abs(np.roll(cloud, (n * down, n * right), (0, 1)) - shadow).mean() for n in steps
        ]
        unlike = [
            np.abs(np.roll(cloud, (-n * down, -n * right), (0, 1)) - shadow).mean() for n in steps
        ]
        assert min(alike) < 0.5 * min(unlike)


def test_clouds_show_in_the_cirrus_band(values: np.ndarray):
    blue, cirrus, dem = (values[BAND_NAMES.index(name)] for name in ("B2", "B10", "DEM"))
    # Below 2,000 m the water vapour hides the ground from the cirrus band, not the clouds.
    cloud = (cirrus > 40) & (dem < 2000)
    assert 0.001 < cloud.mean() < 0.2
    assert blue[cloud].mean() > blue[~cloud & (dem < 2000)].mean() + 150


@pytest.mark.parametrize(
    ("layout", "image", "mask"),
    [
        ("mirror", "images/{}/image_2.h5", "annotations/{}/mask_2.h5"),
        ("zenodo", "{}Data/img/image_2.h5", "{}Data/mask/mask_2.h5"),
    ],
)
def test_a_dataset_has_the_files_of_landslide4sense(
    tmp_path: Path, layout: str, image: str, mask: str
):
    write_dataset(tmp_path, train=3, validation=2, test=2, seed=5, layout=layout)
    assert len(list(tmp_path.rglob("*.h5"))) == 14
    splits = ("train", "validation", "test") if layout == "mirror" else ("Train", "Valid", "Test")
    for split in splits:
        path = tmp_path / image.format(split)
        with h5py.File(path) as file:
            img = file["img"]
            assert (img.shape, img.dtype, list(file)) == ((128, 128, 14), np.float64, ["img"])
            # In the file's own scale: digital numbers over the band's divisor.
            raw = img[()].transpose(2, 0, 1) * divisors()
        assert np.allclose(raw, np.rint(raw), atol=1e-6)
        patch = read_patch_h5(path)
        assert patch.synthetic
        assert np.array_equal(patch.values, np.rint(patch.values))
        with h5py.File(tmp_path / mask.format(split)) as file:
            assert (file["mask"].shape, file["mask"].dtype) == ((128, 128), np.uint8)


def test_a_patch_does_not_depend_on_how_many_others_there_are(tmp_path: Path):
    few, many = tmp_path / "few", tmp_path / "many"
    write_dataset(few, train=1, validation=0, test=1, seed=5, size=(32, 48))
    write_dataset(many, train=4, validation=2, test=2, seed=5, size=(32, 48))
    for split in ("train", "test"):
        image, mask = f"images/{split}/image_1.h5", f"annotations/{split}/mask_1.h5"
        assert np.array_equal(read_patch_h5(few / image).values, read_patch_h5(many / image).values)
        assert np.array_equal(read_mask_h5(few / mask), read_mask_h5(many / mask))
    first, second = (read_patch_h5(many / f"images/train/image_{n}.h5").values for n in (1, 2))
    assert not np.array_equal(first, second)


def test_a_folder_that_holds_patches_is_left_alone(tmp_path: Path):
    write_dataset(tmp_path, train=1, validation=0, test=0, size=(32, 32))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.h5")}
    with pytest.raises(DataError, match="already holds files"):
        write_dataset(tmp_path, train=2, validation=0, test=0, size=(32, 32))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.h5")} == before


def test_the_command_writes_a_dataset(tmp_path: Path):
    command = [sys.executable, "-m", "landslide_zoo.data.synthetic", "--output", str(tmp_path)]
    counts = ["--train", "2", "--validation", "1", "--test", "1", "--seed", "5"]
    done = subprocess.run([*command, *counts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "4/4" in done.stderr
    assert len(list(tmp_path.glob("images/*/*.h5"))) == 4
    again = subprocess.run([*command, *counts], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert again.stderr.count("\n") == 1
    assert "already holds files" in again.stderr
