"""The zoo: the one place that knows where models come from."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from landslide_zoo.errors import ModelError
from landslide_zoo.hub.entry import ZooEntry
from landslide_zoo.hub.sources import FolderSource, HubSource, Source
from landslide_zoo.models.location import CONFIG, bundled_folders, download_folder

if TYPE_CHECKING:
    from tqdm.auto import tqdm

    from landslide_zoo.models.model import LandslideModel

VARIABLE = "LANDSLIDE_ZOO"
"""Environment variable that names the zoo's sources besides the bundled models."""

_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class ModelZoo:
    """The models that can be loaded by name.

    They come from the bundled models and from what the environment variable
    ``LANDSLIDE_ZOO`` names: folders of model folders, or Hub namespaces,
    separated by commas. Unset, the zoo is the bundled models alone and no
    network is touched. A Hub is asked on first need, never on construction,
    once, and nobody waits for it longer than ``patience``.

    Where two sources have a model of the same name, the first keeps the name
    (bundled ones first, then in the order given) and the other is listed as
    ``SOURCE/NAME``: a name does not change its meaning when a slow Hub answers.

    Args:
        source: A folder or a Hub namespace (several separated by commas), in
            place of the bundled models and the environment's.
        token: Token for private repos; the client's own where None.
        patience: Seconds to wait for a Hub's first answer; with 0 the caller
            asks again later.

    Raises:
        ModelError: If a source is a folder that does not exist, or no name at all.

    Example:
        >>> zoo = ModelZoo()
        >>> model = zoo.load(zoo.names()[0])
    """

    def __init__(
        self,
        source: str | Path | None = None,
        *,
        token: str | None = None,
        patience: float = 5.0,
    ) -> None:
        self._token = token
        self._sources: list[Source] = []
        if source is None:
            self._sources.append(FolderSource("bundled", bundled_folders))
            source = os.environ.get(VARIABLE, "")
        names = [source] if isinstance(source, Path) else source.split(",")
        for name in names:
            if str(name).strip():
                self._sources.append(_source(str(name).strip(), token, patience))

    def names(self) -> list[str]:
        """Names of the models that can be loaded."""
        return [entry.name for entry in self.entries()]

    def entries(self) -> list[ZooEntry]:
        """What is known of each model without loading its weights."""
        found: dict[str, ZooEntry] = {}
        for source in self._sources:
            for entry in source.listing().entries:
                name = f"{entry.source}/{entry.name}" if entry.name in found else entry.name
                found.setdefault(name, replace(entry, name=name))
        return list(found.values())

    def entry(self, name: str) -> ZooEntry:
        """What is known of one model.

        Raises:
            ModelError: If the zoo has no model of that name.
        """
        entries = {entry.name: entry for entry in self.entries()}
        if name not in entries:
            raise ModelError(
                " ".join(
                    (
                        f"There is no model {name!r} in the zoo;",
                        f"it has {', '.join(entries) or 'none'}.",
                        *self.status(),
                    )
                )
            )
        return entries[name]

    def status(self) -> list[str]:
        """A sentence for everything that keeps a model from being listed, such as a silent Hub."""
        return [fault for source in self._sources for fault in source.listing().faults]

    @property
    def pending(self) -> bool:
        """Whether a Hub has yet to answer: the list may still grow."""
        return any(source.pending for source in self._sources)

    def refresh(self) -> None:
        """Ask the Hub again in the background; until it answers, the zoo stays as it is."""
        for source in self._sources:
            source.refresh()

    def load(
        self,
        name: str,
        revision: str | None = None,
        token: str | None = None,
        device: str = "auto",
        tqdm_class: type[tqdm] | None = None,
    ) -> LandslideModel:
        """Load a model by name.

        Args:
            name: One of :meth:`names`.
            revision: Branch, tag or commit of a model on the Hub; the commit
                that :meth:`entries` describes where None.
            token: Token for a private repo; the zoo's own where None.
            device: ``auto`` (a GPU where there is one), or a torch device.
            tqdm_class: Progress bar of a download, as ``huggingface_hub`` takes it.

        Returns:
            The model, in evaluation mode.

        Raises:
            ModelError: If there is no such model or its files do not fit.
            HubError: If the Hub does not give it.
        """
        from landslide_zoo.models.model import LandslideModel  # listing needs no torch

        entry = self.entry(name)
        folder = entry.folder
        if entry.repo_id and (revision or not folder):
            folder = download_folder(
                entry.repo_id,
                revision=revision or entry.revision,
                token=token or self._token,
                tqdm_class=tqdm_class,
            )
        elif revision:
            raise ModelError(f"{name} is on this machine and has no revisions: load it as it is.")
        assert folder is not None
        return LandslideModel.from_folder(folder, device=device)


def _source(name: str, token: str | None, patience: float) -> Source:
    """The source that a name means: an existing folder or a path, else a Hub namespace."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return FolderSource(name, lambda: _model_folders(folder))
    if not _NAMESPACE.fullmatch(name):
        raise ModelError(
            f"There is no folder {name}: {VARIABLE} takes folders of models and Hub namespaces."
        )
    return HubSource(name, token, patience)


def _model_folders(folder: Path) -> dict[str, Path]:
    """The model folders in a folder by name; the folder itself if it is one."""
    if (folder / CONFIG).is_file():
        return {folder.resolve().name: folder}
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{CONFIG}"))}
