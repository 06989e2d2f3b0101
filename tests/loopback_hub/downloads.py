"""Downloads: a file at a revision, from git or, by a redirect, from LFS."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from loopback_hub.requests import Repository, Stored
from loopback_hub.store import Refusal, Repo, Store

router = APIRouter()
DownloadableRepo = Annotated[Repo, Depends(Repository(Store.downloadable))]


@router.api_route("/{namespace}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
@router.api_route(
    "/{kind}/{namespace}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"]
)
async def resolve(request: Request, repo: DownloadableRepo, revision: str, path: str) -> Response:
    """A file's content, or where LFS has it."""
    commit = repo.at(revision)
    if path not in commit.files:
        refusal = Refusal(404, f"{path} does not exist on {revision}", "EntryNotFound")
        raise refusal
    file = commit.files[path]
    headers = {"X-Repo-Commit": commit.id, "ETag": f'"{file.etag}"', "Accept-Ranges": "bytes"}
    if not file.lfs:
        return _content(request, file.content, headers)
    # Another host name, as the Hub's storage has: on the same one the client
    # follows the redirect and loses the headers of this answer.
    storage = str(request.base_url).replace("127.0.0.1", "localhost")
    headers |= {"X-Linked-ETag": headers["ETag"], "X-Linked-Size": str(file.size)}
    return Response(None, 302, headers | {"Location": f"{storage}lfs/{file.sha256}"})


@router.api_route("/lfs/{oid}", methods=["GET", "HEAD"])
async def lfs_get(request: Request, store: Stored, oid: str) -> Response:
    """An LFS object; the address stands for a signed one, so no token is asked."""
    if oid not in store.objects:
        raise Refusal(404, "No such object.")
    return _content(request, store.objects[oid], {"ETag": f'"{oid}"', "Accept-Ranges": "bytes"})


def _content(request: Request, content: bytes, headers: dict[str, str]) -> Response:
    """The whole content or the range asked for."""
    kind = "application/octet-stream"
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if wanted is None:
        return Response(content, 200, headers, kind)
    start, stop = int(wanted[1]), min(int(wanted[2] or len(content)) + 1, len(content))
    if start >= len(content):
        return Response(None, 416, headers | {"Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
    return Response(content[start:stop], 206, headers, kind)
