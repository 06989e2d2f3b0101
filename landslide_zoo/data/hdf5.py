"""Arrays in HDF5 files, as Landslide4Sense keeps patches and masks.

HDF5 can point into other files (external links, external storage, virtual
datasets), ask for filter plugins, and ask for far more memory than the file is
long. Only datasets stored whole in the file itself, with filters that are known
and of a size within bounds, are read. Strangers' files are read in a process with limits
besides (:mod:`landslide_zoo.data.safe_read`).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from landslide_zoo.data.bands import BAND_NAMES, divisors
from landslide_zoo.data.patch import MAX_PIXELS, Patch
from landslide_zoo.errors import DataError, damaged, shown

SUFFIXES: tuple[str, ...] = (".h5", ".hdf5", ".he5")

MAX_BYTES = MAX_PIXELS * len(BAND_NAMES) * 8
"""Largest dataset: fourteen bands of the largest patch in float64, 470 MB."""
MAX_CHUNKS = 100_000
"""HDF5 keeps 250 bytes a chunk while it reads, and the largest patch has 5,000 chunks of
the size that h5py chooses."""
MAX_CHUNK_BYTES = 64 * 1024 * 1024
"""HDF5 reads and unpacks whole chunks, however little of them is asked for."""
_GZIP = h5py.h5z.FILTER_DEFLATE
_FILTERS = {_GZIP, h5py.h5z.FILTER_LZF, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_GZIP_RATIO = 1032
"""By how much gzip can shrink bytes at most."""

Datasets = Mapping[str, h5py.Dataset]


def read_bands(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """The fourteen bands of a patch, and its mask if the file holds one.

    The bands are the dataset ``img``, or the only 3-D dataset there is, on its first or
    last axis; the mask is called ``mask``. Both may lie in a group and have further axes
    of length 1.

    Returns:
        Values as they are stored, shape (14, H, W), and the mask or None.

    Raises:
        DataError: If the file holds no such patch, or is out of bounds.
    """
    with _datasets(path) as datasets:
        name = _choose(path, datasets, "img", 3)
        bands = _numbers(path, datasets[name], 3)
        masks = _called(datasets, "mask")
        mask = _numbers(path, datasets[masks[0]], 2) if masks else None
    count = len(BAND_NAMES)
    if bands.shape[-1] == count:
        bands = bands.transpose(2, 0, 1)
    elif bands.shape[0] != count:
        raise DataError(
            f"The dataset {shown(name)!r} in {shown(path.name)} has shape {bands.shape}: a patch "
            f"has {count} bands on its first or last axis ({', '.join(BAND_NAMES)})."
        )
    return bands, mask


def read_plane(path: Path) -> np.ndarray:
    """The dataset ``mask``, or the only 2-D dataset there is, shape (H, W).

    Raises:
        DataError: If the file holds no such dataset, or is out of bounds.
    """
    with _datasets(path) as datasets:
        return _numbers(path, datasets[_choose(path, datasets, "mask", 2)], 2)


def write_patch_h5(path: Path, patch: Patch) -> None:
    """Write a physical 14-band patch as Landslide4Sense does: ``img``, (H, W, 14), float64."""
    values = patch.select(BAND_NAMES) / divisors()
    with h5py.File(path, "w") as file:
        file.create_dataset("img", data=values.transpose(1, 2, 0))


def write_mask_h5(
    target: Path | BinaryIO, mask: np.ndarray, observed: np.ndarray | None = None
) -> None:
    """Write a mask (H, W) as Landslide4Sense does: ``mask``, uint8, 0 and 1.

    Args:
        target: File to write.
        mask: The mask.
        observed: Pixels that could be seen, shape (H, W); written beside it as
            ``observed``, uint8, 0 and 1, where it is given.
    """
    with h5py.File(target, "w") as file:
        file.create_dataset("mask", data=mask.astype(np.uint8))
        if observed is not None:
            file.create_dataset("observed", data=observed.astype(np.uint8))


@contextmanager
def _datasets(path: Path) -> Iterator[Datasets]:
    """Every dataset that lies in the file itself; whatever is broken in it is one sentence.

    It is opened without a lock: another program may have it open.
    """
    datasets: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            datasets[name] = item

    try:
        with h5py.File(path, "r", locking=False) as file:
            file.visititems(visit)  # which follows no link out of the file
            yield datasets
    # h5py raises all of these where bytes of a file's own tables are wrong.
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise damaged(path) from error


def _called(datasets: Datasets, name: str) -> list[str]:
    """The datasets of that name, at the top or in a group."""
    return [name] if name in datasets else [k for k in datasets if k.rpartition("/")[2] == name]


def _choose(path: Path, datasets: Datasets, name: str, ndim: int) -> str:
    """The dataset of the given name, or the only one with that many axes."""
    named = _called(datasets, name)
    if len(named) == 1:
        return named[0]
    candidates = [key for key, data in datasets.items() if len(_axes(data, ndim)) == ndim]
    if len(candidates) != 1:
        contents = ", ".join(f"{key} {data.shape}" for key, data in datasets.items())
        raise DataError(
            f"{shown(path.name)} holds {len(candidates) or 'no'} {ndim}-D datasets of its own "
            f"where one is needed, called {name!r}; it holds {shown(contents or 'no dataset')}."
        )
    return candidates[0]


def _axes(dataset: h5py.Dataset, ndim: int) -> tuple[int, ...]:
    """Its shape, without axes of length 1 where it has more than it needs."""
    shape: tuple[int, ...] = dataset.shape or ()
    return tuple(n for n in shape if n != 1) if len(shape) > ndim else shape


def _numbers(path: Path, dataset: h5py.Dataset, ndim: int) -> np.ndarray:
    """The dataset's values, once its header shows that reading them is safe."""
    name = f"The dataset {shown(dataset.name.lstrip('/'))!r} in {shown(path.name)}"
    axes = _axes(dataset, ndim)
    if len(axes) != ndim:
        raise DataError(
            f"{name} has {len(axes)} dimensions (shape {shown(dataset.shape)}) where {ndim} are "
            "needed."
        )
    if dataset.dtype.kind not in "fiub":
        raise DataError(f"{name} does not hold numbers.")
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    elsewhere = dataset.is_virtual or properties.get_external_count()
    twice = len(set(filters)) < len(filters)
    if elsewhere or twice or not _FILTERS.issuperset(filters):
        raise DataError(
            f"{name} is kept in other files or needs a filter plugin, which is not allowed: "
            "save it as a plain dataset, or compressed with gzip."
        )
    if dataset.size * dataset.dtype.itemsize > MAX_BYTES:
        raise DataError(
            f"{shown(path.name)} is too large for one patch ({shown(dataset.shape)}): "
            "cut it into parts of at most 2048 x 2048 pixels."
        )
    if dataset.chunks is not None and not _chunks_are_safe(dataset, _GZIP in filters):
        raise DataError(
            f"{name} is cut into chunks that are too many, too large, or larger than they say "
            f"({shown(dataset.chunks)}): save it without chunks."
        )
    return dataset[()].reshape(axes)


def _chunks_are_safe(dataset: h5py.Dataset, gzip: bool) -> bool:
    """Whether its chunks are within bounds, and hold no more than the header says.

    HDF5 unpacks a chunk to its end, however much longer than a chunk that is.
    """
    size = math.prod(dataset.chunks) * dataset.dtype.itemsize
    pairs = zip(dataset.shape, dataset.chunks, strict=True)
    number = math.prod(-(-length // step) for length, step in pairs)
    if size > MAX_CHUNK_BYTES or number > MAX_CHUNKS:
        return False
    chunks: list[h5py.h5d.StoreInfo] = []
    dataset.id.chunk_iter(chunks.append)
    for chunk in chunks:
        if chunk.size > MAX_CHUNK_BYTES:
            return False
        if gzip and chunk.size * _GZIP_RATIO > 4 * MAX_CHUNK_BYTES:
            _, packed = dataset.id.read_direct_chunk(chunk.chunk_offset)
            try:  # with room for a checksum
                if len(zlib.decompressobj().decompress(packed, size + 5)) > size + 4:
                    return False
            except zlib.error:  # not packed, or broken, which HDF5 reports itself
                continue
    return True
