"""A model folder: where it is, what lies in it, and its weights, read strictly."""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, Unpack

from landslide_zoo.errors import HubError, ModelError, hub_errors, quoted
from landslide_zoo.models.config import ModelConfig
from landslide_zoo.models.deadline import Deadline

if TYPE_CHECKING:
    import torch
    from huggingface_hub import ModelInfo
    from torch import nn
    from tqdm.auto import tqdm

T = TypeVar("T")

CONFIG, WEIGHTS, RECORD, CARD = "config.json", "model.safetensors", "record.json", "README.md"
TRAIN_CONFIG = "train_config.json"
DEFAULT_MODEL = "unet-mobilenet_v2-rgb"
"""The bundled model that is used where none is named."""
EVAL_RESULTS = ".eval_results"
"""Folder of the results that the Hub shows on a dataset's leaderboard."""
PATTERNS = [CONFIG, WEIGHTS, RECORD, CARD, TRAIN_CONFIG, "*.png", f"{EVAL_RESULTS}/*.yaml"]
"""What belongs to a model folder; whatever else lies in it is no part of it."""


TIMEOUT_VARIABLE = "LANDSLIDE_ZOO_TIMEOUT"
"""Environment variable that says how many seconds fetching a model may take."""
TIMEOUT = 60.0
"""How many it may take where the variable is not set."""


class Download(TypedDict, total=False):
    """How a model folder is fetched from the Hub.

    Attributes:
        revision: Branch, tag or commit; the main branch where None.
        token: Token for private repos; the client's own where None.
        cache_dir: Folder of the client's cache.
        force_download: Fetch even what is in the cache.
        local_files_only: Use the cache alone.
        tqdm_class: Progress bar of the weights.
        timeout: Seconds that it may take altogether; what ``LANDSLIDE_ZOO_TIMEOUT``
            says where None, else 60.
    """

    revision: str | None
    token: str | bool | None
    cache_dir: str | Path | None
    force_download: bool
    local_files_only: bool
    tqdm_class: type[tqdm] | None
    timeout: float | None


def folder_files(folder: Path) -> dict[str, Path]:
    """The files of a model folder, by their path in it."""
    return {
        path.relative_to(folder).as_posix(): path
        for pattern in PATTERNS
        for path in sorted(folder.glob(pattern))
    }


def bundled_folders() -> dict[str, Path]:
    """Folders of the models that come with the package, by name, the default one first."""
    root = Path(str(resources.files("landslide_zoo.models"))) / "bundled"
    folders = [path.parent for path in root.glob(f"*/{CONFIG}")]
    folders.sort(key=lambda folder: (folder.name != DEFAULT_MODEL, folder.name))
    return {folder.name: folder for folder in folders}


def local_folder(name: str | Path) -> Path | None:
    """The folder on this machine that a name means, or None if it means a Hub repo.

    A name with a path separator that exists, or a folder that holds
    ``config.json``, is that folder; else a bundled name is the bundled model.

    Raises:
        ModelError: If the name is clearly a path and there is no such folder.
    """
    path = Path(name)
    # Not Path.is_dir: it raises where a name is too long.
    if os.path.isdir(path) and ((path / CONFIG).is_file() or os.sep in str(name)):
        return path
    if isinstance(name, Path) or str(name).startswith((os.sep, ".", "~")):
        raise ModelError(f"There is no model folder {quoted(name)}.")
    return bundled_folders().get(str(name))


def download_folder(repo_id: str, **options: Unpack[Download]) -> Path:
    """Download a model folder from the Hub, all its files from one commit.

    ``config.json`` comes first and is checked before any weights are asked for;
    the weights come last, so that a folder in the cache that has them has all.
    A commit in the cache is used without asking anybody; a branch in the cache
    is used where the Hub does not say at once that it has moved on.

    Args:
        repo_id: As in ``someone/unet-resnet34``.
        options: As :class:`Download` has them.

    Raises:
        HubError: If the Hub does not give the repo, or not in time.
        ModelError: If the repo holds no model of this zoo.
    """
    if "/" not in repo_id:
        raise ModelError(
            f"There is no model {quoted(repo_id)}: it is no folder and not bundled "
            f"({', '.join(bundled_folders()) or 'none is'}); "
            "a model on the Hub is named NAMESPACE/NAME."
        )
    with hub_errors(repo_id):
        cached = _cached_folder(repo_id, options)
        if cached and not options.get("force_download"):
            if options.get("local_files_only") or cached.name == options.get("revision"):
                return cached
            if _is_newest(cached, repo_id, options):
                return cached
        seconds = options.get("timeout") or _timeout()
        return Deadline(seconds).run(
            lambda: _download(repo_id, options),
            f"{repo_id} was not fetched within {seconds:g} s: try again, or allow more with "
            f"{TIMEOUT_VARIABLE}.",
        )


def load_downloaded(repo_id: str, load: Callable[[Path], T], **options: Unpack[Download]) -> T:
    """Download a model folder and load it; a damaged copy in the cache is fetched once more.

    Args:
        repo_id: As in ``someone/unet-resnet34``.
        load: Loads a folder.
        options: As :class:`Download` has them.

    Raises:
        HubError: If the Hub does not give the repo, or not in time.
        ModelError: If what it gives cannot be loaded.
    """
    folder = download_folder(repo_id, **options)
    try:
        return load(folder)
    except ModelError as error:
        if options.get("local_files_only") or not any(
            map(is_damaged, folder_files(folder).values())
        ):
            raise
        damaged = error
    options["force_download"] = True
    try:
        return load(download_folder(repo_id, **options))
    except HubError as error:
        raise ModelError(f"{damaged} It cannot be fetched again now: {error}") from error


def fetch_file(repo_id: str, name: str, **arguments: Any) -> Path:  # noqa: ANN401
    """A file of a repo in the client's cache, fetched again if it is damaged there.

    Args:
        repo_id: As in ``someone/unet-resnet34``.
        name: Its path in the repo.
        arguments: Those of ``huggingface_hub.hf_hub_download``.

    Raises:
        HubError: If it arrives damaged.
    """
    from huggingface_hub import hf_hub_download

    path = Path(hf_hub_download(repo_id, name, **arguments))
    if is_damaged(path) and not arguments.get("local_files_only"):
        path = Path(hf_hub_download(repo_id, name, **{**arguments, "force_download": True}))
        if is_damaged(path):
            raise HubError(
                f"{name} of {repo_id} is damaged on its way from the Hub: try again, and if that "
                "does not help, ask its owner to publish it again."
            )
    return path


def is_damaged(path: Path) -> bool:
    """Whether a file in the client's cache is not the one that the cache took it for.

    The cache names content by the Hub's own hash: SHA-256 for large files, git's
    SHA-1 for others. Of a file with another name nothing can be told.
    """
    blob = path.resolve()
    if re.fullmatch(r"[0-9a-f]{64}", blob.name):
        return file_sha256(blob) != blob.name
    if re.fullmatch(r"[0-9a-f]{40}", blob.name):
        content = blob.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() != blob.name
    return False


def hidden_bar() -> type[tqdm]:
    """A progress bar that is not shown, for files of a few kilobytes."""
    from huggingface_hub.utils import tqdm

    class HiddenBar(tqdm):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})

    return HiddenBar


@contextmanager
def publishing(
    repo_id: str,
    *,
    private: bool | None,
    token: str | None,
    repo_type: Literal["model", "space"] = "model",
) -> Iterator[None]:
    """A block that publishes to a repo; a failure leaves the Hub as it was.

    Args:
        repo_id: As in ``someone/unet-resnet34``; made in the block if it is not there.
        private: Whether the repo must be private.
        token: Token with the right to write; the client's own where None.
        repo_type: What kind of repo it is.

    Raises:
        HubError: If the Hub refuses or cannot be reached, or the repo is there
            and public although it was to be private.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    with hub_errors(repo_id):
        known = api.repo_exists(repo_id, repo_type=repo_type)
        if known and private and not api.repo_info(repo_id, repo_type=repo_type).private:
            raise HubError(
                f"{repo_id} exists and is public: make it private on its page, or choose "
                "another name."
            )
        try:
            yield
        except BaseException:
            # The repo was made for this push alone: nobody wants it empty.
            with suppress(Exception):  # the Hub may have died; what failed first is said
                names = [] if known else api.list_repo_files(repo_id, repo_type=repo_type)
                if not known and set(names) <= {".gitattributes"}:
                    api.delete_repo(repo_id, repo_type=repo_type)
            raise


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A new folder to write to, whose files then go to their places in a model folder.

    The configuration goes last: a folder without one is no model, and one that
    is interrupted keeps what it had.

    Args:
        folder: The model folder, made if need be.

    Yields:
        The folder to write to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as temporary:
        new = Path(temporary)
        yield new
        files = folder_files(new)
        for name in sorted(files, key=lambda name: name == CONFIG):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.move(files[name], folder / name)


def save_weights(network: nn.Module, path: Path, dtype: str) -> None:
    """Write a network's weights; statistics of batch normalisation stay float32.

    Args:
        network: The network, whatever its device.
        path: File to write.
        dtype: ``float32`` or ``float16``, for the parameters.

    Raises:
        OSError: If the file cannot be written.
    """
    import torch
    from safetensors.torch import save

    stored = getattr(torch, dtype)
    parameters = {name for name, _ in network.named_parameters()}
    tensors = {
        name: tensor.detach().to("cpu", stored if name in parameters else tensor.dtype).contiguous()
        for name, tensor in network.state_dict().items()
    }
    # Not save_file: what it writes only its owner may read.
    path.write_bytes(save(tensors, metadata={"format": "pt"}))


def load_weights(network: nn.Module, path: Path) -> None:
    """Read weights into a network, every tensor by name, shape and kind.

    Raises:
        ModelError: If the file is missing, is no safetensors file, lacks a
            tensor, holds one too many, one of another shape or kind, or one
            with values that are not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise ModelError(f"There is no {WEIGHTS} in {path.parent}: it is no model folder.")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path} is no safetensors file or is cut short ({error}): copy or download it again."
        ) from error
    faults = _faults(network.state_dict(), tensors)
    if faults:
        more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
        raise ModelError(f"{path} does not fit its {CONFIG}: it {faults[0]}{more}.")
    network.load_state_dict(tensors, strict=True)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _faults(wanted: dict[str, torch.Tensor], tensors: dict[str, torch.Tensor]) -> list[str]:
    faults = []
    for name, here in wanted.items():
        there = tensors.get(name)
        if there is None:
            faults.append(f"lacks {name}")
        elif there.shape != here.shape:
            faults.append(f"has {name} with shape {tuple(there.shape)}, not {tuple(here.shape)}")
        elif there.is_floating_point() != here.is_floating_point():
            faults.append(f"has {name} as {there.dtype}, not {here.dtype}")
        elif there.is_floating_point() and not there.isfinite().all():
            faults.append(f"has values in {name} that are not finite")
    return faults + [f"has {name}, which the network has not" for name in tensors.keys() - wanted]


def _timeout() -> float:
    text = os.environ.get(TIMEOUT_VARIABLE) or str(TIMEOUT)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise HubError(f"{TIMEOUT_VARIABLE} is {quoted(text)}; it must be a number of seconds.")
    return seconds


def _cached_folder(repo_id: str, options: Download) -> Path | None:
    """The folder of a revision that the client's cache holds whole."""
    from huggingface_hub import try_to_load_from_cache

    weights = try_to_load_from_cache(
        repo_id, WEIGHTS, cache_dir=options.get("cache_dir"), revision=options.get("revision")
    )
    return Path(weights).parent if isinstance(weights, str) else None


def _is_newest(cached: Path, repo_id: str, options: Download) -> bool:
    """Whether the Hub has nothing newer than what is cached, or does not say so at once."""
    from huggingface_hub import constants
    from huggingface_hub.errors import RevisionNotFoundError

    deadline = Deadline(min(constants.HF_HUB_ETAG_TIMEOUT, options.get("timeout") or _timeout()))
    try:
        with hub_errors(repo_id):
            commit = deadline.run(lambda: _repo_info(repo_id, options).sha, "The Hub is silent.")
    except HubError as error:
        if isinstance(error.__cause__, RevisionNotFoundError):
            raise
        return True
    return commit == cached.name


def _download(repo_id: str, options: Download) -> Path:
    from huggingface_hub.utils import filter_repo_objects

    names = {CONFIG, WEIGHTS}
    if not options.get("local_files_only"):
        names |= {file.rfilename for file in _repo_info(repo_id, options).siblings or []}
    arguments: dict[str, Any] = {**options, "tqdm_class": hidden_bar()}
    arguments.pop("timeout", None)
    config = fetch_file(repo_id, CONFIG, **arguments)
    ModelConfig.read(config)
    arguments["revision"] = config.parent.name
    wanted = set(filter_repo_objects(names - {CONFIG}, allow_patterns=PATTERNS))
    for name in sorted(wanted - {WEIGHTS}):
        fetch_file(repo_id, name, **arguments)
    arguments["tqdm_class"] = options.get("tqdm_class")
    fetch_file(repo_id, WEIGHTS, **arguments)
    return config.parent


def _repo_info(repo_id: str, options: Download) -> ModelInfo:
    from huggingface_hub import HfApi, constants

    # A single try: the client's retries are for files.
    return HfApi(token=options.get("token")).model_info(
        repo_id, revision=options.get("revision"), timeout=constants.HF_HUB_ETAG_TIMEOUT
    )
