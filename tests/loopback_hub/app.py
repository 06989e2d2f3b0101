"""The loopback Hub's application: repositories, uploads, downloads."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import yaml
from fastapi import APIRouter, Body, Depends, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse

from loopback_hub import xet
from loopback_hub.store import Commit, File, Refusal, Repo, Store, git_file

router = APIRouter()
_REPO = "/api/{kind}/{owner}/{name}"
_LARGE = (".safetensors", ".bin", ".h5", ".onnx", ".png")


def build_app(store: Store) -> FastAPI:
    """The application over a store."""
    app = FastAPI(openapi_url=None)
    app.state.store, app.state.xet = store, xet.Xet()
    app.include_router(router)
    app.include_router(xet.router)

    @app.middleware("http")
    async def note(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        store.requests.append(f"{request.method} {request.url.path}")
        return await call_next(request)

    @app.exception_handler(Refusal)
    async def refuse(request: Request, refusal: Refusal) -> JSONResponse:
        headers = {"X-Error-Message": refusal.message, "X-Error-Code": refusal.code}
        return JSONResponse({"error": refusal.message}, refusal.status, headers)

    return app


def _store(request: Request) -> Store:
    return request.app.state.store


def _user(request: Request) -> tuple[str, str]:
    return _store(request).user(request.headers.get("authorization"))


def _readable(request: Request) -> Repo:
    path = request.path_params
    repo_id = f"{path['owner']}/{path['name']}"
    return _store(request).readable(path.get("kind", "models"), repo_id, _user(request)[0])


def _writable(request: Request) -> Repo:
    repo = _readable(request)
    _store(request).check_writer(repo.owner, *_user(request))
    return repo


ReadableRepo = Annotated[Repo, Depends(_readable)]
WritableRepo = Annotated[Repo, Depends(_writable)]
Items = Annotated[list[dict[str, Any]], Body(embed=True)]


@router.post("/api/validate-yaml")
async def validate_yaml() -> dict[str, list[str]]:
    """Every card is taken."""
    return {"errors": [], "warnings": []}


@router.post("/api/repos/create")
async def create(request: Request, body: Annotated[dict[str, Any], Body()]) -> JSONResponse:
    """Create a repository."""
    (user, role), kind = _user(request), f"{body.get('type') or 'model'}s"
    owner = body.get("organization") or user
    _store(request).check_writer(owner, user, role)
    repo_id = f"{owner}/{body['name']}"
    url = f"{request.base_url}{'' if kind == 'models' else f'{kind}/'}{repo_id}"
    new = _store(request).create(kind, repo_id, body.get("visibility") == "private")
    return JSONResponse({"url": url}, 200 if new else 409)


@router.get("/api/models")
async def list_models(
    request: Request,
    author: str = "",
    filter: Annotated[list[str], Query()] = [],  # noqa: B006 - the parameter's name
) -> list[dict[str, Any]]:
    """The models of a user that the requester may see."""
    user, _ = _user(request)
    repos = [
        _info(_store(request), repo, repo.at("main"))
        for repo in _store(request).repos.values()
        if (repo.kind, repo.owner) == ("models", author) and (not repo.private or user == author)
    ]
    return [info for info in repos if set(filter) <= set(info["tags"])]


@router.get(_REPO)
@router.get(_REPO + "/revision/{revision}")
async def info(request: Request, repo: ReadableRepo, revision: str = "main") -> dict[str, Any]:
    """A repository at a revision."""
    return _info(_store(request), repo, repo.at(revision))


def _info(store: Store, repo: Repo, commit: Commit) -> dict[str, Any]:
    readme = commit.files.get("README.md")
    text = store.contents[readme.sha256].decode() if readme else ""
    front_matter = re.match(r"---\s*\n(.*?)^---", text, re.DOTALL | re.MULTILINE)
    card = yaml.safe_load(front_matter[1]) if front_matter else {}
    named = {key: card[key] for key in ("library_name", "pipeline_tag", "sdk") if key in card}
    return named | {
        "id": repo.id,
        "author": repo.owner,
        "sha": commit.id,
        "private": repo.private,
        "tags": [*card.get("tags", []), *named.values()],
        "cardData": card,
        "siblings": [
            {"rfilename": path, "size": file.size, "blobId": file.etag}
            for path, file in sorted(commit.files.items())
        ],
    }


@router.get(_REPO + "/tree/{revision}")
async def tree(request: Request, repo: ReadableRepo, revision: str) -> list[dict[str, Any]]:
    """The files of a repository, those in its folders too."""
    entries = []
    for path, file in sorted(repo.at(revision).files.items()):
        entry = {"type": "file", "path": path, "size": file.size, "oid": file.etag}
        if file.large:
            entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": 130}
            entry["xetHash"] = request.app.state.xet.by_sha256.get(file.sha256)
        entries.append(entry)
    return entries


@router.post(_REPO + "/tag/{revision}")
async def add_tag(repo: WritableRepo, revision: str, tag: Annotated[str, Body(embed=True)]) -> None:
    """Give a revision a lasting name."""
    repo.commits[tag] = repo.at(revision)


@router.get(_REPO + "/xet-{purpose}-token/{revision}")
async def xet_token(request: Request, repo: ReadableRepo) -> JSONResponse:
    """Where the Xet service is; who may write is checked when there is a commit."""
    url, expires = f"{request.base_url}cas", int(time.time()) + 3600
    names = ("X-Xet-Cas-Url", "X-Xet-Access-Token", "X-Xet-Token-Expiration")
    headers = dict(zip(names, (url, "token", str(expires)), strict=True))
    body = {"casUrl": url, "exp": expires, "accessToken": "token"}
    return JSONResponse(body, headers=headers)


@router.post(_REPO + "/preupload/{revision}")
async def preupload(repo: WritableRepo, revision: str, files: Items) -> dict[str, Any]:
    """Which files are large, and what is there already."""
    present = repo.at(revision).files
    return {
        "files": [
            {
                "path": (path := file["path"]),
                "uploadMode": "lfs" if path.endswith(_LARGE) else "regular",
                "shouldIgnore": False,
                "oid": present[path].etag if path in present else None,
            }
            for file in files
        ]
    }


@router.post("/{owner}/{name}.git/info/lfs/objects/batch")
@router.post("/{kind}/{owner}/{name}.git/info/lfs/objects/batch")
async def lfs_batch(request: Request, repo: WritableRepo, objects: Items) -> dict[str, Any]:
    """Where to send the large files that are not here yet."""
    for wanted in objects:
        if wanted["oid"] not in _store(request).contents:
            wanted["actions"] = {"upload": {"href": f"{request.base_url}lfs/{wanted['oid']}"}}
    return {"transfer": "basic", "objects": objects}


@router.put("/lfs/{oid}")
async def lfs_put(request: Request, oid: str) -> None:
    """Take a large file; the address stands for a signed one, so no token is asked."""
    if _store(request).put(await request.body()) != oid:
        raise Refusal(400, "The content does not match its SHA-256.")


@router.post(_REPO + "/commit/{revision}")
async def commit(request: Request, repo: WritableRepo, revision: str) -> dict[str, Any]:
    """Apply all operations of a commit."""
    store, known = _store(request), request.app.state.xet.by_sha256
    _, *lines = [json.loads(line) for line in (await request.body()).splitlines()]
    files = dict(repo.at(revision).files)
    for line in lines:
        value, path = line["value"], line["value"]["path"]
        match line["key"]:
            case "file":
                content = base64.b64decode(value["content"])
                store.put(content)
                files[path] = git_file(content)
            case "lfsFile" if value["oid"] in store.contents or value["oid"] in known:
                files[path] = File(value["oid"], value["size"], value["oid"])
            case "deletedFile":
                del files[path]
            case operation:
                raise ValueError(f"a commit has no operation {operation!r}")
    made = repo.commit(revision, files)
    url = f"{request.base_url}{repo.id}/commit/{made.id}"
    return {"success": True, "commitOid": made.id, "commitUrl": url}


@router.api_route("/{owner}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
@router.api_route("/{kind}/{owner}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
async def resolve(request: Request, repo: ReadableRepo, revision: str, path: str) -> Response:
    """A file's content, or where a large one is."""
    commit = repo.at(revision)
    headers = {"X-Repo-Commit": commit.id}
    if path not in commit.files:
        return Response(None, 404, headers | {"X-Error-Code": "EntryNotFound"})
    file = commit.files[path]
    if not file.large:
        content = _store(request).contents[file.sha256]
        return xet.ranged(request, content, headers | {"ETag": f'"{file.etag}"'})
    headers |= {"X-Linked-ETag": f'"{file.etag}"', "X-Linked-Size": str(file.size)}
    if name := request.app.state.xet.by_sha256.get(file.sha256):
        address = f"{request.base_url}api/{repo.kind}/{repo.id}/xet-read-token/{commit.id}"
        headers |= {"X-Xet-Hash": name, "Link": f'<{address}>; rel="xet-auth"'}
    # Another host name, as the Hub's storage has: on the same one the client
    # follows the redirect and loses the headers of this answer.
    storage = str(request.base_url).replace("127.0.0.1", "localhost")
    return Response(None, 302, headers | {"Location": f"{storage}lfs/{file.sha256}"})


@router.api_route("/lfs/{oid}", methods=["GET", "HEAD"])
async def lfs_get(request: Request, oid: str) -> Response:
    """A large file that came without Xet."""
    return xet.ranged(request, _store(request).contents[oid], {"ETag": f'"{oid}"'})
