"""The app's temporary folder, which is swept, and an orderly end of the process."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType

_PREFIX = "landslide-zoo-"
_LOCK = ".lock"


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

    def start(self) -> None:
        """Sweep again and again, in the background, and give memory that is free back."""
        period = min(30.0, self._keep / 2)

        def sweep() -> None:
            while True:
                time.sleep(period)
                self.sweep()
                _give_memory_back()

        threading.Thread(target=sweep, name="sweeper", daemon=True).start()

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


def _give_memory_back() -> None:
    """Let the C library return what dozens of threads freed; by itself it keeps it for them."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # there is none but in glibc
    if trim is not None:
        trim(0)


def _left_behind(folder: Path) -> bool:
    """Whether a folder has a lock that nobody holds; one without a lock is none of these."""
    try:
        with (folder / _LOCK).open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
