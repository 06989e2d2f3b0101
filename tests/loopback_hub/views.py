"""How repositories, files and commits look in the Hub's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from loopback_hub.cards import metadata
from loopback_hub.store import Commit, File, Repo


def repo_info(repo: Repo, commit: Commit, blobs: bool = False) -> dict[str, Any]:
    """What the Hub tells of a repository at a commit."""
    readme = commit.files.get("README.md")
    card = metadata(readme.content.decode()) if readme else {}
    tags = [*card.get("tags", []), *(f"license:{card[key]}" for key in ("license",) if key in card)]
    info = {
        "id": repo.id,
        "author": repo.namespace,
        "sha": commit.id,
        "private": repo.private,
        "gated": repo.gated,
        "disabled": False,
        "createdAt": _time(repo.created),
        "lastModified": _time(commit.date),
        "downloads": 0,
        "likes": 0,
        "tags": [*tags, *(card[key] for key in ("library_name", "pipeline_tag") if key in card)],
        "cardData": card,
        "siblings": [_sibling(path, file, blobs) for path, file in sorted(commit.files.items())],
    }
    info |= {key: card[key] for key in ("library_name", "pipeline_tag") if key in card}
    if repo.kind == "models":
        info |= {"modelId": repo.id, "model-index": card.get("model-index")}
    if repo.kind == "spaces":
        info |= {"sdk": card.get("sdk", repo.sdk)}
    return info


def tree_file(path: str, file: File) -> dict[str, Any]:
    """A file as an entry of a tree."""
    entry: dict[str, Any] = {"type": "file", "path": path, "size": file.size, "oid": file.blob_id}
    if file.lfs:
        pointer_size = len(file.pointer)
        entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": pointer_size}
    return entry


def commits(history: Iterable[Commit]) -> list[dict[str, Any]]:
    """A branch's history."""
    return [
        {
            "id": commit.id,
            "title": commit.title,
            "message": commit.message,
            "authors": [{"user": commit.author}],
            "date": _time(commit.date),
        }
        for commit in history
    ]


def refs(repo: Repo) -> dict[str, Any]:
    """The names that point at commits."""

    def listed(folder: str, names: Mapping[str, Commit]) -> list[dict[str, str]]:
        return [
            {"name": name, "ref": f"refs/{folder}/{name}", "targetCommit": commit.id}
            for name, commit in names.items()
        ]

    return {
        "branches": listed("heads", repo.branches),
        "tags": listed("tags", repo.tags),
        "converts": [],
        "pullRequests": [],
    }


def _sibling(path: str, file: File, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": path}
    sibling: dict[str, Any] = {"rfilename": path, "size": file.size, "blobId": file.blob_id}
    if file.lfs:
        pointer_size = len(file.pointer)
        sibling["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": pointer_size}
    return sibling


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
