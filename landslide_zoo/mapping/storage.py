"""Scenes and maps in other places than this machine: whatever fsspec reaches, as ``s3://...``."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from landslide_zoo.errors import DataError, shown
from landslide_zoo.io import write_whole

Stamp = tuple[str, int, str]
"""Name, size and version of a file: another version where its content changed."""

_VERSIONS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated")
"""What file systems call the version of a file, the surest first."""


def is_remote(place: str) -> bool:
    """Whether a place is an address rather than a path of this machine."""
    return "://" in place and urlsplit(place).scheme not in ("file", "local")


def local_path(place: str) -> Path:
    """The path that a place on this machine means."""
    return Path(unquote(urlsplit(place).path) if "://" in place else place)


def absolute(place: str) -> str:
    """A place as it is called from any folder."""
    return place if is_remote(place) else str(local_path(place).absolute())


def stamps_of(place: str) -> list[Stamp]:
    """The files at a place, a folder's one by one, with what changes when they do.

    Raises:
        DataError: If there is nothing, or it cannot be reached.
    """
    with _reaching(place) as (system, path):
        found = system.find(path, detail=True) or {path: system.info(path)}
        return sorted(
            (_inside(name, path), int(info.get("size") or 0), _version(info))
            for name, info in found.items()
        )


def fetch(place: str, folder: Path) -> Path:
    """A file or folder on this machine: itself where it is here, else a copy.

    What an earlier call copied is not copied again, and a copy's time says which
    version it is: the same one gives the same fingerprint of the scene.

    Args:
        place: Path or address.
        folder: Where copies go.

    Raises:
        DataError: If there is nothing, or it cannot be copied.
    """
    if not is_remote(place):
        return local_path(place)
    name = PurePosixPath(urlsplit(place).path).name
    copy = folder / name
    for inner, size, version in stamps_of(place):
        target = copy / inner if inner else copy
        time = int(hashlib.sha256(version.encode()).hexdigest()[:7], 16)
        with contextlib.suppress(OSError):
            status = target.stat()
            if (status.st_size, int(status.st_mtime)) == (size, time):
                continue
        new = target.with_name(f".{target.name}.new")
        with _reaching(place) as (system, path):
            target.parent.mkdir(parents=True, exist_ok=True)
            system.get_file(f"{path}/{inner}" if inner else path, str(new))
            os.utime(new, (time, time))
            os.replace(new, target)
    return copy


def store(files: Sequence[Path], place: str) -> None:
    """Copy files into a folder at an address, each whole or not at all.

    Raises:
        DataError: If one cannot be copied.
    """
    with _reaching(place) as (system, path):
        system.makedirs(path, exist_ok=True)
        for file in files:
            system.put_file(str(file), f"{path}/{file.name}")


def read_text(place: str) -> str | None:
    """The text of a file, None where there is none.

    Raises:
        DataError: If it cannot be reached.
    """
    with contextlib.suppress(FileNotFoundError), _reaching(place, missing=False) as (system, path):
        return bytes(system.cat_file(path)).decode(errors="replace")
    return None


def write_text(place: str, text: str) -> None:
    """Write a small file whole.

    Raises:
        DataError: If it cannot be written.
    """
    if not is_remote(place):
        write_whole(local_path(place), text)
        return
    with _reaching(place) as (system, path):
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
        system.pipe_file(path, text.encode())


def sizes_in(place: str) -> dict[str, int]:
    """Sizes of the files that lie directly in a folder, by name; none where it is missing.

    Raises:
        DataError: If it cannot be reached.
    """
    with contextlib.suppress(FileNotFoundError), _reaching(place, missing=False) as (system, path):
        system.invalidate_cache()
        listed = system.ls(path, detail=True)
        return {
            str(info["name"]).rstrip("/").rpartition("/")[2]: int(info.get("size") or 0)
            for info in listed
            if info["type"] == "file"
        }
    return {}


def _version(info: dict[str, Any]) -> str:
    return next((str(info[name]) for name in _VERSIONS if info.get(name)), str(info.get("created")))


def _inside(name: str, folder: str) -> str:
    """The path of a file in its folder; empty for the file that was asked for itself."""
    inner = name.removeprefix(folder.rstrip("/")).strip("/")
    if ".." in PurePosixPath(inner).parts:
        raise DataError(f"{shown(name)} leads out of its folder: it is no file of a scene.")
    return inner


@contextlib.contextmanager
def _reaching(place: str, missing: bool = True) -> Iterator[tuple[Any, str]]:
    """The file system of a place and the path on it; what goes wrong is told in a sentence.

    Args:
        place: Path or address.
        missing: Whether a missing file is an error of that kind, too.

    Raises:
        DataError: If it cannot be reached.
    """
    import fsspec

    name = shown(place)
    try:
        yield fsspec.core.url_to_fs(place)
    except ImportError as error:
        scheme = urlsplit(place).scheme
        raise DataError(
            f"{name} needs another package ({str(error).rstrip('.')}): install what fsspec reads "
            f"{scheme}:// with."
        ) from error
    except FileNotFoundError as error:
        if not missing:
            raise
        raise DataError(f"There is no {name}: check the path or address.") from error
    except DataError:
        raise
    except Exception as error:  # each file system has errors of its own
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise DataError(f"{name} cannot be reached ({shown(reason)}).") from error
