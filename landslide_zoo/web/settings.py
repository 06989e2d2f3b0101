"""Settings for a Space's owner, all of them environment variables."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.models.config import Positive

GIGABYTE = 2**30
_PREFIX = "LANDSLIDE_ZOO_"

Count = Annotated[int, Field(gt=0)]


class Settings(BaseSettings):
    """Settings of the app; ``LANDSLIDE_ZOO_`` and a field's name in capitals set the field.

    Attributes:
        cache_gb: Weights of models kept in memory, in gigabytes.
        queue: Requests that may wait before others are told to come again.
        files: Patches taken in one go.
        patch_side: Largest patch: the pixels of a square of this side.
        upload_mb: Largest upload, in megabytes.
        keep_minutes: Age at which temporary files are deleted.
        map_megapixels: Largest scene on the tab Map, in millions of pixels.
        map_minutes: How long one map may take.
        map_gb: Memory that one map may take, in gigabytes.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    cache_gb: Positive = 4
    queue: Count = 50
    files: Count = 64
    patch_side: Count = 1024
    upload_mb: Positive = 512
    keep_minutes: Positive = 60
    map_megapixels: Positive = 25
    map_minutes: Positive = 15
    map_gb: Positive = 6

    @classmethod
    def from_environment(cls) -> Settings:
        """The settings of this process.

        Raises:
            LandslideZooError: If a variable holds no positive number.
        """
        try:
            return cls()
        except ValidationError as error:
            first = error.errors()[0]
            raise LandslideZooError(
                f"{_PREFIX}{str(first['loc'][0]).upper()} is {first['input']!r}; "
                "it must be a number above 0."
            ) from error
