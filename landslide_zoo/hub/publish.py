"""Publishing to the Hub: a model folder, or the Space itself, each in one commit."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import yaml
from huggingface_hub import metadata_load

import landslide_zoo
from landslide_zoo.data.hub_access import push_files
from landslide_zoo.errors import HubError, ModelError
from landslide_zoo.models.location import CARD, RECORD, WEIGHTS, folder_files, local_folder
from landslide_zoo.models.record import file_sha256

DISTRIBUTION = "landslide-zoo"
SPACE_FILES = ("README.md", "requirements.txt", "space_app.py")
"""What a Space needs besides the package: its front matter, its pins, its start."""


def publish_model(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    token: str | None = None,
    revision: str | None = None,
    tag: str | None = None,
    message: str | None = None,
) -> str:
    """Publish a model folder in one commit: weights, configuration, record and card.

    Args:
        folder: The model folder, or the name of a bundled model.
        repo_id: As in ``someone/unet-resnet34``; made if it is not there.
        private: Whether a new repo is private.
        token: Token with the right to write; the client's own where None.
        revision: Branch to push to; the main one where None.
        tag: Lasting name for this state, as in ``v1.0``.
        message: Message of the commit.

    Returns:
        URL of the commit.

    Raises:
        ModelError: If the folder is no complete model folder; nothing was sent.
        HubError: If the Hub refuses or cannot be reached; the repo is as it was.

    Example:
        >>> publish_model("runs/unet/model", "someone/unet", tag="v1.0")
    """
    found = local_folder(folder)
    if found is None:
        raise ModelError(f"There is no model folder {folder}.")
    name = check_folder(found)
    return push_files(
        repo_id,
        folder_files(found),
        message=message or f"Publish {name}",
        private=private,
        token=token,
        revision=revision,
        tag=tag,
    )


def check_folder(folder: Path) -> str:
    """Check that a model folder is whole and that its files belong together.

    Returns:
        The model's name.

    Raises:
        ModelError: If a file is missing or does not fit the others.
    """
    from landslide_zoo.models.model import LandslideModel  # pushing a Space needs no torch

    model = LandslideModel.from_folder(folder, device="cpu")
    for name in (RECORD, CARD):
        if not (folder / name).is_file():
            raise ModelError(
                f"There is no {name} in {folder}: publish the folder that training wrote, "
                "or save the model with its record."
            )
    assert model.record is not None
    if model.record.weights_sha256 != file_sha256(folder / WEIGHTS):
        raise ModelError(
            f"{folder / WEIGHTS} is not the file that {RECORD} was written for (its SHA-256 "
            "differs): save the model with its record again."
        )
    return model.config.name


def publish_space(
    repo_id: str,
    *,
    private: bool | None = None,
    token: str | None = None,
    root: Path | None = None,
) -> str:
    """Publish the app as a Gradio Space in one commit: the package, its start and its pins.

    Files that an earlier version of the package had and this one has not are
    deleted in the same commit.

    Args:
        repo_id: As in ``someone/landslide-zoo``; made if it is not there.
        private: Whether a new Space is private.
        token: Token with the right to write; the client's own where None.
        root: Folder with ``space_app.py``, ``requirements.txt`` and
            ``README.md``; those of the checkout or the installed package where None.

    Returns:
        URL of the commit.

    Raises:
        HubError: If one of these files is missing or the Hub refuses; the
            Space is as it was.
    """
    package = Path(landslide_zoo.__file__).parent
    return push_files(
        repo_id,
        _space_files(root) | _package_files(package),
        message=f"Publish Landslide Zoo {landslide_zoo.__version__}",
        repo_type="space",
        private=private,
        token=token,
        mirrored=f"{package.name}/",
    )


def _space_files(root: Path | None) -> dict[str, Path]:
    """The files beside the package, by name: of a checkout, else of the installed package."""
    root = root or _home()
    found = {name: root / name for name in SPACE_FILES if (root / name).is_file()}
    missing = [name for name in SPACE_FILES if name not in found]
    if missing:
        raise HubError(f"A Space needs {' and '.join(missing)}, not found in {root}.")
    try:
        sdk = (metadata_load(found["README.md"]) or {}).get("sdk")
    except (ValueError, yaml.YAMLError):
        sdk = None
    if sdk != "gradio":
        raise HubError(f"{found['README.md']} does not begin with the front matter of a Space.")
    return found


def _home() -> Path:
    """The checkout, or where an installed package keeps the same files."""
    checkout = Path(landslide_zoo.__file__).parents[1]
    if (checkout / "space_app.py").is_file():
        return checkout
    for file in metadata.files(DISTRIBUTION) or []:
        if file.name == "space_app.py":
            return Path(str(file.locate())).resolve().parent
    return checkout


def _package_files(package: Path) -> dict[str, Path]:
    """The package's files by their path in the repo, without what Python leaves behind."""
    return {
        f"{package.name}/{path.relative_to(package).as_posix()}": path
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
