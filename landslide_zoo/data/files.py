"""Files of this machine: written whole, and told by their digest."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from landslide_zoo.errors import DataError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside its place and then put it there, in place of what was there.

    What reads it never sees half of it, nor a mixture where several write it at once.

    Args:
        path: The file; its folder is made if need be.
        content: Text (written as UTF-8) or bytes.

    Raises:
        DataError: If it cannot be written; what was there stays.
    """
    new = path.with_name(f".{secrets.token_hex(8)}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(new, path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror or error}): free some space, or choose "
            "another folder."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # its folder may be none
            new.unlink(missing_ok=True)


def public_name(name: str | Path) -> str:
    """How records name a file or folder of this machine: by the last part of its path.

    Any other name, such as a dataset's id on the Hub, stays as it is.
    """
    return os.path.basename(os.path.abspath(name)) if os.path.exists(name) else str(name)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
