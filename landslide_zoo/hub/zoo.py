"""The zoo: the one place that knows where models come from."""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from landslide_zoo.errors import LandslideZooError, ModelError, quoted
from landslide_zoo.hub.entry import Listing, ZooEntry, folder_entry
from landslide_zoo.models.downloads import load_downloaded
from landslide_zoo.models.files import (
    CARD,
    CONFIG,
    RECORD,
    WEIGHTS,
    bundled_folders,
)

if TYPE_CHECKING:
    from tqdm.auto import tqdm

    from landslide_zoo.inference.backends import Backend
    from landslide_zoo.models import LoadedPredictor

VARIABLE = "LANDSLIDE_ZOO"
"""Environment variable that names the zoo's sources besides the bundled models."""
LISTING_SECONDS = 60.0
"""How long a Hub may take to describe a namespace, while nobody waits for it."""
ASK_AGAIN_SECONDS = 60.0
"""How long after a Hub has failed it is asked again."""

_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


class ModelZoo:
    """The models that can be loaded by name.

    They come from the bundled models and from what the environment variable
    ``LANDSLIDE_ZOO`` names: folders of model folders, or Hub namespaces,
    separated by commas. Unset, the zoo is the bundled models alone and no
    network is touched. A Hub is asked on first need, never on construction,
    once, and nobody waits for its list longer than ``timeout``.

    Where two sources have a model of the same name, the first keeps the name
    (bundled ones first, then in the order given) and the other is listed as
    ``SOURCE/NAME``: a name does not change its meaning when a slow Hub answers.

    Args:
        source: A folder or a Hub namespace (several separated by commas), in
            place of the bundled models and the environment's.
        token: Token for private repos; the client's own where None.
        timeout: Seconds to wait for a Hub's first list; with 0 the caller asks
            again later.

    Raises:
        ModelError: If a source is a folder that does not exist, or no name at all.

    Example:
        >>> zoo = ModelZoo()
        >>> model = zoo.load(zoo.default)
    """

    def __init__(
        self,
        source: str | Path | None = None,
        *,
        token: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        self._token = token
        self._sources: list[Source] = []
        if source is None:
            self._sources.append(FolderSource("bundled", bundled_folders))
            source = os.environ.get(VARIABLE, "")
        names = [source] if isinstance(source, Path) else source.split(",")
        for name in names:
            if str(name).strip():
                self._sources.append(_source(str(name).strip(), token, timeout))

    def names(self) -> list[str]:
        """Names of the models that can be loaded."""
        return [entry.name for entry in self.entries()]

    @property
    def default(self) -> str:
        """The model used where none is named: the first.

        Raises:
            ModelError: If the zoo is empty.
        """
        for name in self.names():
            return name
        raise ModelError(f"The zoo holds no model: set {VARIABLE} to a folder or a Hub namespace.")

    def compared_names(self) -> list[str]:
        """Names of the models that a comparison takes where none is named.

        Ensembles are left out: a comparison joins its models itself.
        """
        return [entry.name for entry in self.entries() if not entry.members]

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
                        f"There is no model {quoted(name)} in the zoo;",
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

    def load(
        self,
        name: str,
        revision: str | None = None,
        token: str | None = None,
        device: str = "auto",
        tqdm_class: type[tqdm] | None = None,
        timeout: float | None = None,
        backend: Backend = "torch",
    ) -> LoadedPredictor:
        """Load a model by name.

        Args:
            name: One of :meth:`names`.
            revision: Branch, tag or commit of a model on the Hub; the commit
                that :meth:`entries` describes where None.
            token: Token for a private repo; the zoo's own where None.
            device: ``auto`` (a GPU where there is one), or a torch device.
            tqdm_class: Progress bar of a download, as ``huggingface_hub`` takes it.
            timeout: Seconds that a download may take; what ``LANDSLIDE_ZOO_TIMEOUT``
                says where None, else 60.
            backend: What computes it: ``torch`` (a :class:`LandslideModel`, float32),
                ``openvino``, or ``auto``, the fastest that is there.

        Returns:
            The model, in evaluation mode: a :class:`~landslide_zoo.models.Predictor`.
            A folder that is an ensemble is an :class:`~landslide_zoo.inference.Ensemble`.

        Raises:
            ModelError: If there is no such model or its files do not fit.
            HubError: If the Hub does not give it, or not in time.
        """
        from landslide_zoo.inference.backends import load_predictor  # listing needs none

        def load(folder: Path) -> LoadedPredictor:
            return load_predictor(folder, backend, device)

        entry = self.entry(name)
        if entry.repo_id:
            return load_downloaded(
                entry.repo_id,
                load,
                revision=revision or entry.revision,
                token=token or self._token,
                tqdm_class=tqdm_class,
                timeout=timeout,
            )
        if revision:
            raise ModelError(f"{name} is on this machine and has no revisions: load it as it is.")
        assert entry.folder is not None
        return load(entry.folder)


class Source(Protocol):
    """A place that models come from."""

    @property
    def pending(self) -> bool:
        """Whether it has yet to say what it holds."""

    def listing(self) -> Listing:
        """What it holds now."""


class FolderSource:
    """Model folders on this machine; one whose files have changed is read again.

    Args:
        name: What the zoo calls the place.
        folders: Tells the model folders by name.
    """

    pending = False

    def __init__(self, name: str, folders: Callable[[], Mapping[str, Path]]) -> None:
        self._name = name
        self._folders = folders
        self._read: dict[Path, tuple[object, ZooEntry | str]] = {}

    def listing(self) -> Listing:
        """The folders that hold a model; what is wrong with one is its own fault alone."""
        found, read = Listing(), {}
        for name, folder in self._folders().items():
            state = _state(folder)
            before = self._read.get(folder)
            now = before[1] if before and before[0] == state else self._describe(name, folder)
            read[folder] = (state, now)
            if isinstance(now, str):
                found.faults.append(now)
            else:
                found.entries.append(now)
        self._read = read
        return found

    def _describe(self, name: str, folder: Path) -> ZooEntry | str:
        try:
            return folder_entry(folder, name, self._name)
        except ModelError as error:
            return str(error)


class HubSource:
    """The models of a Hub namespace, asked for in the background until the Hub has told them.

    Args:
        namespace: User or organisation.
        token: Token for private repos; the client's own where None.
        timeout: Seconds to wait for the first answer. An answer that comes
            later is used as soon as it is there.
    """

    def __init__(self, namespace: str, token: str | None, timeout: float) -> None:
        self._namespace, self._token, self._timeout = namespace, token, timeout
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._wait_until = self._ask_again = 0.0
        self._answer: Listing | None = None

    @property
    def pending(self) -> bool:
        """Whether the Hub has yet to answer for the first time."""
        return self._answer is None

    def listing(self) -> Listing:
        """What the Hub answered; until it does, the models that its cache holds."""
        now = time.monotonic()
        with self._lock:
            if self._asking is None:
                self._wait_until = now + self._timeout
                self._asking = self._ask()
            elif not self._asking.is_alive() and self._ask_again < now:
                self._asking = self._ask()
        self._asking.join(max(0.0, self._wait_until - time.monotonic()))
        if self._answer is not None:
            return self._answer
        return self._cached(f"The Hub has not yet said which models {self._namespace} has.")

    def _ask(self) -> threading.Thread:
        # A daemon: a Hub that never answers must not keep the program from ending.
        name = f"zoo of {self._namespace}"
        asking = threading.Thread(target=self._ask_now, name=name, daemon=True)
        asking.start()
        return asking

    def _ask_now(self) -> None:
        self._ask_again = math.inf
        try:
            # The Hub's client takes half a second to import; without a namespace nobody needs it.
            from landslide_zoo.hub.client import list_models

            self._answer = list_models(self._namespace, self._token, LISTING_SECONDS)
        except (LandslideZooError, ValueError, OSError) as error:
            known = isinstance(error, LandslideZooError)
            what = str(error) if known else f"{self._namespace} cannot be listed: {error}."
            self._answer = self._cached(what)
            self._ask_again = time.monotonic() + ASK_AGAIN_SECONDS

    def _cached(self, fault: str) -> Listing:
        """What the client's cache holds; nothing where it is none, or the client does not start."""
        try:
            from landslide_zoo.hub.client import cached_models

            return Listing(cached_models(self._namespace), [fault])
        except (ValueError, OSError):  # such as HF_ENDPOINT=http://[bad, or a file for a folder
            return Listing([], [fault])


def _state(folder: Path) -> object:
    """What changes when a model folder's files do."""
    state = []
    for name in (CONFIG, RECORD, CARD, WEIGHTS):
        try:
            status = (folder / name).stat()
        except OSError:
            continue
        state.append((name, status.st_mtime_ns, status.st_size))
    return state


def _source(name: str, token: str | None, timeout: float) -> Source:
    """The source that a name means: an existing folder or a path, else a Hub namespace."""
    folder = Path(name).expanduser()
    if os.path.isdir(folder):
        return FolderSource(name, lambda: _model_folders(folder))
    if not _NAMESPACE.fullmatch(name):
        raise ModelError(
            f"There is no folder {quoted(name)}: {VARIABLE} takes folders of models and Hub "
            "namespaces."
        )
    return HubSource(name, token, timeout)


def _model_folders(folder: Path) -> dict[str, Path]:
    """The model folders in a folder by name; the folder itself if it is one."""
    if (folder / CONFIG).is_file():
        return {folder.resolve().name: folder}
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{CONFIG}"))}
