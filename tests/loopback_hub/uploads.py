"""Uploads: how each file is to be sent, LFS objects, and commits."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request

from loopback_hub.cards import problems
from loopback_hub.requests import Repository, Requester, Stored
from loopback_hub.store import File, Refusal, Repo, Store

router = APIRouter()
WritableRepo = Annotated[Repo, Depends(Repository(Store.writable))]

_LFS_SUFFIXES = {".safetensors", ".bin", ".h5", ".npy", ".zip"}
_LARGEST_REGULAR_FILE = 10 * 1024 * 1024


@router.post("/api/{kind}/{namespace}/{name}/preupload/{revision}")
async def preupload(
    repo: WritableRepo, revision: str, files: Annotated[list[dict[str, Any]], Body(embed=True)]
) -> dict[str, Any]:
    """Which files go into git and which into LFS, and what is there already."""
    present = repo.at(revision).files
    return {
        "files": [
            {
                "path": file["path"],
                "uploadMode": "lfs" if _is_large(file) else "regular",
                "shouldIgnore": False,
                "oid": present[file["path"]].etag if file["path"] in present else None,
            }
            for file in files
        ]
    }


def _is_large(file: dict[str, Any]) -> bool:
    """Whether a file belongs into LFS: by its suffix, its size, or as a binary file."""
    return (
        PurePosixPath(file["path"]).suffix in _LFS_SUFFIXES
        or file["size"] > _LARGEST_REGULAR_FILE
        or b"\0" in base64.b64decode(file["sample"])
    )


@router.post("/{namespace}/{name}.git/info/lfs/objects/batch")
@router.post("/{kind}/{namespace}/{name}.git/info/lfs/objects/batch")
async def lfs_batch(
    request: Request,
    store: Stored,
    repo: WritableRepo,
    objects: Annotated[list[dict[str, Any]], Body(embed=True)],
) -> dict[str, Any]:
    """Where to send the LFS objects that are not here yet."""
    answer = []
    for wanted in objects:
        href = f"{request.base_url}lfs/{wanted['oid']}"
        actions = {"upload": {"href": href}, "verify": {"href": f"{href}/verify"}}
        answer.append(wanted if wanted["oid"] in store.objects else wanted | {"actions": actions})
    return {"transfer": "basic", "objects": answer}


@router.put("/lfs/{oid}")
async def lfs_put(request: Request, store: Stored, oid: str) -> None:
    """Take an LFS object; the address stands for a signed one, so no token is asked."""
    content = await _body(request)
    if hashlib.sha256(content).hexdigest() != oid:
        raise Refusal(400, "The content does not match its SHA-256.")
    store.objects[oid] = content


@router.post("/lfs/{oid}/verify")
async def lfs_verify(
    store: Stored, token: Requester, oid: str, size: Annotated[int, Body(embed=True)]
) -> None:
    """Check that an LFS object came whole."""
    if len(store.objects.get(oid, b"")) != size:
        raise Refusal(404, "The object is not here in that size.")


@router.post("/api/{kind}/{namespace}/{name}/commit/{revision}")
async def commit(
    request: Request, store: Stored, token: Requester, repo: WritableRepo, revision: str
) -> dict[str, Any]:
    """Apply all operations of a commit, or none."""
    if revision not in repo.branches:
        raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    lines = [json.loads(line) for line in (await _body(request)).splitlines()]
    header = lines[0]["value"]
    head = repo.branches[revision]
    if header.get("parentCommit", head.id) != head.id:
        raise Refusal(412, "A commit has happened since. Please refresh and try again.")
    files = dict(head.files)
    for line in lines[1:]:
        _apply(line["key"], line["value"], files, store)
    readme = files.get("README.md")
    if readme and (found := problems(repo.kind[:-1], readme.content.decode())):
        raise Refusal(400, f"Invalid metadata in README.md: {'; '.join(found)}")
    made = repo.commit(
        revision, files, header["summary"], header["description"], token.user if token else ""
    )
    url = f"{request.base_url}{repo.id}/commit/{made.id}"
    return {"success": True, "commitOid": made.id, "commitUrl": url}


def _apply(operation: str, value: dict[str, Any], files: dict[str, File], store: Store) -> None:
    """Change the files as one line of a commit says."""
    path = value["path"]
    match operation:
        case "file":
            files[path] = File(base64.b64decode(value["content"]), lfs=False)
        case "lfsFile":
            if value["oid"] not in store.objects:
                raise Refusal(400, f"Your push was rejected: {path} is not in LFS")
            files[path] = File(store.objects[value["oid"]], lfs=True)
        case "deletedFile" if path in files:
            del files[path]
        case "deletedFolder" if inside := [name for name in files if name.startswith(path)]:
            for name in inside:
                del files[name]
        case "deletedFile" | "deletedFolder":
            raise Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
        case _:
            raise Refusal(400, f"The loopback Hub does not know the operation {operation}")


async def _body(request: Request) -> bytes:
    """A request's body, each piece reported as it arrives."""
    pieces = []
    async for piece in request.stream():
        request.app.state.received(len(piece))
        pieces.append(piece)
    return b"".join(pieces)
