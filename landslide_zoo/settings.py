"""The settings of this process: the only reader of the environment variables LANDSLIDE_ZOO*."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from landslide_zoo.errors import LandslideZooError

GIGABYTE = 2**30

Backend = Literal["auto", "torch", "openvino"]
"""What computes a network: ``torch`` (float32, the reference), ``openvino`` (the same masks,
several times faster on a processor), or ``auto``: PyTorch on a GPU, else OpenVINO."""
Clouds = Literal["mask", "keep"]
"""``mask``: what lies under cloud is not observed, where the bands show clouds; ``keep``: clouds
are not looked for."""
Level = Literal["L1C", "L2A"]
"""Product level of Sentinel-2: reflectance at the top of the atmosphere, or at the ground."""

Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "landslide-zoo"


class Settings(BaseModel):
    """Settings; ``LANDSLIDE_ZOO_`` and a field's name in capitals set the field.

    Attributes:
        zoo: Where models come from besides the bundled ones: folders of models and Hub
            namespaces, separated by commas (``LANDSLIDE_ZOO`` itself).
        cache: Folder of compiled networks.
        hub_models: Whether visitors of the app may load a model by its id on the Hub.
        cache_gb: Weights of models kept in memory by the app, in gigabytes.
        queue: Requests that may wait before others are refused.
        files: Patches taken in one request.
        patch_side: Largest patch: the pixels of a square of this side.
        upload_mb: Largest upload, in megabytes.
        keep_minutes: Age at which temporary files are deleted.
        map_megapixels: Largest scene in the app, in millions of pixels.
        map_minutes: Time limit of a map in the app.
        map_gb: Memory limit of a map in the app, in gigabytes.
    """

    model_config = ConfigDict(frozen=True)

    zoo: str = ""
    cache: Path = Field(default_factory=_cache_folder)
    hub_models: bool = True
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
    def from_environment(cls) -> Self:
        """The settings of this process; a variable that is empty counts as unset.

        Raises:
            LandslideZooError: If a variable holds no value of its kind.
        """
        values = {name: os.environ.get(_variable(name)) for name in cls.model_fields}
        try:
            return cls.model_validate({name: text for name, text in values.items() if text})
        except ValidationError as error:
            first = error.errors()[0]
            raise LandslideZooError(
                f"{_variable(str(first['loc'][0]))} is {first['input']!r}: {first['msg']}."
            ) from error


def _variable(field: str) -> str:
    return "LANDSLIDE_ZOO" if field == "zoo" else f"LANDSLIDE_ZOO_{field.upper()}"
