"""Patches and masks in HDF5 files, as Landslide4Sense keeps them.

An uploaded file is not trusted: HDF5 can point into other files (external
links, external storage, virtual datasets) and can ask for filter plugins, so
only datasets stored whole in the file itself, with HDF5's own filters, are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from landslide_zoo.data.bands import BAND_NAMES, divisors
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers.values import fill_missing
from landslide_zoo.errors import DataError

MIN_SIDE = 32
"""Smallest height and width, in pixels: the networks' stride."""
MAX_PIXELS = 2048 * 2048
"""Largest height x width read from one patch file: the plain U-Net takes 8 GB for it."""

_OWN_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_OWN_FILTERS |= {h5py.h5z.FILTER_SZIP, h5py.h5z.FILTER_LZF, h5py.h5z.FILTER_SCALEOFFSET}


def read_patch_h5(path: Path) -> Patch:
    """Read a 14-band patch from an HDF5 file.

    The patch is the dataset ``img``, or the only 3-D dataset there is, with the
    bands on its first or last axis. A 2-D dataset ``mask`` beside it is read as
    the patch's mask.

    Raises:
        DataError: If the file holds no such patch.
    """
    with _open(path) as file:
        datasets = _datasets(path, file)
        name = _choose(path, datasets, "img", 3)
        values = _bands_first(path, name, _numbers(path, datasets[name]))
        mask = None
        if "mask" in datasets and datasets["mask"].ndim == 2:
            mask = binary_mask(path, _numbers(path, datasets["mask"]))
    if mask is not None and mask.shape != values.shape[1:]:
        raise DataError(
            f"The mask in {path.name} is {mask.shape[0]} x {mask.shape[1]} and its patch "
            f"{values.shape[1]} x {values.shape[2]}: they must have one size."
        )
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows counts as missing
        values, filled = fill_missing(values * divisors(), BAND_NAMES, path.name)
    return Patch(values, name=path.stem, mask=mask, filled=filled)


def read_mask_h5(path: Path) -> np.ndarray:
    """Read a mask from an HDF5 file: the dataset ``mask``, or the only 2-D one there is.

    Returns:
        Landslide pixels as 1, others 0, shape (H, W), uint8.

    Raises:
        DataError: If the file holds no such mask.
    """
    with _open(path) as file:
        datasets = _datasets(path, file)
        name = _choose(path, datasets, "mask", 2)
        return binary_mask(path, _numbers(path, datasets[name]))


def write_patch_h5(path: Path, patch: Patch) -> None:
    """Write a physical 14-band patch as Landslide4Sense does: ``img``, (H, W, 14), float64."""
    values = patch.select(BAND_NAMES) / divisors()
    with h5py.File(path, "w") as file:
        file.create_dataset("img", data=values.transpose(1, 2, 0))


def write_mask_h5(target: Path | BinaryIO, mask: np.ndarray) -> None:
    """Write a mask (H, W) as Landslide4Sense does: ``mask``, uint8, 0 and 1."""
    with h5py.File(target, "w") as file:
        file.create_dataset("mask", data=mask.astype(np.uint8))


def binary_mask(path: Path, values: np.ndarray) -> np.ndarray:
    """Check that an array is a mask of 0 and 1 (or 0 and 255), and return it as 0 and 1.

    Raises:
        DataError: If it holds other values.
    """
    found = np.unique(values)
    if not (np.isin(found, (0, 1)).all() or np.isin(found, (0, 255)).all()):
        raise DataError(
            f"{path.name} is no mask: it holds values other than 0 and 1 (or 0 and 255), "
            f"from {found.min()} to {found.max()}."
        )
    return (values > 0).astype(np.uint8)


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    """The file, open for reading; whatever HDF5 finds broken in it becomes one sentence."""
    if not h5py.is_hdf5(path):
        raise DataError(f"{path.name} is not an HDF5 file; give a Landslide4Sense .h5 patch.")
    try:
        with h5py.File(path, "r") as file:
            yield file
    # h5py raises all of these where bytes of a file's own tables are wrong.
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{path.name} cannot be read: it is cut short or damaged; copy or download it again."
        ) from error


def _datasets(path: Path, file: h5py.File) -> dict[str, h5py.Dataset]:
    """Every dataset stored in the file, by path; a link out of it is refused, not followed."""
    for name in file:
        if isinstance(file.get(name, getlink=True), h5py.ExternalLink):
            raise DataError(
                f"{name!r} in {path.name} is a link to another file, which is not allowed: "
                "save it as a plain dataset."
            )
    found: dict[str, h5py.Dataset] = {}

    def keep(name: str, item: Any) -> None:  # noqa: ANN401 - h5py passes groups and datasets
        if isinstance(item, h5py.Dataset):
            found[name] = item

    file.visititems(keep)
    return found


def _choose(path: Path, datasets: dict[str, h5py.Dataset], name: str, ndim: int) -> str:
    """The dataset of the given name, or the only one with that many dimensions."""
    if name in datasets:
        if datasets[name].ndim != ndim:
            raise DataError(
                f"The dataset {name!r} in {path.name} has {datasets[name].ndim} dimensions "
                f"(shape {datasets[name].shape}) where {ndim} are needed."
            )
        return name
    candidates = [key for key, dataset in datasets.items() if dataset.ndim == ndim]
    if not candidates:
        held = ", ".join(f"{key} {data.shape}" for key, data in datasets.items()) or "no dataset"
        raise DataError(f"{path.name} holds no {ndim}-D dataset; it holds {held}.")
    if len(candidates) > 1:
        raise DataError(
            f"{path.name} holds {len(candidates)} {ndim}-D datasets ({', '.join(candidates)}): "
            f"rename the right one to {name!r}."
        )
    return candidates[0]


def _numbers(path: Path, dataset: h5py.Dataset) -> np.ndarray:
    """The dataset's values, read only if they are plain numbers stored in the file itself."""
    if dataset.dtype.kind not in "fiub":
        raise DataError(f"The dataset {dataset.name!r} in {path.name} does not hold numbers.")
    properties = dataset.id.get_create_plist()
    filters = {properties.get_filter(i)[0] for i in range(properties.get_nfilters())}
    if dataset.is_virtual or dataset.external or filters - _OWN_FILTERS:
        raise DataError(
            f"The dataset {dataset.name!r} in {path.name} is kept in other files or needs a "
            "filter plugin, which is not allowed: save it as a plain dataset."
        )
    if dataset.size > MAX_PIXELS * len(BAND_NAMES):
        raise DataError(
            f"{path.name} is too large for one patch ({dataset.shape}): "
            "cut it into parts of at most 2048 x 2048 pixels."
        )
    return dataset[()]


def _bands_first(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    """The values with their 14 bands on the first axis, (14, H, W)."""
    count = len(BAND_NAMES)
    if values.shape[-1] == count:
        values = values.transpose(2, 0, 1)
    elif values.shape[0] != count:
        raise DataError(
            f"The dataset {name!r} in {path.name} has shape {values.shape}: a patch has "
            f"{count} bands on its first or last axis ({', '.join(BAND_NAMES)})."
        )
    if min(values.shape[1:]) < MIN_SIDE:
        raise DataError(
            f"{path.name} is {values.shape[1]} x {values.shape[2]} pixels; "
            f"a patch has at least {MIN_SIDE} x {MIN_SIDE}."
        )
    return values
