"""Files of this machine: written whole, and identified by their digest."""

from __future__ import annotations

import hashlib
import os
import secrets
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from landslide_zoo.errors import DataError


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A temporary path beside a file, which replaces the file at the end of the block.

    A reader never sees half of a file, nor a mixture where several write it at once.

    Args:
        path: The file; its folder is made if need be.

    Yields:
        The path to write to, with the same suffix.

    Raises:
        DataError: If it cannot be written; what was there stays.
    """
    new = path.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield new
        os.replace(new, path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror or error}): free some space, or choose "
            "another folder."
        ) from error
    finally:
        with suppress(OSError):  # the folder may be missing
            new.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file as a whole: see :func:`staged`.

    Args:
        path: The file; its folder is made if need be.
        content: Text (written as UTF-8) or bytes.

    Raises:
        DataError: If it cannot be written; what was there stays.
    """
    with staged(path) as new:
        new.write_bytes(content.encode() if isinstance(content, str) else content)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def public_name(name: str | Path) -> str:
    """How records name a file or folder of this machine: by the last part of its path.

    Any other name, such as a dataset's id on the Hub, stays as it is.
    """
    return os.path.basename(os.path.abspath(name)) if os.path.exists(name) else str(name)


def public_command(*program: str) -> str:
    """The command line of this process, its paths named as in :func:`public_name`.

    Args:
        program: What is written in place of the program's own path.
    """
    # --data=patches is two words.
    arguments = (argument.split("=", argument[:2] == "--") for argument in sys.argv[1:])
    return shlex.join([*program, *(public_name(word) for words in arguments for word in words)])
