"""A model folder: where it is, what lies in it, and its weights, read strictly."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from landslide_zoo.data.files import file_sha256
from landslide_zoo.errors import HubError, ModelError, hub_errors, quoted

if TYPE_CHECKING:
    import torch
    from torch import nn

CONFIG, WEIGHTS, RECORD, CARD = "config.json", "model.safetensors", "record.json", "README.md"
TRAIN_CONFIG = "train_config.json"
DEFAULT_MODEL = "unet-mobilenet_v2-rgb"
"""The bundled model that is used where none is named."""
EVAL_RESULTS = ".eval_results"
"""Folder of the results that the Hub shows on a dataset's leaderboard."""
RANGES = "int8.safetensors"
"""Between which values the network's numbers lie, for those who compute it in eight bits."""
PATTERNS = [
    *(CONFIG, WEIGHTS, RECORD, CARD, TRAIN_CONFIG, RANGES),
    *("*.png", f"{EVAL_RESULTS}/*.yaml"),
]
"""What belongs to a model folder; whatever else lies in it is no part of it."""


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
        raise ModelError(f"There is not a model folder {quoted(name)}.")
    return bundled_folders().get(str(name))


def member_folder(folder: Path, name: str) -> Path:
    """The folder of a member of an ensemble: the one beside the ensemble's, else a bundled model.

    Args:
        folder: The ensemble's.
        name: The member's.

    Raises:
        ModelError: If there is neither.
    """
    beside = folder.resolve().parent / name
    found = beside if (beside / CONFIG).is_file() else bundled_folders().get(name)
    if found is None:
        raise ModelError(
            f"{folder} is an ensemble, and there is no model {quoted(name)} beside it: copy its "
            "members there too."
        )
    return found


def weights_files(folder: Path, members: Iterable[str] = ()) -> list[Path]:
    """The weights of a model folder, or those of an ensemble's members.

    Raises:
        ModelError: If one is missing.
    """
    folders = [member_folder(folder, name) for name in members] or [folder]
    for one in folders:
        if not (one / WEIGHTS).is_file():
            raise ModelError(f"There is no {WEIGHTS} in {one}: it is not a model folder.")
    return [one / WEIGHTS for one in folders]


def ensemble_sha256(folder: Path, members: Iterable[str]) -> str:
    """What ``weights_sha256`` is in an ensemble's record: SHA-256 over those of its members.

    Raises:
        ModelError: If the weights of one are missing.
    """
    digests = [file_sha256(path) for path in weights_files(folder, members)]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


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
        ModelError: If it is not a safetensors file, lacks a tensor, holds one too many,
            one of another shape or kind, or one with values that are not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path} is not a safetensors file or is cut short ({error}): copy or download it "
            "again."
        ) from error
    faults = _faults(network.state_dict(), tensors)
    if faults:
        more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
        raise ModelError(f"{path} does not fit its {CONFIG}: it {faults[0]}{more}.")
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
