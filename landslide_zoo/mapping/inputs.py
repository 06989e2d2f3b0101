"""The files that a scene is given as: on disk, or inside a ZIP that is read in place."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from landslide_zoo.data.readers.limits import damaged
from landslide_zoo.errors import DataError, shown

MAX_FILES = 20_000
"""Files looked through in a folder or a ZIP; a product has about 150."""
_NOT_BANDS = {"QI_DATA", "AUX_DATA", "HTML", "rep_info", "preview"}
"""Folders of a product that hold no bands."""


@dataclass(frozen=True)
class InputFile:
    """A file on disk, or a member of a ZIP.

    Attributes:
        path: The file, or the ZIP.
        member: Its name inside the ZIP; None for a file of its own.
    """

    path: Path
    member: str | None = None

    @property
    def inner(self) -> PurePosixPath:
        """Where it lies, as a path: on disk, or inside the ZIP."""
        return PurePosixPath(self.member or self.path.as_posix())

    @property
    def stem(self) -> str:
        """Its name without folders and without its last suffix."""
        return self.inner.stem

    @property
    def suffix(self) -> str:
        """The last suffix of its name, in lower case."""
        return self.inner.suffix.lower()

    def __str__(self) -> str:
        """Its name as a sentence shows it."""
        return shown(self.inner.name)

    @property
    def gdal_name(self) -> str:
        """What GDAL opens: this file and no other."""
        path = str(self.path.absolute())
        return path if self.member is None else f"/vsizip/{{{path}}}/{self.member}"

    @property
    def stamp(self) -> tuple[object, ...]:
        """Changes when the file does: its name and size, and when it was written or its CRC."""
        if self.member is None:
            status = self.path.stat()
            return (self.path.name, status.st_size, status.st_mtime_ns)
        with zipfile.ZipFile(self.path) as archive:
            info = archive.getinfo(self.member)
            return (self.member, info.file_size, info.CRC)

    def read(self, limit: int) -> bytes:
        """Its first bytes, at most ``limit`` of them.

        Raises:
            DataError: If it cannot be read.
        """
        try:
            if self.member is None:
                with self.path.open("rb") as file:
                    return file.read(limit)
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as part:
                return part.read(limit)
        except (OSError, RuntimeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise damaged(self.path) from error


def input_files(paths: Sequence[Path]) -> Iterator[InputFile]:
    """Every file of what was given: of folders and ZIPs what they hold, sorted by name.

    Args:
        paths: Files, folders or ZIPs; the metadata of a product stands for its folder.

    Raises:
        DataError: If one of them is missing, cannot be read, or holds too much.
    """
    for path in paths:
        try:
            kind = path.stat().st_mode
            if stat.S_ISDIR(kind):
                yield from _in_folder(path)
            elif not stat.S_ISREG(kind):
                raise DataError(f"{path} is neither a file nor a folder: give a raster.")
            elif not os.access(path, os.R_OK):
                raise DataError(f"{path} may not be read: ask for permission, or copy it.")
            elif path.stat().st_size == 0:
                raise DataError(f"{shown(path.name)} is empty; copy or download it again.")
            elif is_metadata(PurePosixPath(path.as_posix())):
                yield from _in_folder(path.parent)
            elif InputFile(path).read(4) == b"PK\3\4":
                yield from _in_zip(path)
            else:
                yield InputFile(path)
        except FileNotFoundError as error:
            raise DataError(f"There is no file or folder {path}.") from error
        except OSError as error:  # such as a link that leads to itself
            raise DataError(f"{path} cannot be opened ({error.strerror or error}).") from error


def is_metadata(path: PurePosixPath) -> bool:
    """Whether a file is the metadata of a Sentinel-2 product, by its name."""
    name = path.name.upper()
    return name.endswith(".XML") and (
        name.startswith(("MTD_MSIL1C", "MTD_MSIL2A")) or "_MTD_SAFL" in name
    )


def _in_folder(folder: Path) -> Iterator[InputFile]:
    left = MAX_FILES
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _NOT_BANDS)
        left -= len(names)
        if left < 0:
            raise DataError(
                f"{folder} holds more than {MAX_FILES} files: give the folder of one scene."
            )
        for name in sorted(names):
            path = Path(root, name)
            if not name.startswith(".") and path.is_file():
                yield InputFile(path)


def _in_zip(path: Path) -> Iterator[InputFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise damaged(path) from error
    if len(members) > MAX_FILES:
        raise DataError(
            f"{shown(path.name)} holds more than {MAX_FILES} files: give the ZIP of one scene."
        )
    for member in sorted(members, key=lambda each: each.filename):
        inner = PurePosixPath(member.filename)
        if inner.is_absolute() or ".." in inner.parts or "\\" in member.filename:
            raise DataError(
                f"{shown(member.filename)!r} in {shown(path.name)} leads out of the ZIP: "
                "make the ZIP again from the product's folder."
            )
        if member.flag_bits & 1:
            raise DataError(f"{shown(path.name)} is encrypted: unpack it first.")
        if not (member.is_dir() or set(inner.parts[:-1]) & _NOT_BANDS):
            yield InputFile(path, member.filename)
