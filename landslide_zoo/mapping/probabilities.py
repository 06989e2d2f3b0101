"""Probabilities of a whole scene on disk: written row by row, read window by window."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyogrio.errors import DataLayerError, DataSourceError
from rasterio.errors import RasterioError

from landslide_zoo.data.patch import UNPLACED, Grid
from landslide_zoo.errors import DataError
from landslide_zoo.io import write_whole
from landslide_zoo.mapping.rasters import Window


@dataclass(frozen=True)
class State:
    """How far one step of a map is.

    Attributes:
        step: Which one, in a word or two: ``clouds``, ``network``, ``landslides``, ``files``.
        done: Parts of it that are done.
        total: All of its parts.
        seconds_left: Time that the rest of it will take; None before the first part is done.
    """

    step: str
    done: int
    total: int
    seconds_left: float | None = None


Listener = Callable[[State], None]
"""Is told of every part that is done."""


class Progress:
    """Tells a listener how far the work is.

    Args:
        listener: Who is told; nobody where None.
    """

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener
        self._state = State("", 0, 0)
        self._from = 0
        self._started = 0.0

    def start(self, step: str, total: int, done: int = 0) -> None:
        """Begin a step, of which an earlier run may have done a part."""
        self._from, self._started = done, time.monotonic()
        self._tell(State(step, done, total))

    def advance(self, parts: int = 1) -> None:
        """Say that so many more parts are done."""
        step, total, done = self._state.step, self._state.total, self._state.done + parts
        each = (time.monotonic() - self._started) / max(1, done - self._from)
        self._tell(State(step, done, total, each * (total - done)))

    def _tell(self, state: State) -> None:
        self._state = state
        if self._listener:
            self._listener(state)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is written into one sentence.

    Raises:
        DataError: In place of the errors of the system, of GDAL and of its drivers.
    """
    try:
        yield
    except (OSError, RasterioError, DataSourceError, DataLayerError) as error:
        raise DataError(
            f"{path} cannot be written ({getattr(error, 'strerror', None) or error}): free some "
            "space, or choose another folder."
        ) from error


def read_plain(file: int, window: Window, width: int, dtype: np.dtype) -> np.ndarray:
    """A window of a raster without a header, row after row in an open file.

    Args:
        file: Its descriptor.
        window: Lies inside the raster.
        width: That of the raster, in pixels.
        dtype: Type of the pixels.

    Returns:
        Shape (h, w).
    """
    values = np.empty((window.height, window.width), dtype)
    # Not mapped: pages of whole rows would count as memory of this process.
    for row, place in zip(values, _places(window, width, dtype), strict=True):
        os.preadv(file, [row.data], place)
    return values


def write_plain(file: int, window: Window, width: int, values: np.ndarray) -> None:
    """Write a window of such a raster, shape (h, w)."""
    for row, place in zip(values, _places(window, width, values.dtype), strict=True):
        os.pwrite(file, row.tobytes(), place)


def _places(window: Window, width: int, dtype: np.dtype) -> range:
    """Where the rows of a window begin in such a file, in bytes."""
    step = width * dtype.itemsize
    first = window.row * step + window.column * dtype.itemsize
    return range(first, first + window.height * step, step)


JOURNAL = "journal.json"
_MEASURED, _CLOUD = np.uint8(1), np.uint8(2)


@dataclass(frozen=True, eq=False)
class SceneWindow:
    """What is known of a window of a scene.

    Attributes:
        probability: The network's landslide probability, shape (h, w), float32, 0 to 1;
            it means nothing where a pixel is not observed.
        observed: Pixels that could be seen, shape (h, w), bool: measured and not under cloud.
        cloud: Pixels under cloud, shape (h, w), bool.
    """

    probability: np.ndarray
    observed: np.ndarray
    cloud: np.ndarray


@dataclass(frozen=True)
class RawRaster:
    """Pixels in a file without a header, row after row.

    Attributes:
        path: The file. Rows that were never written are 0 and take no room.
        size: Height and width in pixels.
        dtype: Type of a pixel.
    """

    path: Path
    size: tuple[int, int]
    dtype: str

    def create(self) -> None:
        """Make the file, all of it 0, in place of what was there.

        Raises:
            DataError: If there is no room for it.
        """
        with writing(self.path), self.path.open("wb") as file:
            file.truncate(self.nbytes)

    def read(self, window: Window) -> np.ndarray:
        """The pixels of a window, shape (h, w)."""
        with self.path.open("rb", buffering=0) as file:
            return read_plain(file.fileno(), window, self.size[1], np.dtype(self.dtype))

    def write(self, row: int, values: np.ndarray) -> None:
        """Write whole rows, to the disk itself.

        Args:
            row: The first of them.
            values: Shape (h, W).

        Raises:
            DataError: If they cannot be written.
        """
        with writing(self.path), self.path.open("r+b") as file:
            file.seek(row * self._row_bytes)
            file.write(np.ascontiguousarray(values, dtype=self.dtype).data)
            file.flush()
            os.fsync(file.fileno())

    @property
    def there(self) -> bool:
        """Whether the file is there and has the right size."""
        return self.path.is_file() and self.path.stat().st_size == self.nbytes

    @property
    def nbytes(self) -> int:
        """Size of the file in bytes."""
        return self.size[0] * self._row_bytes

    @property
    def _row_bytes(self) -> int:
        return self.size[1] * np.dtype(self.dtype).itemsize


class Probabilities:
    """The probabilities of a scene in a working folder.

    Attributes:
        folder: Holds the rasters and the journal.
        size: Height and width of the scene in pixels.
        grid: Its coordinate system, transform and pixel size.
    """

    def __init__(self, folder: Path, size: tuple[int, int], grid: Grid = UNPLACED) -> None:
        self.folder = folder
        self.size = size
        self.grid = grid
        self._probability = RawRaster(folder / "probability.f32", size, "<f4")
        self._flags = RawRaster(folder / "flags.u8", size, "u1")

    def read(self, window: Window) -> SceneWindow:
        """What is known of a window that lies inside the scene."""
        flags = self._flags.read(window)
        return SceneWindow(
            probability=self._probability.read(window),
            observed=flags == _MEASURED,
            cloud=(flags & _CLOUD) > 0,
        )

    @property
    def there(self) -> bool:
        """Whether the rasters are there and have the right size."""
        return all(raster.there for raster in (self._probability, self._flags))

    def create(self) -> None:
        """Make empty rasters, in place of what was there: nothing is observed.

        Raises:
            DataError: If there is no room for them.
        """
        rasters = (self._probability, self._flags)
        needed = sum(raster.nbytes for raster in rasters)
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise DataError(
                f"{self.folder} needs {needed / 1e9:.1f} GB for the work, and {free / 1e9:.1f} GB "
                "are free: free some space, or choose another folder."
            )
        for raster in rasters:
            raster.create()

    def write(
        self, row: int, probability: np.ndarray, measured: np.ndarray, cloud: np.ndarray
    ) -> None:
        """Write whole rows.

        Args:
            row: The first of them.
            probability: Shape (h, W), 0 to 1.
            measured: Pixels that hold data, under cloud or not, shape (h, W), bool.
            cloud: Pixels under cloud, shape (h, W), bool.

        Raises:
            DataError: If they cannot be written.
        """
        self._probability.write(row, probability)
        self._flags.write(row, measured * _MEASURED | cloud * _CLOUD)


class Journal:
    """How far the work in a folder has come, written whole after every step.

    Args:
        folder: The working folder.
        key: What the work depends on; work that depended on something else does not count.
    """

    def __init__(self, folder: Path, key: dict[str, Any]) -> None:
        self._path = folder / JOURNAL
        self._key = json.loads(json.dumps(key))
        self.counts: dict[str, int] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            found = json.loads(self._path.read_text(encoding="utf-8"))
            if found["key"] == self._key:
                self.counts = {str(name): int(count) for name, count in found["counts"].items()}

    def done(self, step: str) -> int:
        """How many parts of a step are done."""
        return self.counts.get(step, 0)

    def advance(self, step: str, count: int) -> None:
        """Say that so many parts of a step are done.

        Raises:
            DataError: If the journal cannot be written.
        """
        self.counts[step] = count
        write_whole(self._path, json.dumps({"key": self._key, "counts": self.counts}, indent=1))
