"""A model folder: where it is, what lies in it, and its weights, read strictly."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

from landslide_zoo.errors import HubError, ModelError, hub_errors
from landslide_zoo.models.config import ModelConfig

if TYPE_CHECKING:
    import torch
    from torch import nn
    from tqdm.auto import tqdm

T = TypeVar("T")

CONFIG, WEIGHTS, RECORD, CARD = "config.json", "model.safetensors", "record.json", "README.md"
TRAIN_CONFIG = "train_config.json"
EVAL_RESULTS = ".eval_results"
"""Folder of the results that the Hub shows on a dataset's leaderboard."""
PATTERNS = [CONFIG, WEIGHTS, RECORD, CARD, TRAIN_CONFIG, "*.png", f"{EVAL_RESULTS}/*.yaml"]
"""What belongs to a model folder; whatever else lies in it is no part of it."""


class Download(TypedDict, total=False):
    """Arguments of ``huggingface_hub.snapshot_download`` that a model's loading passes on."""

    revision: str | None
    token: str | bool | None
    cache_dir: str | Path | None
    force_download: bool
    local_files_only: bool
    tqdm_class: type[tqdm] | None


def folder_files(folder: Path) -> dict[str, Path]:
    """The files of a model folder, by their path in it."""
    return {
        path.relative_to(folder).as_posix(): path
        for pattern in PATTERNS
        for path in sorted(folder.glob(pattern))
    }


def bundled_folders() -> dict[str, Path]:
    """Folders of the models that come with the package, by name."""
    root = Path(str(resources.files("landslide_zoo.models"))) / "bundled"
    return {path.parent.name: path.parent for path in sorted(root.glob(f"*/{CONFIG}"))}


def local_folder(name: str | Path) -> Path | None:
    """The folder on this machine that a name means, or None if it means a Hub repo.

    A name with a path separator that exists, or a folder that holds
    ``config.json``, is that folder; else a bundled name is the bundled model.

    Raises:
        ModelError: If the name is clearly a path and there is no such folder.
    """
    path = Path(name)
    if path.is_dir() and ((path / CONFIG).is_file() or os.sep in str(name)):
        return path
    if isinstance(name, Path) or str(name).startswith((os.sep, ".", "~")):
        raise ModelError(f"There is no model folder {name}.")
    return bundled_folders().get(str(name))


def download_folder(repo_id: str, **options: Unpack[Download]) -> Path:
    """Download a model folder from the Hub, all its files from one commit.

    ``config.json`` comes first and is checked before any weights are asked for.

    Args:
        repo_id: As in ``someone/unet-resnet34``.
        options: As ``huggingface_hub.snapshot_download`` takes them.

    Raises:
        HubError: If the Hub does not give the repo.
        ModelError: If the repo holds no model of this zoo.
    """
    from huggingface_hub import hf_hub_download, snapshot_download

    if "/" not in repo_id:
        raise ModelError(
            f"There is no model {repo_id!r}: it is no folder and not bundled "
            f"({', '.join(bundled_folders()) or 'none is'}); "
            "a model on the Hub is named NAMESPACE/NAME."
        )
    tqdm_class = options.pop("tqdm_class", None)
    arguments: dict[str, Any] = {**options}
    with hub_errors(repo_id):
        config = hf_hub_download(repo_id, CONFIG, **arguments)
        ModelConfig.read(Path(config))
        arguments["revision"] = Path(config).parent.name
        return Path(
            snapshot_download(repo_id, allow_patterns=PATTERNS, tqdm_class=tqdm_class, **arguments)
        )


def load_downloaded(repo_id: str, load: Callable[[Path], T], **options: Unpack[Download]) -> T:
    """Download a model folder and load it; a damaged copy in the cache is fetched once more.

    Args:
        repo_id: As in ``someone/unet-resnet34``.
        load: Loads a folder.
        options: As :func:`download_folder` takes them.

    Raises:
        HubError: If the Hub does not give the repo.
        ModelError: If what it gives cannot be loaded either.
    """
    try:
        return load(download_folder(repo_id, **options))
    except ModelError:
        if "/" not in repo_id or options.get("local_files_only"):
            raise
    options["force_download"] = True
    try:
        return load(download_folder(repo_id, **options))
    except ModelError as error:
        raise ModelError(
            f"{error} A new download is no better: ask the owner of {repo_id} to publish it again."
        ) from error


@contextmanager
def publishing(repo_id: str, *, private: bool | None, token: str | None) -> Iterator[None]:
    """A block that publishes to a model repo; a failure leaves the Hub as it was.

    Args:
        repo_id: As in ``someone/unet-resnet34``; made in the block if it is not there.
        private: Whether the repo must be private.
        token: Token with the right to write; the client's own where None.

    Raises:
        HubError: If the Hub refuses or cannot be reached, or the repo is there
            and public although it was to be private.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    with hub_errors(repo_id):
        known = api.repo_exists(repo_id)
        if known and private and not api.repo_info(repo_id).private:
            raise HubError(
                f"{repo_id} exists and is public: make it private on its page, or choose "
                "another name."
            )
        try:
            yield
        except BaseException:
            # The repo was made for this push alone: nobody wants it empty.
            if not known and api.repo_exists(repo_id) and not _holds_files(api, repo_id):
                api.delete_repo(repo_id)
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


def _holds_files(api: Any, repo_id: str) -> bool:  # noqa: ANN401 - huggingface_hub.HfApi
    return any(name != ".gitattributes" for name in api.list_repo_files(repo_id))
