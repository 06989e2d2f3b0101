"""The networks of the zoo: the fifteen that ``catalog.toml`` lists, and those of other packages."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.metadata import entry_points

from landslide_zoo.data.bands import BAND_NAMES, TRUE_COLOUR
from landslide_zoo.errors import ModelError

PLUGINS = "landslide_zoo.networks"
"""Entry points of packages that register networks of their own: each names a module."""
RGB_SUFFIX = "-rgb"


@dataclass(frozen=True)
class CatalogEntry:
    """One network of the zoo.

    Attributes:
        name: Its name in the zoo.
        architecture: The segmentation architecture, as its builder is registered.
        description: Two sentences for people who choose a model.
        encoder: The encoder's name in segmentation-models-pytorch, or None.
        encoder_origin: Where the ImageNet weights of the encoder come from,
            with their licence; None where the network has no such weights.
        paper_f1: The F1 the paper reports for it (random split, mean over
            batches), or None where it reports none.
        channels: What the network sees by default: bands and indices.
    """

    name: str
    architecture: str
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


def names() -> Iterator[str]:
    """The names of the networks."""
    return iter(_BY_NAME)


def add(entry: CatalogEntry) -> None:
    """Add a network of another package to the catalog of this process."""
    _BY_NAME[entry.name] = entry


@cache
def _load_plugins() -> None:
    for plugin in entry_points(group=PLUGINS):
        plugin.load()


def lookup(name: str) -> CatalogEntry:
    """The catalog's entry for a name, with or without ``-rgb`` at its end.

    Raises:
        ModelError: If the catalog has no such network.

    Example:
        >>> lookup("unet-resnet34-rgb").encoder
        'resnet34'
    """
    base = name.removesuffix(RGB_SUFFIX)
    if base not in _BY_NAME:
        _load_plugins()
    entry = _BY_NAME.get(base)
    if entry is None:
        raise ModelError(f"There is no network {name!r}; the zoo has {', '.join(_BY_NAME)}.")
    return entry


def channels_of(name: str) -> tuple[str, ...]:
    """What the named network sees: true colour for ``-rgb``, else its default channels."""
    entry = lookup(name)
    return TRUE_COLOUR if name.endswith(RGB_SUFFIX) else tuple(entry.channels)
