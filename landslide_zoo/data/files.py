"""Writing files whole: what reads one, or is killed while writing one, never sees half of it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from landslide_zoo.errors import DataError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside its place and then put it there, in place of what was there.

    Args:
        path: The file; its folder is made if need be.
        content: Text (written as UTF-8) or bytes.

    Raises:
        DataError: If it cannot be written; what was there stays.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(new, path)
    except OSError as error:
        with contextlib.suppress(OSError):  # its folder may be none
            new.unlink(missing_ok=True)
        raise DataError(
            f"{path} cannot be written ({error.strerror or error}): free some space, or choose "
            "another folder."
        ) from error
