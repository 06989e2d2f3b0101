"""The zoo: the models that can be loaded by name, what is known of each, and publishing."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import landslide_zoo
from landslide_zoo.errors import LandslideZooError, ModelError, hub_errors, quoted
from landslide_zoo.inference.backends import load_predictor
from landslide_zoo.models.catalog import RGB_SUFFIX, lookup
from landslide_zoo.models.config import EnsembleConfig, ModelConfig, read_config
from landslide_zoo.models.folder import (
    CONFIG,
    LIBRARY,
    RECORD,
    WEIGHTS,
    Download,
    bundled_folders,
    find_folder,
    model_folders,
    read_record,
    weights_files,
    zoo_sources,
)
from landslide_zoo.models.record import Record, Result, is_research_only

if TYPE_CHECKING:
    from landslide_zoo.inference.predict import LoadedPredictor
    from landslide_zoo.settings import Backend

_ASK_AGAIN_SECONDS = 60.0
"""How long after a Hub has failed it is asked again."""

SPACE_FILES = ("README.md", "requirements.txt", "space_app.py")
"""What a Space needs besides the package: its front matter, its pins, its start."""


@dataclass(frozen=True)
class ZooEntry:
    """A model of the zoo, described by its configuration and record.

    Attributes:
        name: Its name in the zoo; ``ModelZoo.load`` takes it.
        source: Where it comes from: ``bundled``, a folder, or a Hub namespace.
        config: Its configuration.
        record: How it was trained and what was measured; None if untrained.
        size: Size of its weights in bytes; of an ensemble, its members'.
        licence: Its licence, as in ``apache-2.0``.
        folder: Its folder; of a repo on the Hub, what of it has been downloaded.
        repo_id: Its repo, if it is on the Hub.
        revision: The repo's commit that this entry describes.
    """

    name: str
    source: str
    config: ModelConfig | EnsembleConfig
    record: Record | None
    size: int
    licence: str
    folder: Path
    repo_id: str | None = None
    revision: str | None = None

    @property
    def members(self) -> list[str]:
        """The models whose mean it is, if it is an ensemble."""
        return self.config.members if isinstance(self.config, EnsembleConfig) else []

    @property
    def summary(self) -> str:
        """What kind of network it is, in two sentences."""
        if isinstance(self.config, EnsembleConfig):
            return self.config.summary
        return lookup(self.config.name).description

    @property
    def paper_f1(self) -> float | None:
        """The F1 that the paper reports for this network on all bands, if any."""
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
            "source": Path(self.source).name,  # not the path of a folder of the server
            "summary": self.summary,
            "bands": self.config.bands,
            "unit": self.config.unit,
            "threshold": self.config.threshold,
            "f1": self.f1,
            "protocol": self.protocol,
            "megabytes": round(self.size / 1e6, 2),
            "licence": self.licence,
            "revision": self.revision,
        }


Listing = tuple[list[ZooEntry], list[str]]
"""The models of a source, and a sentence for everything in it that is none."""


class ModelZoo:
    """The models that can be loaded by name.

    They come from the bundled models and from the environment variable
    ``LANDSLIDE_ZOO``: folders of model folders, or Hub namespaces, separated by
    commas. Unset, the zoo is the bundled models alone and no network is
    touched. A Hub is asked on first need, in the background.

    Where two sources have a model of the same name, the first keeps the name
    (bundled ones first, then in the order given) and the other is listed as
    ``SOURCE/NAME``.

    Args:
        source: A folder or a Hub namespace (several separated by commas), in
            place of the bundled models and the environment's.
        token: Token for private repos; the client's own where None.
        timeout: Seconds to wait for a Hub's list, whenever it is needed.

    Raises:
        ModelError: If a source is a folder that does not exist, or no name at all.

    Example:
        >>> zoo = ModelZoo()
        >>> model = zoo.load(zoo.default)
    """

    def __init__(
        self, source: str | Path | None = None, *, token: str | None = None, timeout: float = 10.0
    ) -> None:
        self._token = token
        self._timeout = timeout
        self._bundled = source is None
        self._sources: list[Path | _Namespace] = [
            place if isinstance(place, Path) else _Namespace(place, token)
            for place in zoo_sources(source)
        ]

    def names(self) -> list[str]:
        """Names of the models that can be loaded."""
        return [entry.name for entry in self.entries()]

    def compared_names(self) -> list[str]:
        """Names of the models that a comparison takes by default: all but ensembles."""
        return [entry.name for entry in self.entries() if not entry.members]

    @property
    def default(self) -> str:
        """The model used where none is named: the first.

        Raises:
            ModelError: If the zoo is empty.
        """
        for name in self.names():
            return name
        raise ModelError("The zoo holds no model: set LANDSLIDE_ZOO to a folder or Hub namespace.")

    def entries(self) -> list[ZooEntry]:
        """What is known of each model without loading its weights."""
        return self._list()[0]

    def status(self) -> list[str]:
        """A sentence for everything that keeps a model from being listed, such as a silent Hub."""
        return self._list()[1]

    @property
    def pending(self) -> bool:
        """Whether a Hub has yet to answer: the list may still grow."""
        return any(isinstance(source, _Namespace) and source.pending for source in self._sources)

    def entry(self, name: str) -> ZooEntry:
        """What is known of one model.

        Raises:
            ModelError: If the zoo has no model of that name.
        """
        entries, faults = self._list()
        for entry in entries:
            if entry.name == name:
                return entry
        names = ", ".join(entry.name for entry in entries) or "none"
        raise ModelError(
            " ".join([f"There is no model {quoted(name)} in the zoo; it has {names}.", *faults])
        )

    def folder(self, name: str, **download: Unpack[Download]) -> Path:
        """The folder of a model, downloaded from the Hub if need be.

        Args:
            name: One of :meth:`names`, or the id of a repo that is not listed.
            download: How it is downloaded. A listed model is taken at the commit that
                its entry describes where no revision is given.

        Raises:
            ModelError: If there is no such model or its files do not fit each other.
            HubError: If the Hub does not give it.
        """
        download.setdefault("token", self._token)
        if "/" in name and name not in self.names() and not Path(name).is_dir():
            return find_folder(name, **download)
        entry = self.entry(name)
        download["revision"] = download.get("revision") or entry.revision
        return find_folder(entry.repo_id or entry.folder, **download)

    def load(
        self,
        name: str,
        *,
        backend: Backend = "auto",
        device: str = "auto",
        **download: Unpack[Download],
    ) -> LoadedPredictor:
        """Load a model by name.

        Args:
            name: One of :meth:`names`, or the id of a repo that is not listed.
            backend: What computes it: see :func:`~landslide_zoo.inference.load_predictor`.
            device: ``auto`` (a GPU where there is one), or a torch device.
            download: As in :meth:`folder`.

        Returns:
            The model, in evaluation mode. A folder that is an ensemble is an
            :class:`~landslide_zoo.inference.Ensemble`.

        Raises:
            ModelError: If there is no such model or its files do not fit.
            HubError: If the Hub does not give it.
        """
        return load_predictor(self.folder(name, **download), backend, device)

    def _list(self) -> Listing:
        """All entries, named apart, and all faults."""
        listings = [_folder_listing(bundled_folders(), "bundled")] if self._bundled else []
        for source in self._sources:
            if isinstance(source, Path):
                listings.append(_folder_listing(model_folders(source), str(source)))
            else:
                listings.append(source.listing(self._timeout))
        entries: dict[str, ZooEntry] = {}
        for listed, _ in listings:
            for entry in listed:
                name = f"{entry.source}/{entry.name}" if entry.name in entries else entry.name
                entries.setdefault(name, replace(entry, name=name))
        return list(entries.values()), [fault for _, faults in listings for fault in faults]


def entry_file(entry: ZooEntry, name: str, limit: int) -> Path | None:
    """A file of a listed model, such as its card, at the commit that the entry describes.

    Args:
        entry: The model.
        name: Path in its folder.
        limit: Size in bytes of the largest file that is taken.

    Returns:
        The file on this machine; None where there is none, or it is too large.

    Raises:
        HubError: If the Hub does not give it.
    """
    path = entry.folder / name
    if entry.repo_id is not None:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError

        with hub_errors(entry.repo_id), suppress(EntryNotFoundError):
            known = hf_hub_download(entry.repo_id, name, revision=entry.revision, dry_run=True)
            if (known.file_size or 0) <= limit:
                path = Path(hf_hub_download(entry.repo_id, name, revision=entry.revision))
    return path if path.is_file() and path.stat().st_size <= limit else None


class _Namespace:
    """The models of a Hub namespace, listed in the background.

    Args:
        name: User or organisation.
        token: Token for private repos; the client's own where None.
    """

    def __init__(self, name: str, token: str | None) -> None:
        self._name, self._token = name, token
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._ask_again = 0.0
        self._entries: list[ZooEntry] = []
        self._faults = [f"The Hub has not yet said which models {name} has."]
        self.pending = True

    def listing(self, timeout: float) -> Listing:
        """Its entries and faults as known now, or as known once the Hub has answered."""
        with self._lock:
            if self._asking is None or (
                not self._asking.is_alive() and time.monotonic() > self._ask_again
            ):
                # A daemon: a Hub that does not answer must not keep the program from ending.
                self._asking = threading.Thread(target=self._ask, daemon=True)
                self._asking.start()
        self._asking.join(timeout)
        return self._entries, self._faults

    def _ask(self) -> None:
        try:
            self._entries, self._faults = self._describe_all()
            self._ask_again = float("inf")
        except Exception as error:  # whatever it is, the other sources can be used
            self._faults = [_sentence(self._name, error)]
            with suppress(Exception):  # the cache may be missing
                self._entries = self._cached()
            self._ask_again = time.monotonic() + _ASK_AGAIN_SECONDS
        self.pending = False

    def _describe_all(self) -> Listing:
        from huggingface_hub import HfApi

        with hub_errors(self._name):
            models = HfApi(token=self._token).list_models(author=self._name, filter=LIBRARY)
            repo_ids = sorted(model.id for model in models)
        if not repo_ids:
            return [], [f"The Hub has no models of this zoo under {self._name}."]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(self._describe, repo_ids))
        entries = [answer for answer in answers if isinstance(answer, ZooEntry)]
        return entries, [answer for answer in answers if isinstance(answer, str)]

    def _describe(self, repo_id: str) -> ZooEntry | str:
        """The entry of a repo at its newest commit, or a sentence on why it has none."""
        from huggingface_hub import HfApi, snapshot_download

        try:
            with hub_errors(repo_id):
                info = HfApi(token=self._token).model_info(repo_id, files_metadata=True)
                options: Download = {"revision": info.sha, "token": self._token}
                folder = snapshot_download(repo_id, allow_patterns=[CONFIG, RECORD], **options)
            files = info.siblings or []
            size = sum(file.size or 0 for file in files if file.rfilename.endswith(WEIGHTS))
            if not size:
                raise ModelError(f"{repo_id} has no {WEIGHTS}: it is not a model of this zoo.")
            return folder_entry(Path(folder), repo_id.partition("/")[2], self._name, repo_id, size)
        except Exception as error:  # one repo's contents are no matter of the others
            return _sentence(repo_id, error)

    def _cached(self) -> list[ZooEntry]:
        """The models that the client's cache holds whole, each at its newest commit."""
        from huggingface_hub import scan_cache_dir

        entries = {}
        for repo in scan_cache_dir().repos:
            namespace, _, name = repo.repo_id.partition("/")
            if (repo.repo_type, namespace) == ("model", self._name):
                for revision in sorted(repo.revisions, key=lambda commit: commit.last_modified):
                    with suppress(ModelError):
                        entries[name] = folder_entry(
                            revision.snapshot_path, name, namespace, repo.repo_id
                        )
        return [entries[name] for name in sorted(entries)]


def _sentence(name: str, error: Exception) -> str:
    if isinstance(error, LandslideZooError):
        return str(error)
    first_line = str(error).partition("\n")[0]
    return f"{name} cannot be read ({type(error).__name__}: {first_line})."


def _folder_listing(folders: Mapping[str, Path], source: str) -> Listing:
    entries, faults = [], []
    for name, folder in folders.items():
        try:
            entries.append(folder_entry(folder, name, source))
        except ModelError as error:
            faults.append(str(error))
    return entries, faults


def folder_entry(
    folder: Path, name: str, source: str, repo_id: str | None = None, size: int | None = None
) -> ZooEntry:
    """What is known of the model in a folder.

    Args:
        folder: The folder; of a repo, that of a commit in the client's cache.
        name: The model's name in the zoo.
        source: Where it comes from.
        repo_id: Its repo, if it is on the Hub.
        size: Size of its weights in bytes, where they are not in the folder.

    Raises:
        ModelError: If its files are damaged or missing.
    """
    config, record = read_config(folder / CONFIG), read_record(folder)
    if size is None:
        size = sum(path.stat().st_size for path in weights_files(folder))
    licence = "other" if is_research_only(config, record) else "apache-2.0"
    revision = folder.name if repo_id else None
    return ZooEntry(name, source, config, record, size, licence, folder, repo_id, revision)


def publish_model(
    folder: str | Path, repo_id: str, *, private: bool | None = None, token: str | None = None
) -> str:
    """Publish a trained model folder in one commit: weights, configuration, record and card.

    The members of an ensemble are published in its repo. The card names the
    repo, whatever name the folder has.

    Args:
        folder: The model folder, or the name of a bundled model.
        repo_id: As in ``someone/unet-resnet34``; made if it is not there.
        private: Whether a new repo is private.
        token: Token with the right to write; the client's own where None.

    Returns:
        URL of the commit.

    Raises:
        ModelError: If the folder is not a complete model folder; nothing was sent.
        HubError: If the Hub refuses or cannot be reached.

    Example:
        >>> publish_model("runs/unet/model", "someone/unet")  # doctest: +SKIP
        'https://huggingface.co/someone/unet/commit/...'
    """
    from landslide_zoo.models.card import push_folder

    folder = find_folder(folder)
    record = read_record(folder)
    if record is None or record.weights_sha256 is None:
        raise ModelError(
            f"{folder / RECORD} is missing or lacks the SHA-256 of {WEIGHTS}: publish the folder "
            "that training wrote, or save the model with its record."
        )
    return push_folder(folder, repo_id, private=private, token=token)


def publish_space(repo_id: str, *, private: bool | None = None, token: str | None = None) -> str:
    """Publish the app as a Gradio Space in one commit: the package, its start and its pins.

    Files that an earlier version of the package had and this one has not are
    deleted in the same commit.

    Args:
        repo_id: As in ``someone/landslide-zoo``; made if it is not there.
        private: Whether a new Space is private.
        token: Token with the right to write; the client's own where None.

    Returns:
        URL of the commit.

    Raises:
        HubError: If the Hub refuses or cannot be reached.
    """
    from huggingface_hub import HfApi

    from landslide_zoo.models.card import make_repo

    package, api = Path(landslide_zoo.__file__).parent, HfApi(token=token)
    with tempfile.TemporaryDirectory() as staged, hub_errors(repo_id):
        # A wheel has the package and the files beside it in two places; a Space has one.
        shutil.copytree(
            package, Path(staged) / package.name, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
        for name in SPACE_FILES:
            shutil.copy(_home() / name, staged)
        make_repo(api, repo_id, private, repo_type="space", space_sdk="gradio")
        commit = api.upload_folder(
            repo_id=repo_id,
            repo_type="space",
            folder_path=staged,
            commit_message=f"Publish Landslide Zoo {landslide_zoo.__version__}",
            delete_patterns=f"{package.name}/*",
        )
    return commit.commit_url


def _home() -> Path:
    """The checkout, or where an installed package keeps the same files."""
    checkout = Path(landslide_zoo.__file__).parents[1]
    if not (checkout / "space_app.py").is_file():
        for file in metadata.files("landslide-zoo") or []:
            if file.name == "space_app.py":
                return Path(str(file.locate())).resolve().parent
    return checkout
