"""Patches and masks in HDF5 files, as Landslide4Sense keeps them.

HDF5 can point into other files (external links, external storage, virtual
datasets), ask for filter plugins, and ask for far more memory than the file is
long. Only datasets stored whole in the file itself, with filters that are known
and within the bounds of :mod:`landslide_zoo.data.readers.limits`, are read.
"""

from __future__ import annotations

import math
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from landslide_zoo.data.bands import BAND_NAMES, divisors
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers.limits import (
    MAX_BYTES,
    MAX_CHUNK_BYTES,
    MAX_CHUNKS,
    MAX_DEPTH,
    MAX_OBJECTS,
    check_size,
    damaged,
    shown,
)
from landslide_zoo.data.readers.values import binary_mask, physical_values
from landslide_zoo.errors import DataError

SUFFIXES: tuple[str, ...] = (".h5", ".hdf5", ".he5")

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SHUFFLE, _CHECKSUM = h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32
_GZIP, _LZF = h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_LZF
_LARGEST_GZIP_RATIO = 1032
_TRUSTED_INFLATION = 4 * MAX_CHUNK_BYTES
"""A stored chunk that gzip cannot blow up beyond this is read without a trial."""

Datasets = Mapping[str, h5py.Dataset]


def recognises(path: Path) -> bool:
    """Whether a file begins as HDF5 does, perhaps after a block of the user's own."""
    size = path.stat().st_size
    with path.open("rb") as file:
        offset = 0
        while offset < size:
            file.seek(offset)
            if file.read(8) == _SIGNATURE:
                return True
            offset = 2 * offset or 512
    return False


def read_patch(path: Path) -> Patch:
    """Read a 14-band patch from an HDF5 file.

    The patch is the dataset ``img``, or the only 3-D dataset there is, with the
    bands on its first or last axis. A dataset ``mask`` is read as the patch's
    mask. Both may lie in a group and have further axes of length 1.

    Raises:
        DataError: If the file holds no such patch, or is out of bounds.
    """
    with _open(path) as file:
        datasets = _find(path, file, ("img", "mask"))
        name = _choose(path, datasets, "img", 3)
        stored = _bands_first(path, name, _numbers(path, datasets[name], 3))
        mask, notes = _mask_beside(path, datasets, name, stored.shape[1:])
    values, observed, filled = physical_values(stored, path)
    return Patch(
        values, name=path.stem, mask=mask, observed=observed, filled=filled, notes=tuple(notes)
    )


def read_mask(path: Path) -> np.ndarray:
    """Read a mask from an HDF5 file: the dataset ``mask``, or the only 2-D one there is.

    Returns:
        Landslide pixels as 1, others 0, shape (H, W), uint8.

    Raises:
        DataError: If the file holds no such mask, or is out of bounds.
    """
    with _open(path) as file:
        datasets = _find(path, file, ("mask",))
        name = _choose(path, datasets, "mask", 2)
        return binary_mask(_numbers(path, datasets[name], 2), path)


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
def _open(path: Path) -> Iterator[h5py.File]:
    """The file, open for reading; whatever HDF5 finds broken in it becomes one sentence.

    It is opened without a lock: another program may have it open.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    # h5py raises all of these where bytes of a file's own tables are wrong.
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        if "already open for" in str(error):
            raise DataError(
                f"{shown(path.name)} is being written by another program, or was left so by one "
                "that broke off: close it there, or mend the file with 'h5clear -s'."
            ) from error
        raise damaged(path) from error


def _find(path: Path, file: h5py.File, names: tuple[str, ...]) -> Datasets:
    """The named datasets, or, where one is not at the top, every dataset within bounds."""
    found = {name: item for name in names if (item := _top(file, name)) is not None}
    if len(found) == len(names):
        return found
    try:
        return {**_search(path, file), **found}
    except DataError:
        if names[0] in found:
            return found
        raise


def _top(file: h5py.File, name: str) -> h5py.Dataset | None:
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        return None
    item = file[name]
    return item if isinstance(item, h5py.Dataset) else None


def _search(path: Path, file: h5py.File) -> Datasets:
    """Every dataset stored in the file, by path; links out of it are refused, not followed."""
    found: dict[str, h5py.Dataset] = {}
    seen: set[int] = set()
    groups: deque[tuple[str, h5py.Group, int]] = deque([("", file, 0)])
    left = MAX_OBJECTS
    while groups:
        prefix, group, depth = groups.popleft()
        left -= len(group)
        if left < 0:
            raise DataError(
                f"{shown(path.name)} holds more than {MAX_OBJECTS} groups and datasets, "
                "none of them called 'img' at the top: call the patch so."
            )
        for name in group:
            if not isinstance(name, str):  # bytes, where it is no text: h5py cannot open it
                continue
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise DataError(
                    f"{shown(prefix + name)!r} in {shown(path.name)} is a link to another file, "
                    "which is not allowed: save it as a plain dataset."
                )
            if isinstance(link, h5py.SoftLink):  # what it points to is found where it lies
                continue
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(item, h5py.Dataset):
                found[prefix + name] = item
            elif isinstance(item, h5py.Group) and depth < MAX_DEPTH:
                groups.append((f"{prefix}{name}/", item, depth + 1))
    return found


def _choose(path: Path, datasets: Datasets, name: str, ndim: int) -> str:
    """The dataset of the given name, or the only one with that many axes."""
    named = [key for key in datasets if key == name] or _in_groups(datasets, name)
    if len(named) == 1:
        [key] = named
        if len(_axes(datasets[key], ndim)) != ndim:
            shape = datasets[key].shape
            raise DataError(
                f"The dataset {shown(key)!r} in {shown(path.name)} has "
                f"{0 if shape is None else len(shape)} dimensions (shape {shown(shape)}) where "
                f"{ndim} are needed."
            )
        return key
    candidates = [key for key, data in datasets.items() if len(_axes(data, ndim)) == ndim]
    if not candidates:
        held = ", ".join(f"{key} {data.shape}" for key, data in datasets.items()) or "no dataset"
        raise DataError(f"{shown(path.name)} holds no {ndim}-D dataset; it holds {shown(held)}.")
    if len(candidates) > 1:
        raise DataError(
            f"{shown(path.name)} holds {len(candidates)} {ndim}-D datasets "
            f"({shown(', '.join(candidates))}): rename the right one to {name!r}."
        )
    return candidates[0]


def _in_groups(datasets: Datasets, name: str) -> list[str]:
    return [key for key in datasets if key.rpartition("/")[2] == name]


def _axes(dataset: h5py.Dataset, ndim: int) -> tuple[int, ...]:
    """Its shape, without axes of length 1 where it has more than it needs."""
    shape: tuple[int, ...] = dataset.shape or ()
    return tuple(n for n in shape if n != 1) if len(shape) > ndim else shape


def _mask_beside(
    path: Path, datasets: Datasets, patch_name: str, size: tuple[int, ...]
) -> tuple[np.ndarray | None, list[str]]:
    """The mask in a patch's own file, and what is to be said of masks that are not used."""
    group = patch_name.rpartition("/")[0]
    names = [
        name
        for name in (f"{group}/mask".lstrip("/"), "mask", *_in_groups(datasets, "mask"))
        if name in datasets
    ]
    if names and len(_axes(datasets[names[0]], 2)) == 2:
        mask = binary_mask(_numbers(path, datasets[names[0]], 2), path)
        if mask.shape != size:
            raise DataError(
                f"The mask in {shown(path.name)} is {mask.shape[0]} x {mask.shape[1]} and its "
                f"patch {size[0]} x {size[1]}: they must have one size."
            )
        return mask, []
    unused = names or [key for key, data in datasets.items() if _axes(data, 2) == size]
    return None, [
        f"{shown(key)!r} in {shown(path.name)}, of shape {shown(datasets[key].shape)}, "
        f"is not used: a mask is called 'mask' and is {size[0]} x {size[1]}."
        for key in unused[:1]
    ]


def _numbers(path: Path, dataset: h5py.Dataset, ndim: int) -> np.ndarray:
    """The dataset's values, once its header shows that reading them is safe."""
    name = f"The dataset {shown(dataset.name.lstrip('/'))!r} in {shown(path.name)}"
    if dataset.dtype.kind not in "fiub" or dataset.shape is None:
        raise DataError(f"{name} does not hold numbers.")
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    known = {_SHUFFLE, _GZIP, _LZF, _CHECKSUM}
    if (
        dataset.is_virtual
        or properties.get_external_count()
        or not known.issuperset(filters)
        or len(set(filters)) < len(filters)
    ):
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
    return dataset[()].reshape(_axes(dataset, ndim))


def _chunks_are_safe(dataset: h5py.Dataset, gzip: bool) -> bool:
    """Whether its chunks are within bounds, and hold no more than the header says.

    HDF5 unpacks a chunk to its end, however much longer than a chunk that is.
    """
    size = math.prod(dataset.chunks) * dataset.dtype.itemsize
    pairs = zip(dataset.shape, dataset.chunks, strict=True)
    number = math.prod(-(-length // step) for length, step in pairs)
    if size > MAX_CHUNK_BYTES or number > MAX_CHUNKS:
        return False
    stored: list[h5py.h5d.StoreInfo] = []
    dataset.id.chunk_iter(stored.append)
    if any(chunk.size > MAX_CHUNK_BYTES for chunk in stored):
        return False
    doubtful = [c for c in stored if c.size * _LARGEST_GZIP_RATIO > _TRUSTED_INFLATION]
    return not gzip or all(_fits(dataset, chunk.chunk_offset, size) for chunk in doubtful)


def _fits(dataset: h5py.Dataset, offset: tuple[int, ...], size: int) -> bool:
    """Whether a gzipped chunk unpacks to no more than a chunk and its checksum."""
    _, packed = dataset.id.read_direct_chunk(offset)
    try:
        return len(zlib.decompressobj().decompress(packed, size + 5)) <= size + 4
    except zlib.error:  # not packed, or broken: HDF5 will tell
        return True


def _bands_first(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    """The values with their 14 bands on the first axis, (14, H, W)."""
    count = len(BAND_NAMES)
    if values.shape[-1] == count:
        values = values.transpose(2, 0, 1)
    elif values.shape[0] != count:
        raise DataError(
            f"The dataset {shown(name)!r} in {shown(path.name)} has shape {values.shape}: a patch "
            f"has {count} bands on its first or last axis ({', '.join(BAND_NAMES)})."
        )
    check_size(path, *values.shape[1:])
    return values
