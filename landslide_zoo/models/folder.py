"""A model folder: what is in it, the way from a name to it, and its weights, read strictly."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from safetensors import SafetensorError, safe_open

from landslide_zoo.errors import HubError, ModelError, hub_errors, quoted
from landslide_zoo.io import file_sha256
from landslide_zoo.models.config import EnsembleConfig, read_config
from landslide_zoo.models.record import Record
from landslide_zoo.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import nn
    from tqdm.auto import tqdm

CONFIG, WEIGHTS, RECORD, CARD = "config.json", "model.safetensors", "record.json", "README.md"
TRAIN_CONFIG = "train_config.json"
LIBRARY = "landslide-zoo"
"""What the Hub calls the library of such a model."""
DEFAULT_MODEL = "unet-mobilenet_v2-rgb"
"""The bundled model that is used where none is named."""
FILES = [CONFIG, WEIGHTS, RECORD, CARD, TRAIN_CONFIG, "*.png"]
"""What belongs to a model folder; whatever else lies in it is no part of it."""
PATTERNS = [*FILES, *(f"*/{name}" for name in (CONFIG, WEIGHTS, RECORD))]
"""What belongs to a repo: an ensemble's holds its members in folders of their own."""

_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


class Download(TypedDict, total=False):
    """How a repo is downloaded: as ``huggingface_hub.snapshot_download`` takes it.

    Attributes:
        revision: Branch, tag or commit; the main branch where None.
        token: Token for private repos; the client's own where None.
        cache_dir: Folder of the client's cache.
        force_download: Download even what is in the cache.
        local_files_only: Use the cache alone.
        tqdm_class: Progress bar.
    """

    revision: str | None
    token: str | bool | None
    cache_dir: str | Path | None
    force_download: bool
    local_files_only: bool
    tqdm_class: type[tqdm] | None


def find_folder(name: str | Path, **download: Unpack[Download]) -> Path:
    """The model folder that a name means, its weights checked.

    A name is the path of a folder (with a separator, or of one that holds
    ``config.json``), else a bundled model, else a model of the sources in
    ``LANDSLIDE_ZOO``, else a repo on the Hub.

    Args:
        name: As in ``runs/unet``, ``unet-mobilenet_v2-rgb`` or ``someone/unet-resnet34``.
        download: How it is downloaded from the Hub, if it must be: see :class:`Download`.

    Raises:
        ModelError: If there is no such model, or its files do not fit each other.
        HubError: If the Hub does not give it.
    """
    folder = local_folder(name)
    if folder is not None:
        check_weights(folder)
        return folder
    if "/" in str(name):
        return _download(str(name), download)
    missing = None
    for namespace in [source for source in zoo_sources() if isinstance(source, str)]:
        try:
            return _download(f"{namespace}/{name}", download)
        except HubError as error:
            missing = error
    raise missing or ModelError(
        f"There is no model {quoted(name)}: it is neither a folder nor bundled "
        f"({', '.join(bundled_folders()) or 'none is'}) nor in LANDSLIDE_ZOO; "
        "a model on the Hub is named NAMESPACE/NAME."
    )


def local_folder(name: str | Path) -> Path | None:
    """The folder on this machine that a name means, or None if it can only mean a Hub repo.

    Raises:
        ModelError: If the name is clearly a path and there is no such folder.
    """
    path = Path(name)
    # Not Path.is_dir, which raises where a name is too long.
    if os.path.isdir(path) and ((path / CONFIG).is_file() or os.sep in str(name)):
        return path
    if isinstance(name, Path) or name.startswith((os.sep, ".", "~")):
        raise ModelError(f"There is no model folder {quoted(name)}.")
    folders = bundled_folders()
    for source in zoo_sources():
        if isinstance(source, Path):
            folders = model_folders(source) | folders
    return folders.get(name)


def zoo_sources(names: str | Path | None = None) -> list[Path | str]:
    """The places that hold models: folders as paths, Hub namespaces as text.

    Args:
        names: Folders and namespaces, separated by commas; what ``LANDSLIDE_ZOO`` says
            where None.

    Raises:
        ModelError: If one is neither a folder nor a possible namespace.
    """
    if names is None:
        names = Settings.from_environment().zoo
    sources: list[Path | str] = []
    for name in (
        [names] if isinstance(names, Path) else filter(None, map(str.strip, names.split(",")))
    ):
        folder = Path(name).expanduser()
        if not os.path.isdir(folder) and not _NAMESPACE.fullmatch(str(name)):
            raise ModelError(
                f"There is no folder {quoted(name)}: LANDSLIDE_ZOO takes folders of models and "
                "Hub namespaces."
            )
        sources.append(folder if os.path.isdir(folder) else str(name))
    return sources


def model_folders(folder: Path) -> dict[str, Path]:
    """The model folders in a folder by name; the folder itself if it is one."""
    if (folder / CONFIG).is_file():
        return {folder.resolve().name: folder}
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{CONFIG}"))}


def bundled_folders() -> dict[str, Path]:
    """Folders of the models that come with the package, by name, the default one first."""
    folders = model_folders(Path(str(resources.files("landslide_zoo.models"))) / "bundled")
    return dict(sorted(folders.items(), key=lambda item: item[0] != DEFAULT_MODEL))


def folder_files(folder: Path) -> dict[str, Path]:
    """The files of a model folder, by their path in it."""
    return {
        path.relative_to(folder).as_posix(): path
        for pattern in FILES
        for path in sorted(folder.glob(pattern))
    }


def check_weights(folder: Path) -> None:
    """Check that the weights of a folder are whole, and those that its record was written for.

    Raises:
        ModelError: If they are not.
    """
    files = weights_files(folder)
    for path in files:
        try:
            with safe_open(path, "numpy"):
                pass
        except (SafetensorError, OSError) as error:
            raise ModelError(
                f"{path} is not a safetensors file or is cut short ({error}): copy or download it "
                "again."
            ) from error
    record = read_record(folder)
    digest = weights_sha256(folder)
    if record is not None and record.weights_sha256 not in (None, digest):
        raise ModelError(
            f"The weights of {folder} are not those that {RECORD} was written for (their SHA-256 "
            "differs): copy or download the folder again."
        )


def read_record(folder: Path) -> Record | None:
    """The record of a model folder; None where there is none.

    Raises:
        ModelError: If it is no record.
    """
    path = folder / RECORD
    return Record.read(path) if path.is_file() else None


def _download(repo_id: str, options: Download) -> Path:
    """Download a model folder, once more where its files in the client's cache are damaged."""
    from huggingface_hub import is_offline_mode, snapshot_download

    def snapshot(patterns: list[str]) -> Path:
        return Path(snapshot_download(repo_id, allow_patterns=patterns, **options))

    with hub_errors(repo_id):
        # First the configuration alone: a repo of something else may hold gigabytes of weights.
        config = snapshot([CONFIG]) / CONFIG
        if not config.is_file():
            raise ModelError(f"{repo_id} has no {CONFIG}: it is not a model of this zoo.")
        read_config(config)
        folder = snapshot(PATTERNS)
        try:
            check_weights(folder)
        except ModelError:
            if options.get("local_files_only") or is_offline_mode():
                raise
            options = {**options, "force_download": True}
            shutil.rmtree(folder)  # without symbolic links the client replaces no file
            folder = snapshot(PATTERNS)
            check_weights(folder)
    return folder


def member_folders(folder: Path) -> dict[str, Path]:
    """The folders of an ensemble's members, by name; none where it is no ensemble.

    A member is in the ensemble's folder (as in a repo), beside it, or bundled.

    Raises:
        ModelError: If one is missing.
    """
    config, bundled = read_config(folder / CONFIG), bundled_folders()
    folders = {}
    for name in config.members if isinstance(config, EnsembleConfig) else ():
        places = [folder / name, folder.resolve().parent / name, bundled.get(name, folder / name)]
        places = [place for place in places if (place / CONFIG).is_file()]
        if not places:
            raise ModelError(
                f"{folder} is an ensemble, and there is no model {quoted(name)} beside it: copy "
                "its members there too."
            )
        folders[name] = places[0]
    return folders


def weights_files(folder: Path) -> list[Path]:
    """The weights of a model folder, or those of an ensemble's members.

    Raises:
        ModelError: If one is missing.
    """
    files = [place / WEIGHTS for place in member_folders(folder).values() or [folder]]
    for path in files:
        if not path.is_file():
            raise ModelError(f"There is no {WEIGHTS} in {path.parent}: it is not a model folder.")
    return files


def weights_sha256(folder: Path) -> str:
    """SHA-256 of a folder's weights; of an ensemble's, SHA-256 over those of its members.

    Raises:
        ModelError: If the weights of one are missing.
    """
    first, *others = digests = [file_sha256(path) for path in weights_files(folder)]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest() if others else first


@contextmanager
def staged_folder(folder: Path) -> Iterator[Path]:
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
        ModelError: If it is not a safetensors file, lacks a tensor, holds one too many,
            one of another shape or kind, or one with values that are not finite.
    """
    from safetensors.torch import load_file

    tensors = load_file(path)
    faults = _faults(network.state_dict(), tensors)
    if faults:
        raise ModelError(f"{path} does not fit its {CONFIG}: it {faults[0]}.")
    network.load_state_dict(tensors, strict=True)


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
