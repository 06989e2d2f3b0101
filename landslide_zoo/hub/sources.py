"""The places that models come from: folders on this machine, and Hub namespaces."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from huggingface_hub import CacheNotFound, HfApi, constants, hf_hub_download, scan_cache_dir
from huggingface_hub.utils import (
    build_hf_headers,
    get_session,
    hf_raise_for_status,
    tqdm,
)

from landslide_zoo.data.hub_access import hub_errors
from landslide_zoo.errors import HubError, LandslideZooError, ModelError
from landslide_zoo.hub.entry import ZooEntry, folder_entry
from landslide_zoo.models.card import LIBRARY
from landslide_zoo.models.config import ModelConfig
from landslide_zoo.models.location import CONFIG, RECORD, WEIGHTS
from landslide_zoo.models.record import Record

_WORKERS = 8
"""How many repos are looked at side by side."""


@dataclass
class Listing:
    """What a place holds.

    Attributes:
        entries: The models that can be loaded from it.
        faults: A sentence for everything in it that cannot.
    """

    entries: list[ZooEntry] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Source(Protocol):
    """A place that models come from."""

    @property
    def pending(self) -> bool:
        """Whether it has yet to say what it holds."""

    def listing(self) -> Listing:
        """What it holds now."""

    def refresh(self) -> None:
        """Look again, without waiting for it."""


class FolderSource:
    """Model folders on this machine, looked at anew each time.

    Args:
        name: What the zoo calls the place.
        folders: Tells the model folders by name.
    """

    def __init__(self, name: str, folders: Callable[[], Mapping[str, Path]]) -> None:
        self._name = name
        self._folders = folders

    @property
    def pending(self) -> bool:
        """Never: a folder answers at once."""
        return False

    def listing(self) -> Listing:
        """The folders that hold a model."""
        found = Listing()
        for name, folder in self._folders().items():
            try:
                found.entries.append(folder_entry(folder, name, self._name))
            except ModelError as error:
                found.faults.append(str(error))
        return found

    def refresh(self) -> None:
        """Nothing to do: a folder is looked at anew each time."""


class HubSource:
    """The models of a Hub namespace, asked for once and in the background.

    Args:
        namespace: User or organisation.
        token: Token for private repos; the client's own where None.
        patience: Seconds to wait for the first answer. An answer that comes
            later is used as soon as it is there.
    """

    def __init__(self, namespace: str, token: str | None, patience: float) -> None:
        self._namespace, self._token, self._patience = namespace, token, patience
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._deadline = 0.0
        self._answer: Listing | None = None

    @property
    def pending(self) -> bool:
        """Whether the Hub has yet to answer for the first time."""
        return self._answer is None

    def listing(self) -> Listing:
        """What the Hub answered; until it does, the models that its cache holds."""
        with self._lock:
            asking = self._asking or self._ask()
        asking.join(max(0.0, self._deadline - time.monotonic()))
        return self._answer or Listing(
            _cached_entries(self._namespace),
            [f"The Hub has not yet said which models {self._namespace} has."],
        )

    def refresh(self) -> None:
        """Ask the Hub again; what it answered before stays until the new answer is there."""
        with self._lock:
            self._ask()

    def _ask(self) -> threading.Thread:
        self._deadline = time.monotonic() + self._patience
        # A daemon: a Hub that never answers must not keep the program from ending.
        name = f"zoo of {self._namespace}"
        self._asking = threading.Thread(target=self._answer_now, name=name, daemon=True)
        self._asking.start()
        return self._asking

    def _answer_now(self) -> None:
        try:
            answer = _hub_listing(self._namespace, self._token)
        except LandslideZooError as error:
            answer = Listing(_cached_entries(self._namespace), [str(error)])
        with self._lock:
            if self._asking is threading.current_thread():  # else a refresh has asked since
                self._answer = answer


def _hub_listing(namespace: str, token: str | None) -> Listing:
    """Ask the Hub for a namespace's models and describe each.

    Raises:
        HubError: If the Hub does not answer or refuses.
    """
    with hub_errors(namespace):
        # The client's own `list_models` has no time limit and tries a dead Hub six times.
        response = get_session().get(
            f"{constants.ENDPOINT}/api/models",
            params={"author": namespace, "filter": LIBRARY, "limit": 1000},
            headers=build_hf_headers(token=token),
            timeout=constants.HF_HUB_ETAG_TIMEOUT,
        )
        hf_raise_for_status(response)
    try:
        repos = sorted(repo["id"] for repo in response.json())
    except (ValueError, TypeError, KeyError) as error:
        raise HubError(
            f"{constants.ENDPOINT} answers no list of models for {namespace}: check HF_ENDPOINT."
        ) from error
    if not repos:
        return Listing(faults=[f"The Hub has no models of this zoo under {namespace}."])
    found, pending = Listing(), iter(repos)  # each worker takes the next one

    def describe() -> None:
        for repo_id in pending:
            try:
                found.entries.append(_hub_entry(repo_id, namespace, token))
            except LandslideZooError as error:
                found.faults.append(str(error))

    workers = [threading.Thread(target=describe, daemon=True) for _ in range(_WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found.entries.sort(key=lambda entry: entry.name)
    return found


def _hub_entry(repo_id: str, namespace: str, token: str | None) -> ZooEntry:
    """Describe a repo from its information, configuration and record, at one commit."""

    def fetch(name: str) -> Path:
        return Path(
            hf_hub_download(repo_id, name, revision=info.sha, token=token, tqdm_class=_NoBar)
        )

    with hub_errors(repo_id):
        info = HfApi(token=token).model_info(
            repo_id, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT
        )
        sizes = {file.rfilename: file.size for file in info.siblings or []}
        missing = [name for name in (CONFIG, WEIGHTS) if name not in sizes]
        if missing:
            raise ModelError(f"{repo_id} has no {missing[0]}: it is no model folder.")
        return ZooEntry(
            name=repo_id.removeprefix(f"{namespace}/"),
            source=namespace,
            config=ModelConfig.read(fetch(CONFIG)),
            record=Record.read(fetch(RECORD)) if RECORD in sizes else None,
            size=sizes[WEIGHTS] or 0,
            licence=info.card_data.license if info.card_data else None,
            repo_id=repo_id,
            revision=info.sha,
        )


def _cached_entries(namespace: str) -> list[ZooEntry]:
    """The namespace's models that the client's cache holds whole, each at its newest commit."""
    try:
        repos = scan_cache_dir().repos
    except CacheNotFound:
        return []
    found = []
    for repo in repos:
        owner, _, name = repo.repo_id.partition("/")
        if repo.repo_type != "model" or owner != namespace:
            continue
        for revision in sorted(repo.revisions, key=lambda one: one.last_modified, reverse=True):
            try:
                entry = folder_entry(revision.snapshot_path, name, namespace)
            except ModelError:
                continue
            found.append(replace(entry, repo_id=repo.repo_id, revision=revision.commit_hash))
            break
    return sorted(found, key=lambda entry: entry.name)


class _NoBar(tqdm):
    """No progress bar: these files are a few kilobytes each."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{**kwargs, "disable": True})
