"""Files written whole and told by their digest; text: tables, and templates that escape values."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import secrets
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from landslide_zoo.errors import DataError

if TYPE_CHECKING:
    from jinja2 import Environment


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


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of text under a header, with aligned columns."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def csv_table(rows: Sequence[Mapping[str, object]]) -> str:
    """One line for each row, under the names of all columns in the order they first appear."""
    text = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)
    table = csv.DictWriter(text, list(names), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def templates_of(package: str, *filters: Callable[..., object]) -> Environment:
    """The templates in the folder ``templates`` of a package; a missing value is an error.

    Args:
        package: Its full name.
        filters: Functions that templates call by their names.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # tables need none

    templates = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {function.__name__: function for function in filters}
    return templates
