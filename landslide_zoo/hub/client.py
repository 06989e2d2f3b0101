"""What a Hub namespace holds: asked of the Hub within a time limit, or found in its cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from huggingface_hub import (
    CacheNotFound,
    HfApi,
    RepoFile,
    constants,
    scan_cache_dir,
    try_to_load_from_cache,
)
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from landslide_zoo.errors import HubError, LandslideZooError, ModelError, hub_errors
from landslide_zoo.hub.entry import Listing, ZooEntry, folder_entry, licence_id
from landslide_zoo.models.card import LIBRARY
from landslide_zoo.models.config import MAX_BYTES, ModelConfig
from landslide_zoo.models.downloads import Deadline, fetch_file, hidden_bar, repo_info
from landslide_zoo.models.files import CONFIG, RECORD, WEIGHTS
from landslide_zoo.models.record import Record

_WORKERS = 8
"""How many repos are looked at side by side."""
_FILE_SECONDS = 10.0
"""How long a card or a picture may take."""


def list_models(namespace: str, token: str | None, seconds: float) -> Listing:
    """Ask the Hub for a namespace's models and describe each, as many as the time allows.

    Args:
        namespace: User or organisation.
        token: Token for private repos; the client's own where None.
        seconds: Time that it may take.

    Raises:
        HubError: If the Hub does not answer or refuses.
    """
    deadline = Deadline(seconds)
    with hub_errors(namespace):
        repos = deadline.run(
            lambda: _repo_ids(namespace, token),
            f"The Hub has not said within {seconds:g} s which models {namespace} has: try again.",
        )
    if not repos:
        return Listing(faults=[f"The Hub has no models of this zoo under {namespace}."])
    found, described, pending = Listing(), set(), iter(repos)

    def describe() -> None:
        for repo_id in pending:  # each worker takes the next one
            try:
                found.entries.append(_hub_entry(repo_id, namespace, token))
            except LandslideZooError as error:
                found.faults.append(str(error))
            except Exception as error:  # whatever a repo holds is its own fault alone
                found.faults.append(f"{repo_id} cannot be read ({type(error).__name__}).")
            described.add(repo_id)

    workers = [deadline.start(describe) for _ in range(_WORKERS)]
    for worker in workers:
        worker.join(deadline.left)
    deadline.cancel()
    late = sorted(set(repos) - described)
    faults = [f"{repo_id} was not described within {seconds:g} s: try again." for repo_id in late]
    return Listing(sorted(found.entries, key=lambda entry: entry.name), [*found.faults, *faults])


def cached_models(namespace: str) -> list[ZooEntry]:
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


def entry_file(entry: ZooEntry, name: str, limit: int) -> Path | None:
    """A file of a listed model, such as its card, at the commit that the entry describes.

    Args:
        entry: The model.
        name: Path in its folder.
        limit: Size in bytes of the largest file that is taken.

    Returns:
        The file on this machine; None where there is none, or it is too large.

    Raises:
        HubError: If the Hub does not give it, or not within ten seconds.
    """
    if entry.folder is not None:
        path = entry.folder / name
        return path if path.is_file() and path.stat().st_size <= limit else None
    repo_id, revision = entry.repo_id, entry.revision
    assert repo_id is not None, "a model is in a folder or on a Hub"

    def fetch() -> Path | None:
        for known in HfApi().get_paths_info(repo_id, name, revision=revision):
            if isinstance(known, RepoFile) and known.size <= limit:
                return fetch_file(repo_id, name, revision=revision, tqdm_class=hidden_bar())
        return None

    with hub_errors(repo_id):
        cached = try_to_load_from_cache(repo_id, name, revision=revision)
        if isinstance(cached, str):
            return Path(cached) if Path(cached).stat().st_size <= limit else None
        return Deadline(_FILE_SECONDS).run(
            fetch, f"{name} of {repo_id} was not fetched within {_FILE_SECONDS:g} s: try again."
        )


def _repo_ids(namespace: str, token: str | None) -> list[str]:
    # The client's own `list_models` has no time limit and tries a dead Hub six times.
    response = get_session().get(
        f"{constants.ENDPOINT}/api/models",
        params={"author": namespace, "filter": LIBRARY, "limit": 1000},
        headers=build_hf_headers(token=token),
        timeout=constants.HF_HUB_ETAG_TIMEOUT,
    )
    hf_raise_for_status(response)
    try:
        return sorted(repo["id"] for repo in response.json())
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise HubError(
            f"{constants.ENDPOINT} answers no list of models for {namespace}: check HF_ENDPOINT."
        ) from error


def _hub_entry(repo_id: str, namespace: str, token: str | None) -> ZooEntry:
    """Describe a repo from its information, configuration and record, at one commit."""

    def fetch(name: str) -> Path:
        if (sizes[name] or 0) > MAX_BYTES:
            raise ModelError(f"{name} of {repo_id} is too large: it is not a model folder.")
        return fetch_file(repo_id, name, revision=info.sha, token=token, tqdm_class=hidden_bar())

    with hub_errors(repo_id):
        info = repo_info(repo_id, token=token)
        sizes = {file.rfilename: file.size for file in info.siblings or []}
        missing = [name for name in (CONFIG, WEIGHTS) if name not in sizes]
        if missing:
            raise ModelError(f"{repo_id} has no {missing[0]}: it is not a model folder.")
        return ZooEntry(
            name=repo_id.removeprefix(f"{namespace}/"),
            source=namespace,
            config=ModelConfig.read(fetch(CONFIG)),
            record=Record.read(fetch(RECORD)) if RECORD in sizes else None,
            size=sizes[WEIGHTS] or 0,
            licence=licence_id(info.card_data.license if info.card_data else None),
            repo_id=repo_id,
            revision=info.sha,
        )
