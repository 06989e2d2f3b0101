"""What a Space's owner may set, all of it by environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass

from landslide_zoo.errors import LandslideZooError

GIGABYTE = 2**30


@dataclass(frozen=True)
class Settings:
    """Settings of the app.

    Attributes:
        cache_bytes: Weights of models kept in memory (``LANDSLIDE_ZOO_CACHE_GB``).
        queue_size: Requests that may wait before others are told to come
            again (``LANDSLIDE_ZOO_QUEUE``).
        files_at_once: Patches taken in one go (``LANDSLIDE_ZOO_FILES``).
        upload_bytes: Largest upload (``LANDSLIDE_ZOO_UPLOAD_MB``).
        keep_seconds: Age at which temporary files are deleted
            (``LANDSLIDE_ZOO_KEEP_MINUTES``).
    """

    cache_bytes: int = 4 * GIGABYTE
    queue_size: int = 50
    files_at_once: int = 64
    upload_bytes: int = 512 * 2**20
    keep_seconds: int = 3600

    @classmethod
    def from_environment(cls) -> Settings:
        """The settings of this process.

        Raises:
            LandslideZooError: If a variable holds no positive number.
        """
        return cls(
            cache_bytes=int(_positive("LANDSLIDE_ZOO_CACHE_GB", 4) * GIGABYTE),
            queue_size=int(_positive("LANDSLIDE_ZOO_QUEUE", 50)),
            files_at_once=int(_positive("LANDSLIDE_ZOO_FILES", 64)),
            upload_bytes=int(_positive("LANDSLIDE_ZOO_UPLOAD_MB", 512) * 2**20),
            keep_seconds=int(_positive("LANDSLIDE_ZOO_KEEP_MINUTES", 60) * 60),
        )


def _positive(variable: str, default: float) -> float:
    text = os.environ.get(variable, "")
    try:
        number = float(text) if text else default
    except ValueError:
        number = 0.0
    if not number > 0:
        raise LandslideZooError(f"{variable} is {text!r}; it must be a number above 0.")
    return number
