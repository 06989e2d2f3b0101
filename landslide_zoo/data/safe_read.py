"""Reading files that strangers send, in processes of their own.

A file that makes a library crash, run on or fill the memory in spite of all checks takes
such a process with it, not the app and its other visitors; the next job finds a new one.
The limits guard against what a file can ask for. They are no sandbox: a process runs as the
same user, and its answers are unpickled.
"""

from __future__ import annotations

import atexit
import math
import multiprocessing
import os
from functools import cache
from pathlib import Path

from pebble import ProcessExpired, ProcessPool

from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.errors import DataError, shown

SECONDS = 20.0
"""How long reading one file may take. The largest that is allowed, in gzip, takes 5 s."""
MEMORY = 2 * 1024**3
"""Bytes that reading may take. The largest file that is allowed takes 0.8 GB."""
WORKERS = 2
JOBS = 100
"""A process is replaced after so many files, so that what it has grown by is given back."""


def worker_pool(workers: int, memory: int, jobs: int = 0) -> ProcessPool:
    """Processes with limited memory; ``schedule(function, args, timeout=...)`` gives them work.

    A program that uses them must guard its main module with ``__name__ == "__main__"``.

    Args:
        workers: How many there are.
        memory: Bytes that each may take more than it has when it starts.
        jobs: After how many jobs each is replaced; 0 for never.
    """
    pool = ProcessPool(
        workers,
        max_tasks=jobs,
        initializer=_limit,
        initargs=(memory,),
        context=multiprocessing.get_context("spawn"),
    )
    atexit.register(pool.stop)
    return pool


def read_patch_safely(
    path: str | Path, mask: str | Path | None = None, max_pixels: int | None = None
) -> Patch:
    """Read a patch that somebody uploaded; threads may call it at once.

    Args:
        path: As for :func:`landslide_zoo.data.readers.read_patch`.
        mask: File of the patch's mask, if there is one.
        max_pixels: A patch of more pixels is refused, whoever may read it elsewhere.

    Raises:
        DataError: If the file holds no patch, is too large, takes too long or breaks its reader.
    """
    paths = [path and Path(path).absolute() for path in (path, mask)]
    try:
        return _pool().schedule(_read, (*paths, max_pixels), timeout=SECONDS).result()
    except (TimeoutError, ProcessExpired, MemoryError) as error:
        slow = isinstance(error, TimeoutError)
        reason = f"it takes more than {SECONDS:g} s" if slow else "its reader broke off"
        raise DataError(
            f"{shown(Path(path).name)} cannot be read ({reason}): save it as a plain "
            "uncompressed dataset, in parts of at most 2048 x 2048 pixels."
        ) from error


@cache
def _pool() -> ProcessPool:
    return worker_pool(WORKERS, MEMORY, JOBS)


def _read(path: Path, mask: Path | None, max_pixels: int | None) -> Patch:
    patch = read_patch(path, mask)
    height, width = patch.size
    if max_pixels is not None and height * width > max_pixels:
        side = math.isqrt(max_pixels)
        raise DataError(
            f"{shown(path.name)} is {height} x {width} pixels, more than are taken here: "
            f"cut it into parts of at most {side} x {side}."
        )
    return patch


def _limit(memory: int) -> None:
    """Let this process find no token, and take so many bytes more than it has."""
    for name in [name for name in os.environ if "TOKEN" in name]:
        del os.environ[name]
    statm = Path("/proc/self/statm")
    if statm.exists():
        import resource

        now = int(statm.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (now + memory, hard))
