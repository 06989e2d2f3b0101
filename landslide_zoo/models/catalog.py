"""The fifteen networks of the zoo, as ``catalog.toml`` lists them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR
from landslide_zoo.errors import ModelError

Architecture = Literal["plain-unet", "unet", "deeplabv3plus", "segformer", "upernet"]

RGB_SUFFIX = "-rgb"


@dataclass(frozen=True)
class CatalogEntry:
    """One network of the zoo.

    Attributes:
        name: Its name in the zoo.
        architecture: The segmentation architecture.
        description: Two sentences for people who choose a model.
        encoder: The encoder's name in segmentation-models-pytorch, or None.
        encoder_origin: Where the ImageNet weights of the encoder come from,
            with their licence; None where the network has no such weights.
        paper_f1: The F1 the paper reports for it (random split, mean over
            batches), or None where it reports none.
        channels: What the network sees by default: bands and indices.
    """

    name: str
    architecture: Architecture
    description: str
    encoder: str | None = None
    encoder_origin: str | None = None
    paper_f1: float | None = None
    channels: Sequence[str] = BAND_NAMES

    @property
    def research_only(self) -> bool:
        """Whether what starts from its ImageNet weights may be used for research alone."""
        return "research use only" in (self.encoder_origin or "")


def _read() -> dict[str, CatalogEntry]:
    text = resources.files(__package__).joinpath("catalog.toml").read_text(encoding="utf-8")
    return {name: CatalogEntry(name, **table) for name, table in tomllib.loads(text).items()}


_BY_NAME = _read()
CATALOG = tuple(_BY_NAME.values())


def names() -> Iterator[str]:
    """The names of the fifteen."""
    return iter(_BY_NAME)


def lookup(name: str) -> CatalogEntry:
    """The catalog's entry for a name, with or without ``-rgb`` at its end.

    Raises:
        ModelError: If the catalog has no such network.

    Example:
        >>> lookup("unet-resnet34-rgb").encoder
        'resnet34'
    """
    entry = _BY_NAME.get(name.removesuffix(RGB_SUFFIX))
    if entry is None:
        raise ModelError(f"There is no network {name!r}; the zoo has {', '.join(_BY_NAME)}.")
    return entry


def channels_of(name: str) -> tuple[str, ...]:
    """What the named network sees: true colour for ``-rgb``, else its default channels."""
    entry = lookup(name)
    return TRUE_COLOUR if name.endswith(RGB_SUFFIX) else tuple(entry.channels)
