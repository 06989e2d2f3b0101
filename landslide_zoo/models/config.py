"""What a model is and how it takes its input: the contents of ``config.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from landslide_zoo.data.bands import (
    BAND_NAMES,
    INDICES,
    TRUE_COLOUR,
    Unit,
    band,
    divisors,
)
from landslide_zoo.errors import ModelError, quoted
from landslide_zoo.models.catalog import RGB_SUFFIX, channels_of, lookup

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
MemberName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]{0,95}$")]

_FAULT = 300
"""Characters that are told of a fault: it may quote what a file holds."""
MAX_BYTES = 20_000_000
"""Size of the largest ``config.json`` or ``record.json`` that is read."""


class Part(BaseModel):
    """A part of a file of a model folder: nothing unknown, nothing of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Scaling(Part):
    """How each channel is scaled: clipped to [low, high], then (x - mean) / std.

    A patch's own mean and deviation, in place of the train patches', let light
    and haze of a scene drop out. With ``both``, a network learns from patches
    scaled in either way, and what it finds is the mean of the two.

    Attributes:
        mean: Mean of each channel over the train patches.
        std: Standard deviation of each channel over them.
        low: Lowest value of each channel; lower ones are raised to it.
        high: Highest value of each channel; higher ones are lowered to it.
        statistics: Whose mean and deviation scale a patch: the ``train`` patches',
            the ``patch``'s own, or ``both``, one after the other.
    """

    mean: list[Number]
    std: list[Positive]
    low: list[Number]
    high: list[Number]
    statistics: Literal["train", "patch", "both"] = "train"


class Rule(Part):
    """A bound on an attribute of an object, beyond which the object is no landslide.

    Attributes:
        attribute: Name of the attribute, as in ``median_ndvi``.
        minimum: Lowest value that is kept, or None.
        maximum: Highest value that is kept, or None.
        reason: Why objects beyond the bound are dropped, in a few words.
        source: Where the number comes from.
    """

    attribute: str
    minimum: Number | None = None
    maximum: Number | None = None
    reason: str
    source: str


class PredictorConfig(Part):
    """What every predictor says of itself: what it reads and how its answer is cut.

    Attributes:
        format: Version of this format.
        name: Name in the zoo, as in ``unet-resnet34`` or ``unet-resnet34-rgb``.
        bands: Bands that it reads, in the order it takes them.
        unit: Unit of those bands: ``physical``, or ``display`` (0 to 1).
        threshold: Probability from which a pixel counts as landslide.
        rules: What objects must be like to be kept.
    """

    format: Literal[1] = 1
    name: str
    bands: list[str]
    unit: Unit
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    rules: list[Rule] = []

    def to_json(self) -> str:
        """The text of ``config.json``."""
        return self.model_dump_json(indent=2) + "\n"


class ModelConfig(PredictorConfig):
    """The contents of a model folder's ``config.json``.

    Attributes:
        architecture: Segmentation architecture.
        encoder: Encoder, or None for the plain U-Net.
        divisors: For ``display``: what physical bands are divided by, each,
            before the patch's maximum scales them to display values.
        channels: What the network sees: bands and derived indices, in order.
        scaling: How the channels are scaled.
        temperature: What the network's logits are divided by (calibration).
        dtype: Number type of the stored weights; statistics of batch
            normalisation stay float32.
    """

    architecture: str
    encoder: str | None
    divisors: list[Positive] | None
    channels: list[str]
    scaling: Scaling
    temperature: Positive = 1.0
    dtype: Literal["float32", "float16"] = "float32"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check the ``config.json`` of a model with a network of its own.

        Raises:
            ModelError: If the file is missing, no JSON, or describes something else.
        """
        config = read_config(path)
        if not isinstance(config, cls):
            raise ModelError(
                f"{path.parent} is an ensemble: load it with ModelZoo or load_predictor."
            )
        return config

    @property
    def indices(self) -> list[str]:
        """Derived indices among the channels."""
        return [name for name in self.channels if name in INDICES]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        try:
            entry = lookup(self.name)
        except ModelError as error:
            raise ValueError(f"the zoo has no network {quoted(self.name)}") from error
        if (entry.architecture, entry.encoder) != (self.architecture, self.encoder):
            raise ValueError(
                f"{self.name!r} is {entry.architecture} with encoder {entry.encoder!r}, not "
                f"{self.architecture} with encoder {self.encoder!r}"
            )
        _check_names("band", self.bands, BAND_NAMES)
        _check_names("channel", self.channels, (*BAND_NAMES, *INDICES))
        for name in self.channels:
            needed = INDICES.get(name, (name,))
            if not set(needed) <= set(self.bands):
                raise ValueError(f"channel {name} needs bands {', '.join(needed)}")
        for field in ("mean", "std", "low", "high"):
            if len(getattr(self.scaling, field)) != len(self.channels):
                raise ValueError(f"scaling.{field} needs {len(self.channels)} numbers")
        if self.unit == "display":
            if tuple(self.bands) != TRUE_COLOUR or self.indices:
                raise ValueError(f"display values exist for {', '.join(TRUE_COLOUR)} alone")
            if self.divisors != display_divisors():
                raise ValueError(f"display values are made with divisors {display_divisors()}")
        elif self.divisors is not None:
            raise ValueError("divisors belong to display values")
        return self


class EnsembleConfig(PredictorConfig):
    """The ``config.json`` of a folder that holds no network of its own: the mean of several models.

    Attributes:
        members: Names of the models, each that of a folder beside the ensemble's or
            of a bundled model; no ensembles.
    """

    members: Annotated[list[MemberName], Field(min_length=2, max_length=16)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_names("band", self.bands, BAND_NAMES)
        if len(set(self.members)) < len(self.members):
            raise ValueError("a member is named twice")
        return self

    @property
    def summary(self) -> str:
        """What it is, in two sentences."""
        return (
            f"An ensemble: the mean of {', '.join(self.members[:-1])} and {self.members[-1]}. "
            "It takes as long as its members together."
        )


def read_config(path: Path) -> ModelConfig | EnsembleConfig:
    """Read and check a ``config.json``, that of a model or of an ensemble.

    Raises:
        ModelError: If the file is missing, no JSON, or describes neither.
    """
    if not path.is_file():
        raise ModelError(f"There is no config.json in {path.parent}: it is not a model folder.")
    content = read_small(path)
    kind = EnsembleConfig if b'"members"' in content else ModelConfig
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise ModelError(
            f"{path} describes no model of the zoo: {validation_sentence(error)}."
        ) from error


def display_divisors() -> list[float]:
    """Divisors of the true-colour bands, with which display values are made."""
    return [float(d) for d in divisors(TRUE_COLOUR).ravel()]


def read_small(path: Path) -> bytes:
    """The bytes of a file of a model folder that is not its weights.

    Raises:
        ModelError: If it cannot be read, or is too large to be such a file.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"{path} is too large: it belongs to no model of this zoo.")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror or error}).") from error


def validation_sentence(error: ValidationError) -> str:
    """The first fault that pydantic found, in a few words."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ").rstrip(".")
    return (f"{where}: {what}" if where else what)[:_FAULT]


def _check_names(kind: str, given: list[str], known: tuple[str, ...]) -> None:
    unknown = [name for name in given if name not in known]
    if unknown or not given or len(set(given)) < len(given):
        fault = f"unknown {kind} {unknown[0]!r}" if unknown else f"no {kind}s, or one twice"
        raise ValueError(f"{fault}; a {kind} is one of {', '.join(known)}")


# Display values lie in [0, 1]; ImageNet's statistics are the customary start.
_DISPLAY_SCALING = Scaling(
    mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225], low=[0.0] * 3, high=[1.0] * 3
)
# Mean and deviation of NDVI over the labelled Landslide4Sense patches at hand.
_NDVI_STATISTICS = (0.61, 0.13)


def default_scaling(channels: tuple[str, ...]) -> Scaling:
    """Scaling of physical channels from the benchmark's own statistics.

    Bands B2 to B4, B10 and B12 have heavy tails, so each band is clipped to
    within six deviations of its mean.
    """
    stats = [
        _NDVI_STATISTICS if name in INDICES else (band(name).mean, band(name).std)
        for name in channels
    ]
    return Scaling(
        mean=[mean for mean, _ in stats],
        std=[std for _, std in stats],
        low=[mean - 6 * std for mean, std in stats],
        high=[mean + 6 * std for mean, std in stats],
    )


def catalog_config(name: str) -> ModelConfig:
    """The configuration of an untrained network of the catalog.

    Args:
        name: A name of the catalog, with ``-rgb`` at its end for true colour alone.

    Raises:
        ModelError: If the catalog has no such network.

    Example:
        >>> catalog_config("unet").bands
        ['B4', 'B3', 'B2', 'B8', 'slope', 'DEM']
    """
    entry, channels = lookup(name), channels_of(name)
    display = name.endswith(RGB_SUFFIX)
    bands = dict.fromkeys(
        needed for channel in channels for needed in INDICES.get(channel, (channel,))
    )
    return ModelConfig(
        name=name,
        architecture=entry.architecture,
        encoder=entry.encoder,
        bands=list(bands),
        unit="display" if display else "physical",
        divisors=display_divisors() if display else None,
        channels=list(channels),
        scaling=_DISPLAY_SCALING if display else default_scaling(channels),
    )
