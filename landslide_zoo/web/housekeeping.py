"""The app's temporary folder, which is swept, and an orderly end of the process."""

from __future__ import annotations

import ctypes
import fcntl
import gc
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from landslide_zoo.inference.backends import release_memory

logger = logging.getLogger(__name__)

_PREFIX = "landslide-zoo-"
_LOCK = ".lock"
_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3
"""Options of ``mallopt``, as glibc's ``malloc.h`` numbers them."""


class TemporaryFolder:
    """A folder of this process for uploads and results, deleted when the process ends.

    Folders that others like it left behind, because they were killed, are deleted too.

    Args:
        parent: Where to make it.
        keep_seconds: Age from which :meth:`sweep` deletes what is in it.
    """

    def __init__(self, parent: Path, keep_seconds: float) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob(f"{_PREFIX}*"):
            if _left_behind(left):
                shutil.rmtree(left, ignore_errors=True)
        self._keep = keep_seconds
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
        self._lock = (new / _LOCK).open("w", encoding="utf-8")
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # the system lets go of it when the process ends
        # It gets its name once it is locked: nobody takes it for one that was left behind.
        self.path = new.rename(parent / new.name.replace(".new-", _PREFIX))

    def sweep(self) -> None:
        """Delete files that were not used for so long, and folders that are empty as long."""
        for folder, _, files in os.walk(self.path, topdown=False):
            for name in files:
                path = Path(folder, name)
                if name != _LOCK and self._old(path):
                    path.unlink(missing_ok=True)
            if Path(folder) != self.path and self._old(Path(folder)):
                try:
                    Path(folder).rmdir()
                except OSError:  # not empty
                    continue

    def delete(self) -> None:
        """Delete it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()

    def _old(self, path: Path) -> bool:
        try:
            state = path.stat()
        except OSError:
            return False
        return time.time() - max(state.st_mtime, state.st_ctime) > self._keep


def do_regularly(seconds: float, *tasks: Callable[[], object]) -> None:
    """Do tasks again and again, in the background.

    Args:
        seconds: Time from one round to the next.
        tasks: What to do; one that fails is tried again the next time.
    """

    def work() -> None:
        while True:
            time.sleep(seconds)
            for task in tasks:
                try:
                    task()
                except Exception:
                    logger.exception("Something could not be tidied up.")

    threading.Thread(target=work, name="housekeeping", daemon=True).start()


def interrupt_on_sigterm() -> None:
    """Let SIGTERM end the process as Ctrl-C does, also as the first process of a container."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)


def exit_now() -> None:
    """End the process with status 0, whatever its threads still wait for."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def share_freed_memory() -> None:
    """Let the C library keep freed memory for all threads, not some for each of dozens.

    Arrays from a megabyte on are returned to the system as soon as they are freed.
    """
    if set_option := getattr(ctypes.CDLL(None), "mallopt", None):  # there is none but in glibc
        set_option(_M_ARENA_MAX, 2)
        set_option(_M_MMAP_THRESHOLD, 2**20)


def give_memory_back() -> None:
    """Return memory that is free: what Python, the networks and the C library keep of it."""
    gc.collect()
    release_memory()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def _left_behind(folder: Path) -> bool:
    """Whether a folder has a lock that nobody holds; one without a lock is none of these."""
    try:
        with (folder / _LOCK).open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
