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


def _not_hdf5(path: Path) -> None:
    path.write_text("a web page that says the download failed\n" * 50)


def _empty(path: Path) -> None:
    path.touch()


def _truncated(path: Path) -> None:
    whole = write_patch(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _damaged(path: Path) -> None:
    """Break the table of the file's own objects; its beginning stays an HDF5 file's."""
    whole = bytearray(write_patch(path).read_bytes())
    start = whole.index(b"HEAP")
    whole[start : start + 4] = b"JUNK"
    path.write_bytes(whole)


def _no_volume(path: Path) -> None:
    write_h5(path, slope=np.ones((48, 48)), note=np.ones(3))


def _two_volumes(path: Path) -> None:
    write_h5(path, before=stored(), after=stored())


def _thirteen_bands(path: Path) -> None:
    write_h5(path, img=stored()[..., :13])


def _flat(path: Path) -> None:
    write_h5(path, img=stored()[..., 0])


def _strings(path: Path) -> None:
    write_h5(path, img=np.full((48, 48, BANDS_COUNT), b"12.5"))


def _no_pixels(path: Path) -> None:
    write_h5(path, img=np.ones((0, 48, BANDS_COUNT)))


def _all_missing(path: Path) -> None:
    write_h5(path, img=np.full((48, 48, BANDS_COUNT), np.nan))


def _band_missing(path: Path) -> None:
    values = stored()
    values[..., BAND_NAMES.index("B8")] = np.inf
    write_h5(path, img=values)


def _one_pixel(path: Path) -> None:
    write_h5(path, img=np.ones((1, 1, BANDS_COUNT)))


def _huge(path: Path) -> None:
    with h5py.File(path, "w") as file:
        # Chunks that were never written take no room in the file: 2 kB claim 45 GB.
        shape = (20_000, 20_000, BANDS_COUNT)
        file.create_dataset("img", shape=shape, dtype="f8", chunks=(64, 64, BANDS_COUNT))


def _folder(path: Path) -> None:
    path.mkdir()


def _missing(path: Path) -> None:
    """There is no such file."""


def _external_link(path: Path) -> None:
    other = write_patch(path.with_name("elsewhere.h5"))
    with h5py.File(path, "w") as file:
        file["img"] = h5py.ExternalLink(other, "img")


def _external_storage(path: Path) -> None:
    raw = path.with_name("elsewhere.raw")
    raw.write_bytes(stored().tobytes())
    with h5py.File(path, "w") as file:
        place = [(str(raw), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("img", shape=(48, 48, BANDS_COUNT), dtype="f8", external=place)


def _virtual(path: Path) -> None:
    other = write_patch(path.with_name("elsewhere.h5"))
    layout = h5py.VirtualLayout(shape=(48, 48, BANDS_COUNT), dtype="f8")
    layout[:] = h5py.VirtualSource(other, "img", shape=(48, 48, BANDS_COUNT))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("img", layout)


def _plugin_filter(path: Path) -> None:
    zstandard = 32015  # registered with the HDF Group; needs a plugin
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((48, 48, BANDS_COUNT))
    properties.set_filter(zstandard, h5py.h5z.FLAG_OPTIONAL, ())
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((48, 48, BANDS_COUNT))
        h5py.h5d.create(file.id, b"img", h5py.h5t.NATIVE_DOUBLE, space, properties)


def _mask_of_other_size(path: Path) -> None:
    write_h5(path, img=stored(), mask=np.zeros((64, 64), np.uint8))


def _mask_of_classes(path: Path) -> None:
    write_h5(path, img=stored(), mask=np.arange(48 * 48).reshape(48, 48) % 8)


BAD_PATCHES: dict[str, tuple[Callable[[Path], None], str]] = {
    "text": (_not_hdf5, "is neither an HDF5 file nor a PNG"),
    "empty": (_empty, "is empty"),
    "truncated": (_truncated, "is cut short or damaged"),
    "damaged": (_damaged, "is cut short or damaged"),
    "no-volume": (_no_volume, r"no 3-D dataset; it holds note \(3,\), slope \(48, 48\)"),
    "two-volumes": (_two_volumes, r"2 3-D datasets \(after, before\)"),
    "thirteen-bands": (_thirteen_bands, r"shape \(48, 48, 13\): a patch has 14 bands"),
    "flat": (_flat, "has 2 dimensions"),
    "strings": (_strings, "does not hold numbers"),
    "no-pixels": (_no_pixels, "is 0 x 48 pixels"),
    "all-missing": (_all_missing, "is 100 % missing"),
    "band-missing": (_band_missing, "Band B8 of .* is missing throughout"),
    "one-pixel": (_one_pixel, "is 1 x 1 pixels"),
    "huge": (_huge, "too large for one patch"),
    "folder": (_folder, "(is a folder|holds no patch)"),
    "missing": (_missing, "There is no file"),
    "external-link": (_external_link, "is a link to another file"),
    "external-storage": (_external_storage, "is kept in other files"),
    "virtual": (_virtual, "is kept in other files"),
    "plugin-filter": (_plugin_filter, "needs a filter plugin"),
    "mask-of-other-size": (_mask_of_other_size, "mask in .* is 64 x 64 and its patch 48 x 48"),
    "mask-of-classes": (_mask_of_classes, "is no mask: .* from 0 to 7"),
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
