"""Publishing to the Hub: a model folder, or the Space itself, each in one commit."""

from __future__ import annotations

import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import landslide_zoo
from landslide_zoo.errors import HubError, ModelError, hub_errors, quoted
from landslide_zoo.models.folder import RECORD, WEIGHTS, find_folder, publishing

if TYPE_CHECKING:
    from landslide_zoo.inference.model import LandslideModel

DISTRIBUTION = "landslide-zoo"
SPACE_FILES = ("README.md", "requirements.txt", "space_app.py")
"""What a Space needs besides the package: its front matter, its pins, its start."""


def publish_model(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    token: str | None = None,
    tag: str | None = None,
) -> str:
    """Publish a model folder in one commit: weights, configuration, record and card.

    The card names the repo, whatever name the folder has.

    Args:
        folder: The model folder, or the name of a bundled model.
        repo_id: As in ``someone/unet-resnet34``; made if it is not there.
        private: Whether a new repo is private.
        token: Token with the right to write; the client's own where None.
        tag: Lasting name for this state, as in ``v1.0``.

    Returns:
        URL of the commit.

    Raises:
        ModelError: If the folder is not a complete model folder; nothing was sent.
        HubError: If the Hub refuses or cannot be reached; the repo is as it was.

    Example:
        >>> publish_model("runs/unet/model", "someone/unet", tag="v1.0")  # doctest: +SKIP
        'https://huggingface.co/someone/unet/commit/...'
    """
    from huggingface_hub import HfApi

    model = _load_whole(folder)
    api = HfApi(token=token)
    with hub_errors(repo_id):
        known = api.list_repo_refs(repo_id).tags if tag and api.repo_exists(repo_id) else []
        if tag in {one.name for one in known}:
            raise HubError(f"{repo_id} has a tag {quoted(tag)} already: choose another one.")
        commit = model.push_to_hub(repo_id, private=private, token=token)
        if tag:
            api.create_tag(repo_id, tag=tag, revision=commit.rpartition("/")[2])
    return commit


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
    from huggingface_hub import HfApi

    package = Path(landslide_zoo.__file__).parent
    files = _space_files(root or _home())
    api = HfApi(token=token)
    with (
        tempfile.TemporaryDirectory() as staged,
        publishing(repo_id, private=private, token=token, repo_type="space"),
    ):
        # A wheel has the package and the files beside it in two places; a Space has one.
        shutil.copytree(
            package, Path(staged) / package.name, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
        for file in files:
            shutil.copy(file, staged)
        api.create_repo(
            repo_id, repo_type="space", private=private, space_sdk="gradio", exist_ok=True
        )
        commit = api.upload_folder(
            repo_id=repo_id,
            repo_type="space",
            folder_path=staged,
            commit_message=f"Publish Landslide Zoo {landslide_zoo.__version__}",
            delete_patterns=f"{package.name}/*",
        )
    return commit.commit_url


def _load_whole(folder: str | Path) -> LandslideModel:
    """A model whose folder is whole and whose files belong together.

    Raises:
        ModelError: If a file is missing or does not fit the others.
    """
    from landslide_zoo.inference.model import LandslideModel  # publishing a Space needs no torch

    found = find_folder(folder)
    model = LandslideModel.from_folder(found, device="cpu")
    if model.record is None:
        raise ModelError(
            f"There is no {RECORD} in {found}: publish the folder that training wrote, "
            "or save the model with its record."
        )
    if model.record.weights_sha256 is None:
        raise ModelError(
            f"{found / RECORD} does not say which {WEIGHTS} it was written for (it has no "
            "SHA-256): save the model with its record again."
        )
    return model


def _space_files(root: Path) -> list[Path]:
    """The files beside the package."""
    found = [root / name for name in SPACE_FILES]
    missing = [file.name for file in found if not file.is_file()]
    if missing:
        raise HubError(f"A Space needs {' and '.join(missing)}, not found in {root}.")
    from huggingface_hub import metadata_load

    sdk = (metadata_load(root / "README.md") or {}).get("sdk")
    if sdk != "gradio":
        raise HubError(f"{root / 'README.md'} does not begin with the front matter of a Space.")
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
