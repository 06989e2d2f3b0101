"""A packed copy of a dataset: one memory-mapped array instead of thousands of files.

The benchmark's bands are whole numbers from 0 to 65,535, so ``uint16`` keeps
them without loss in a quarter of the space, and ``uint8`` keeps display values.
Patches that hold other numbers are kept as ``float32``.

Beside the arrays lies their SHA-256. Opening a copy compares size and time of
each file with what they were when it was written, and reads the files through
only where these differ, so that the processes of a training run do not each read
all of it; :meth:`PackedDataset.verify` always does, for one of them to call.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landslide_zoo.data.bands import Unit
from landslide_zoo.data.files import file_sha256
from landslide_zoo.data.landslide4sense import Sample
from landslide_zoo.data.patch import Fingerprint, Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.errors import DataError

_ARRAYS = ("values.npy", "masks.npy", "observed.npy")
_INDEX = "index.json"
_VERSION = 3

Progress = Callable[[Sequence[Sample]], Sequence[Sample]]


@dataclass(frozen=True)
class PackedDataset:
    """Labelled patches of one size, unit and set of bands.

    Attributes:
        values: Shape (N, C, H, W), memory-mapped: the patches' own times ``divisor``.
        masks: Shape (N, H, W), uint8, memory-mapped.
        observed: Shape (N, H, W), bool, memory-mapped.
        samples: The N samples they come from.
        bands: Names of the C bands.
        unit: Unit of the patches.
        divisor: What stored values are divided by.
        fingerprint: That of the patches (:class:`~landslide_zoo.data.patch.Fingerprint`).
        folder: Where the packed copy lies.
    """

    values: np.ndarray
    masks: np.ndarray
    observed: np.ndarray
    samples: tuple[Sample, ...]
    bands: tuple[str, ...]
    unit: Unit
    divisor: float
    fingerprint: str
    folder: Path

    def __len__(self) -> int:
        return len(self.samples)

    def patch(self, index: int) -> Patch:
        """The patch at an index, with its mask, as its reader gave it."""
        values = self.values[index].astype(np.float32)
        return Patch(
            values if self.divisor == 1 else values / np.float32(self.divisor),
            bands=self.bands,
            unit=self.unit,
            name=self.samples[index].image.stem,
            mask=np.array(self.masks[index]),
            observed=np.array(self.observed[index]),
        )

    def index_of(self, samples: Sequence[Sample]) -> list[int]:
        """Indices of the given samples."""
        places = {sample.image: i for i, sample in enumerate(self.samples)}
        return [places[sample.image] for sample in samples]

    def verify(self) -> None:
        """Read the packed copy through, and compare it with what was written.

        Raises:
            DataError: If a bit of it has changed.
        """
        _check_files(self.folder, thoroughly=True)


def pack(
    samples: Sequence[Sample], folder: Path, progress: Progress = lambda samples: samples
) -> PackedDataset:
    """Pack labelled samples once, and open the packed copy from then on.

    Args:
        samples: Labelled samples of one size, unit and set of bands.
        folder: Where packed copies are kept; each in a folder named by the
            files it was made from, their sizes and times.
        progress: Wraps the samples as they are read, to show progress.

    Raises:
        DataError: If a file cannot be read or differs from the first in size,
            unit or bands, or the packed copy is damaged; the message names it.
            Or if the folder has no room.
    """
    target = folder / _key(samples)
    if not (target / _INDEX).is_file():
        try:
            _make(samples, target, progress)
        except OSError as error:
            raise DataError(
                f"The packed dataset cannot be written to {folder} ({error.strerror}): free some "
                "space, or choose another folder."
            ) from error
    return _open(samples, target)


def _key(samples: Sequence[Sample]) -> str:
    digest = hashlib.sha256(str(_VERSION).encode())
    for sample in samples:
        for path in (sample.image, sample.mask):
            if path is None:
                raise DataError(f"{sample.image.name} has no mask; only labelled patches train.")
            stat = path.stat()
            digest.update(f"{path.absolute()}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:24]


def _make(samples: Sequence[Sample], target: Path, progress: Progress) -> None:
    """Write the packed copy beside its place and then put it there, whole."""
    first = _read(samples[0])
    divisor, small = (255, np.uint8) if first.unit == "display" else (1, np.uint16)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".packing-") as temporary:
        made = Path(temporary) / "packed"
        made.mkdir()
        try:
            _write(samples, made, progress, first, divisor, np.dtype(small))
        except _NotWholeError:
            _write(samples, made, progress, first, 1, np.dtype(np.float32))
        try:
            os.replace(made, target)
        except OSError:
            if not (target / _INDEX).is_file():  # else another process was first
                raise


class _NotWholeError(Exception):
    """A value that the small number type does not hold."""


def _write(
    samples: Sequence[Sample],
    folder: Path,
    progress: Progress,
    first: Patch,
    divisor: int,
    stored_type: np.dtype[Any],
) -> None:
    """Write the arrays and the index.

    They are written as plain files, not through a memory map: on a full disk
    that is an error to be told, where a memory map kills the process.
    """
    fingerprint = Fingerprint()
    shapes = (first.values.shape, first.size, first.size)
    types = (stored_type, np.dtype(np.uint8), np.dtype(bool))
    with ExitStack() as stack:
        files = [stack.enter_context((folder / name).open("wb")) for name in _ARRAYS]
        for file, shape, type_ in zip(files, shapes, types, strict=True):
            description = np.lib.format.dtype_to_descr(type_)
            header = {"descr": description, "fortran_order": False, "shape": (len(samples), *shape)}
            np.lib.format.write_array_header_1_0(file, header)
        for sample in progress(samples):
            patch = _read(sample)
            _check_alike(sample, patch, first)
            assert patch.mask is not None
            arrays = (_stored(patch, divisor, stored_type), patch.mask, patch.observed)
            for file, array in zip(files, arrays, strict=True):
                file.write(array.tobytes())
            fingerprint.add(patch)
    index = {
        "bands": first.bands,
        "unit": first.unit,
        "divisor": divisor,
        "fingerprint": fingerprint.hexdigest(),
        "files": {
            name: {"stamp": _stamp(folder / name), "sha256": file_sha256(folder / name)}
            for name in _ARRAYS
        },
    }
    (folder / _INDEX).write_text(json.dumps(index), encoding="utf-8")


def _read(sample: Sample) -> Patch:
    try:
        return read_patch(sample.image, sample.mask)
    except DataError as error:
        raise DataError(f"{sample.image.parent}: {error}") from error


def _check_alike(sample: Sample, patch: Patch, first: Patch) -> None:
    if (patch.size, patch.bands, patch.unit) != (first.size, first.bands, first.unit):
        raise DataError(
            f"{sample.image} is {patch.size[0]} x {patch.size[1]} with {len(patch.bands)} "
            f"{patch.unit} bands, and {first.name} {first.size[0]} x {first.size[1]} with "
            f"{len(first.bands)} {first.unit}: the patches of a dataset must be alike."
        )


def _stored(patch: Patch, divisor: int, stored_type: np.dtype[Any]) -> np.ndarray:
    """The values as they are stored; where that is a whole number, without loss."""
    if stored_type.kind == "f":
        return patch.values
    whole = np.rint(patch.values * divisor)
    stored = whole.clip(0, np.iinfo(stored_type).max).astype(stored_type)
    difference = np.abs(stored / np.float32(divisor) - patch.values).max()
    # A missing value was filled with a median, which may lie between two whole numbers.
    if difference > (0.5 / divisor if patch.filled else 0):
        raise _NotWholeError
    return stored


def _open(samples: Sequence[Sample], folder: Path) -> PackedDataset:
    _check_files(folder)
    index = _index(folder)
    values, masks, observed = (np.load(folder / name, mmap_mode="r") for name in _ARRAYS)
    return PackedDataset(
        values=values,
        masks=masks,
        observed=observed,
        samples=tuple(samples),
        bands=tuple(index["bands"]),
        unit=index["unit"],
        divisor=index["divisor"],
        fingerprint=index["fingerprint"],
        folder=folder,
    )


def _check_files(folder: Path, thoroughly: bool = False) -> None:
    for name, written in _index(folder)["files"].items():
        path = folder / name
        try:
            same = not thoroughly and _stamp(path) == written["stamp"]
            same = same or file_sha256(path) == written["sha256"]
        except OSError:
            same = False
        if not same:
            raise _damaged(folder)


def _index(folder: Path) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(folder) from error


def _damaged(folder: Path) -> DataError:
    return DataError(
        f"The packed dataset in {folder} is damaged or was changed: delete that folder, and it "
        "is packed again."
    )


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
