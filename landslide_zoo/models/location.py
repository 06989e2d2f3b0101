"""Where a model folder is: on disk, bundled with the package, or on the Hub."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from landslide_zoo.data.hub_access import hub_errors
from landslide_zoo.errors import ModelError
from landslide_zoo.models.config import ModelConfig

if TYPE_CHECKING:
    from tqdm.auto import tqdm

CONFIG, WEIGHTS, RECORD, CARD = "config.json", "model.safetensors", "record.json", "README.md"
_PATTERNS = [CONFIG, WEIGHTS, RECORD, CARD, "*.png"]


def folder_files(folder: Path) -> dict[str, Path]:
    """The files of a model folder, by name; whatever else lies in it is no part of it."""
    return {path.name: path for pattern in _PATTERNS for path in sorted(folder.glob(pattern))}


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


def download_folder(
    repo_id: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    force_download: bool = False,
    local_files_only: bool = False,
    tqdm_class: type[tqdm] | None = None,
) -> Path:
    """Download a model folder from the Hub, all its files from one commit.

    ``config.json`` comes first and is checked before any weights are asked for.
    The arguments are those of ``huggingface_hub.snapshot_download``.

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
    with hub_errors(repo_id):
        config = hf_hub_download(
            repo_id,
            CONFIG,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
        )
        ModelConfig.read(Path(config))
        commit = Path(config).parent.name
        return Path(
            snapshot_download(
                repo_id,
                revision=commit,
                allow_patterns=_PATTERNS,
                token=token,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
                tqdm_class=tqdm_class,
            )
        )
