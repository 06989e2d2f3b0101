"""What a file may ask of its reader.

An uploaded file is not trusted: its header is held against these bounds before
any of its values are read.
"""

from __future__ import annotations

from pathlib import Path

from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.errors import DataError, shown

MIN_SIDE = 32
"""Smallest height and width in pixels: the networks' stride."""
MAX_SIDE = 16_384
"""Largest height or width in pixels: what browsers and picture formats show."""
MAX_PIXELS = 2048 * 2048
"""Largest height x width of one patch: the plain U-Net takes 8 GB for it."""
MAX_BYTES = MAX_PIXELS * len(BAND_NAMES) * 8
"""Largest dataset: fourteen bands of the largest patch in float64, 470 MB."""

MAX_CHUNKS = 100_000
"""HDF5 keeps 250 bytes a chunk while it reads, and the largest patch has 5,000 chunks of
the size that h5py chooses."""
MAX_CHUNK_BYTES = 64 * 1024 * 1024
"""HDF5 reads and unpacks whole chunks, however little of them is asked for."""
MAX_OBJECTS = 1000
"""Groups and datasets looked through where no dataset is named ``img``."""
MAX_DEPTH = 8
"""Groups within groups looked through."""

MAX_PNG_CHUNKS = 100_000
"""A picture of the largest size, cut into the 8 KB pieces that writers use, has 2,000."""


def check_size(path: Path, height: int, width: int) -> None:
    """Refuse a patch that is too small or too large.

    Raises:
        DataError: If its sides or its area are out of bounds.
    """
    if min(height, width) < MIN_SIDE:
        raise DataError(
            f"{shown(path.name)} is {height} x {width} pixels; "
            f"a patch has at least {MIN_SIDE} x {MIN_SIDE}."
        )
    if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
        raise DataError(
            f"{shown(path.name)} is too large for one patch ({height} x {width}): "
            "cut it into parts of at most 2048 x 2048 pixels."
        )


def damaged(path: Path) -> DataError:
    """The error for a file whose bytes contradict each other."""
    return DataError(
        f"{shown(path.name)} cannot be read: it is cut short or damaged; copy or download it again."
    )
