"""Compiled networks on disk: made once, bounded in size, whole or not there."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
import time
from pathlib import Path

from landslide_zoo.settings import Settings

logger = logging.getLogger(__name__)

LIMIT = 4 * 2**30
"""Bytes that are kept; the longest unused go first."""
_ABANDONED = 3600.0
"""Seconds after which a file that is still being written is nobody's."""


def cache_folder() -> Path:
    """The folder of what is kept on disk."""
    return Settings.from_environment().cache.expanduser()


class CompiledCache:
    """Compiled networks by key, in a folder that processes share.

    A file's name holds the digest of its content, so that a damaged one is found
    out; it gets that name when it is whole. A folder that cannot be written to
    keeps nothing, and nobody is disturbed.

    Args:
        folder: Where; in :func:`cache_folder` where None.
        limit: Bytes that are kept.
    """

    def __init__(self, folder: Path | None = None, limit: int = LIMIT) -> None:
        self.folder = folder or cache_folder() / "compiled"
        self._limit = limit

    def read(self, key: str) -> bytes | None:
        """What is kept under a key; None where there is nothing, or nothing that is whole."""
        for path in self.folder.glob(f"{key}.*.blob"):
            with contextlib.suppress(OSError):  # another process may have removed it
                content = path.read_bytes()
                if path.name == _name(key, content):
                    os.utime(path)  # used now
                    return content
                logger.warning("%s is damaged and made again", path)
                path.unlink()
        return None

    def write(self, key: str, content: bytes) -> None:
        """Keep something under a key, in place of what has not been used for longest."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (
                tempfile.NamedTemporaryFile(dir=self.folder, suffix=".new", delete=False) as new,
                contextlib.ExitStack() as undo,
            ):
                undo.callback(Path(new.name).unlink, missing_ok=True)
                new.write(content)
                new.flush()
                os.replace(new.name, self.folder / _name(key, content))
            self._tidy()
        except OSError as error:
            logger.warning("%s keeps no compiled network: %s", self.folder, error)

    def remove(self, key: str) -> None:
        """Forget what is kept under a key."""
        for path in self.folder.glob(f"{key}.*.blob"):
            path.unlink(missing_ok=True)

    def _tidy(self) -> None:
        """Remove what is abandoned, and the longest unused until the rest is within the limit."""
        kept: list[tuple[float, int, Path]] = []
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):
                status = path.stat()
                if path.suffix == ".blob":
                    kept.append((status.st_mtime, status.st_size, path))
                elif status.st_mtime < time.time() - _ABANDONED:
                    path.unlink()
        size = sum(each for _, each, _ in kept)
        for _, each, path in sorted(kept)[:-1]:  # the newest stays, however large
            if size > self._limit:
                path.unlink(missing_ok=True)
                size -= each


def _name(key: str, content: bytes) -> str:
    return f"{key}.{hashlib.sha256(content).hexdigest()}.blob"
