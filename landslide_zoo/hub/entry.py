"""What the zoo says of a model before its weights are loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from landslide_zoo.data.bands import Unit
from landslide_zoo.models.catalog import RGB_SUFFIX, lookup
from landslide_zoo.models.config import EnsembleConfig, ModelConfig, read_config
from landslide_zoo.models.files import CARD, CONFIG, RECORD, weights_files
from landslide_zoo.models.record import Record, Result

_FRONT_MATTER = 256_000
"""Bytes of a card in which its front matter must end."""


@dataclass(frozen=True)
class ZooEntry:
    """A model of the zoo, from its configuration, record and card.

    Attributes:
        name: What the zoo calls it; ``ModelZoo.load`` takes it.
        source: Where it comes from: ``bundled``, a folder, or a Hub namespace.
        config: Its configuration.
        record: How it was trained and what was measured; None if untrained.
        size: Size of its weights in bytes; of an ensemble, its members'.
        licence: Licence that its card states, or None.
        folder: Its folder, if it is on this machine.
        repo_id: Its repo, if it is on the Hub.
        revision: The repo's commit that this entry describes.
    """

    name: str
    source: str
    config: ModelConfig | EnsembleConfig
    record: Record | None
    size: int
    licence: str | None = None
    folder: Path | None = None
    repo_id: str | None = None
    revision: str | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """The models whose mean it is, if it is an ensemble."""
        return tuple(self.config.members) if isinstance(self.config, EnsembleConfig) else ()

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that it reads."""
        return tuple(self.config.bands)

    @property
    def unit(self) -> Unit:
        """Unit of those bands."""
        return self.config.unit

    @property
    def threshold(self) -> float:
        """Probability from which it counts a pixel as landslide."""
        return self.config.threshold

    @property
    def summary(self) -> str:
        """What kind of network it is, in two sentences."""
        if isinstance(self.config, EnsembleConfig):
            return self.config.summary
        return lookup(self.config.name).description

    @property
    def paper_f1(self) -> float | None:
        """The F1 that the paper reports for this network on all bands, if it is one of its own."""
        if self.members or self.config.name.endswith(RGB_SUFFIX):
            return None
        return lookup(self.config.name).paper_f1

    @property
    def result(self) -> Result | None:
        """The result that stands for it."""
        return self.record.headline if self.record else None

    @property
    def f1(self) -> float | None:
        """F1 of that result; comparable only within one protocol."""
        return self.result.f1 if self.result else None

    @property
    def protocol(self) -> str | None:
        """How the data of that result was split, and which part was measured."""
        return f"{self.result.protocol}, {self.result.subset}" if self.result else None

    def to_dict(self) -> dict[str, object]:
        """The entry as plain values for JSON."""
        return {
            "name": self.name,
            "source": Path(self.source).name,  # a folder's place is its owner's matter
            "summary": self.summary,
            "bands": list(self.bands),
            "unit": self.unit,
            "threshold": self.threshold,
            "f1": self.f1,
            "protocol": self.protocol,
            "megabytes": round(self.size / 1e6, 2),
            "licence": self.licence,
            "revision": self.revision,
        }


@dataclass
class Listing:
    """The models of a folder or a namespace, and what is wrong with the others.

    Attributes:
        entries: The models that can be loaded from it.
        faults: A sentence for everything in it that cannot.
    """

    entries: list[ZooEntry] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def folder_entry(folder: Path, name: str, source: str) -> ZooEntry:
    """Describe a model folder on this machine.

    Args:
        folder: The model folder.
        name: What the zoo calls it.
        source: What the zoo calls the place it comes from.

    Raises:
        ModelError: If it is not a model folder of this zoo.
    """
    config, record = read_config(folder / CONFIG), folder / RECORD
    members = config.members if isinstance(config, EnsembleConfig) else ()
    return ZooEntry(
        name=name,
        source=source,
        config=config,
        record=Record.read(record) if record.is_file() else None,
        size=sum(path.stat().st_size for path in weights_files(folder, members)),
        licence=_licence(folder / CARD),
        folder=folder,
    )


def licence_id(stated: object) -> str | None:
    """The Hub's name of a licence, as in ``apache-2.0``; None where what is stated is no name."""
    text = stated.strip(" \"'") if isinstance(stated, str) else ""
    return text if re.fullmatch(r"[\w.-]{1,60}", text) else None


def _licence(card: Path) -> str | None:
    """The licence that a card states; None where there is none to be read.

    A line is all that is read of it: a card may be anybody's, and loading YAML
    that was made to be slow takes minutes.
    """
    try:
        with card.open("rb") as file:
            head = file.read(_FRONT_MATTER).decode("utf-8", errors="replace")
    except OSError:
        return None
    front_matter = re.match(r"---\r?\n(.*?)^---", head, re.DOTALL | re.MULTILINE)
    stated = re.search(r"^license:(.*)$", front_matter[1], re.MULTILINE) if front_matter else None
    return licence_id(stated[1].strip()) if stated else None
