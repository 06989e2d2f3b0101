"""Publishing to the Hub: a model folder, or the Space itself, each in one commit."""

from __future__ import annotations

import shutil
import tempfile
from importlib import metadata
from pathlib import Path

import landslide_zoo
from landslide_zoo.errors import ModelError, hub_errors
from landslide_zoo.models.folder import RECORD, WEIGHTS, find_folder, read_record

SPACE_FILES = ("README.md", "requirements.txt", "space_app.py")
"""What a Space needs besides the package: its front matter, its pins, its start."""


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
