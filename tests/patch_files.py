"""Small patch files for the tests: good ones, and every kind that must be refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

from landslide_zoo.data.bands import BAND_NAMES, BANDS, divisors
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.web.samples import samples

BANDS_COUNT = len(BAND_NAMES)


def physical_values(height: int = 48, width: int = 48, seed: int = 0) -> np.ndarray:
    """Plausible whole numbers in physical units, shape (14, H, W), float64."""
    random = np.random.default_rng(seed)
    mean = np.array([band.mean for band in BANDS])[:, None, None]
    std = np.array([band.std for band in BANDS])[:, None, None]
    values = mean + std * random.standard_normal((BANDS_COUNT, height, width))
    return np.rint(np.clip(values, 0, 65535))


def random_patch(height: int = 48, width: int = 48, seed: int = 0, **more: Any) -> Patch:
    """A patch of such values."""
    return Patch(physical_values(height, width, seed).astype(np.float32), **more)


def sample_patches() -> list[Patch]:
    """The real patches that come with the package."""
    return [read_patch(sample.path) for sample in samples()]


def write_h5(path: Path, **datasets: object) -> Path:
    """Write an HDF5 file with these datasets."""
    with h5py.File(path, "w") as file:
        for name, data in datasets.items():
            file.create_dataset(name, data=data)
    return path


def stored(physical: np.ndarray | None = None) -> np.ndarray:
    """Physical values (14, H, W) as Landslide4Sense stores them, shape (H, W, 14)."""
    values = physical_values() if physical is None else physical
    return (values / divisors()).transpose(1, 2, 0)


def write_patch(path: Path, height: int = 48, width: int = 48, seed: int = 0) -> Path:
    """Write a good patch as Landslide4Sense does."""
    return write_h5(path, img=stored(physical_values(height, width, seed)))


def _text(path: Path) -> None:
    path.write_text("a web page that says the download failed\n" * 50)


def _truncated(path: Path) -> None:
    whole = write_patch(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _damaged(path: Path) -> None:
    """Break the table of the file's own objects; its beginning stays an HDF5 file's."""
    path.write_bytes(write_patch(path).read_bytes().replace(b"HEAP", b"JUNK"))


def _thirteen_bands(path: Path) -> None:
    write_h5(path, img=stored()[..., :13])


def _strings(path: Path) -> None:
    write_h5(path, img=np.full((48, 48, BANDS_COUNT), b"12.5"))


def _band_missing(path: Path) -> None:
    values = stored()
    values[..., BAND_NAMES.index("B8")] = np.inf
    write_h5(path, img=values)


def _huge(path: Path) -> None:
    with h5py.File(path, "w") as file:
        # Chunks that were never written take no room in the file: 2 kB claim 45 GB.
        shape = (20_000, 20_000, BANDS_COUNT)
        file.create_dataset("img", shape=shape, dtype="f8", chunks=(64, 64, BANDS_COUNT))


def _mask_of_other_size(path: Path) -> None:
    write_h5(path, img=stored(), mask=np.zeros((64, 64), np.uint8))


BAD_PATCHES: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (_text, "is neither an HDF5 file nor a PNG"),
    "empty": (Path.touch, "is neither an HDF5 file nor a PNG"),
    "folder": (Path.mkdir, "(There is no file|holds no patch)"),
    "missing": (lambda path: None, "There is no file"),
    "truncated": (_truncated, "is cut short or damaged"),
    "damaged": (_damaged, "is cut short or damaged"),
    "thirteen-bands": (_thirteen_bands, "a patch has 14 bands"),
    "strings": (_strings, "does not hold numbers"),
    "band-missing": (_band_missing, "B8 is missing throughout"),
    "huge": (_huge, "too large for one patch"),
    "mask-of-other-size": (_mask_of_other_size, "is 64 x 64 and its patch .* 48 x 48"),
}
"""How each kind of bad .h5 file is written, and a pattern of the sentence that refuses it."""


def write_bad_patch(kind: str, folder: Path) -> Path:
    """Write one kind of bad patch; its name is the kind's."""
    path = folder / f"{kind}.h5"
    BAD_PATCHES[kind][0](path)
    return path


def write_png(path: Path, height: int = 48, width: int = 48, mode: str = "RGB") -> Path:
    """Write a PNG of random pixels."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    Image.fromarray(pixels.squeeze(), mode).save(path)
    return path
