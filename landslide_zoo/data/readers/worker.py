"""Reading files that are not trusted, in a process of their own.

A file that makes HDF5 crash, run on or fill the memory in spite of all checks
takes the worker with it, not the app and its other visitors. A worker stays for
the next file; after one that was lost, or that grew large, comes a new one.

What a worker sends is JSON and plain arrays, never pickles: it has seen the file.
"""

from __future__ import annotations

import atexit
import json
import math
import queue
import signal
import sys
import traceback
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from landslide_zoo.data.grid import Grid
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.data.readers.limits import check_size, shown
from landslide_zoo.data.readers.process import WorkerProcess, limit_memory
from landslide_zoo.errors import DataError

SECONDS = 20.0
"""Processor time for one file. The largest that is allowed, in gzip, takes 5 s."""
PATIENCE = 3
"""How many times as long it may take by the clock, where others want the processor too."""
MEMORY = 2 * 1024**3
"""Bytes that reading may take. The largest file that is allowed takes 0.8 GB."""
LARGE = 512 * 1024**2
"""A worker that took more bytes than this is replaced, so that they are given back."""
WORKERS = 2


class ReadingWorker(WorkerProcess):
    """A process that reads one file after another; it is started by the first.

    Args:
        seconds: Processor time for one file.
        memory: Bytes that reading may take.
    """

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        super().__init__(OPENBLAS_NUM_THREADS="1")
        self.seconds, self.memory = seconds, memory

    def code(self) -> str:
        """What the process runs."""
        return f"from {__name__} import serve; serve({self.seconds}, {self.memory})"

    def read_patch(
        self, path: str | Path, mask: str | Path | None = None, max_pixels: int | None = None
    ) -> Patch:
        """Read a patch as :func:`landslide_zoo.data.readers.read_patch` does, in the process.

        Args:
            path: As that function takes it.
            mask: As that function takes it.
            max_pixels: A patch of more pixels is refused where it was read.

        Raises:
            DataError: What that function raises; if the patch is too large; or if the
                process runs out of time, or is lost over the file.
        """
        paths = [None if one is None else str(Path(one).absolute()) for one in (path, mask)]
        process = self.start()
        assert process.stdin is not None and process.stdout is not None
        stream = cast(BufferedReader, process.stdout)
        try:
            process.stdin.write(json.dumps([*paths, max_pixels]).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(stream.readline())
            patch = None if "error" in answer else _receive(answer, stream)
        except (OSError, EOFError, ValueError) as error:  # the pipe ends in the middle
            slow = self.close() in (-signal.SIGPROF, -signal.SIGALRM)
            reason = f"it takes more than {self.seconds:g} s" if slow else "its reader broke off"
            raise DataError(
                f"{shown(Path(path).name)} cannot be read ({reason}): save it as a plain "
                "uncompressed dataset, in parts of at most 2048 x 2048 pixels."
            ) from error
        except BaseException:  # what is left in the pipe belongs to no later file
            self.close()
            raise
        if answer["peak"] > LARGE:
            self.close()
        if patch is None:
            raise DataError(answer["error"])
        return patch


_free: queue.SimpleQueue[ReadingWorker] = queue.SimpleQueue()
_workers = [ReadingWorker() for _ in range(WORKERS)]
for _worker in _workers:
    _free.put(_worker)
    atexit.register(_worker.close)


def read_patch_safely(
    path: str | Path, mask: str | Path | None = None, max_pixels: int | None = None
) -> Patch:
    """Read a patch that somebody uploaded: in one of two workers, whichever is free first.

    Threads may call it at once.

    Args:
        path: As for :func:`landslide_zoo.data.readers.read_patch`.
        mask: File of the patch's mask, if there is one.
        max_pixels: A patch of more pixels is refused, whoever may read it elsewhere.

    Raises:
        DataError: If the file holds no patch, is too large, takes too long or breaks its reader.
    """
    worker = _free.get()
    try:
        return worker.read_patch(path, mask, max_pixels)
    finally:
        _free.put(worker)


def serve(seconds: float, memory: int) -> None:
    """Be a worker: read the files that are named on standard input, until it ends."""
    limit_memory(memory)
    for line in sys.stdin.buffer:
        _set_timers(seconds)
        path, mask, max_pixels = json.loads(line)
        _send(path, mask, max_pixels, sys.stdout.buffer)
        _set_timers(0)


def _set_timers(seconds: float) -> None:
    """Let their signals, which nothing handles, end the process wherever it is; 0 stops them."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds)


def _peak() -> int:
    """The most bytes that this process has had in memory."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage counts the process that started this one, which may be large
        line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _send(path: str, mask: str | None, max_pixels: int | None, stream: IO[bytes]) -> None:
    answer: dict[str, Any]
    arrays: list[np.ndarray] = []
    try:
        patch = read_patch(path, mask)
        height, width = patch.size
        if max_pixels is not None and height * width > max_pixels:
            raise DataError(
                f"{shown(Path(path).name)} is {height} x {width} pixels, more than are taken here: "
                f"cut it into parts of at most {math.isqrt(max_pixels)} x {math.isqrt(max_pixels)}."
            )
    except DataError as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": f"{shown(Path(path).name)} takes too much memory to read."}
    except Exception:
        traceback.print_exc()  # for whoever runs the app: a reader has a fault
        answer = {"error": f"{shown(Path(path).name)} cannot be read."}
    else:
        answer = {
            "bands": patch.bands,
            "unit": patch.unit,
            "name": patch.name,
            "grid": [patch.grid.pixel_size, patch.grid.crs, patch.grid.transform],
            "filled": patch.filled,
            "notes": patch.notes,
            "size": patch.size,
            "masked": patch.mask is not None,
        }
        arrays = [patch.values, patch.observed] + ([] if patch.mask is None else [patch.mask])
    stream.write(json.dumps(answer | {"peak": _peak()}).encode() + b"\n")
    for array in arrays:
        stream.write(np.ascontiguousarray(array).data.cast("B"))
    stream.flush()


def _receive(answer: dict[str, Any], stream: BufferedReader) -> Patch:
    height, width = answer["size"]
    check_size(Path(answer["name"]), height, width)
    values = np.empty((len(answer["bands"]), height, width), np.float32)
    observed = np.empty((height, width), bool)
    mask = np.empty((height, width), np.uint8) if answer["masked"] else None
    for array in (values, observed, mask):
        if array is not None and stream.readinto(array.data.cast("B")) < array.nbytes:
            raise EOFError
    pixel_size, crs, transform = answer["grid"]
    return Patch(
        values,
        bands=tuple(answer["bands"]),
        unit=answer["unit"],
        name=answer["name"],
        mask=mask,
        observed=observed,
        grid=Grid(tuple(pixel_size), crs, transform and tuple(transform)),
        filled=answer["filled"],
        notes=tuple(answer["notes"]),
    )
