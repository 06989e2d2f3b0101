"""The loopback Hub's application: errors, accounts, repositories and their references."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Body, Depends, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse

from loopback_hub import downloads, uploads, views
from loopback_hub.cards import problems
from loopback_hub.requests import Repository, Requester, Stored, repo_id_of
from loopback_hub.store import Kind, Refusal, Repo, Store

router = APIRouter()
ReadableRepo = Annotated[Repo, Depends(Repository(Store.readable))]
WritableRepo = Annotated[Repo, Depends(Repository(Store.writable))]
_REPO = "/api/{kind}/{namespace}/{name}"


def build_app(
    store: Store, answering: Callable[[], Awaitable[None]], received: Callable[[int], None]
) -> FastAPI:
    """The application over a store.

    Args:
        store: What it serves.
        answering: Awaited before every answer, so that a test can hold them back.
        received: Told the size of every piece of an upload as it arrives.
    """
    app = FastAPI(openapi_url=None)
    app.state.store, app.state.received = store, received
    app.include_router(router)
    app.include_router(uploads.router)
    app.include_router(downloads.router)

    @app.middleware("http")
    async def hold(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        store.requests.append(f"{request.method} {request.url.path}")
        await answering()
        for pattern, fault in store.faults.items():
            if re.search(pattern, request.url.path):
                return await fault.answer(request, call_next)
        return await call_next(request)

    @app.exception_handler(Refusal)
    async def refuse(request: Request, refusal: Refusal) -> JSONResponse:
        headers = {"X-Error-Message": refusal.message}
        if refusal.code:
            headers["X-Error-Code"] = refusal.code
        return JSONResponse(refusal.body, refusal.status, headers)

    @app.exception_handler(404)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        message = f"The loopback Hub does not know {request.method} {request.url.path}"
        return JSONResponse({"error": message}, 501, {"X-Error-Message": message})

    return app


@router.post("/api/validate-yaml")
async def validate_yaml(
    content: Annotated[str, Body()], repo_type: Annotated[str, Body(alias="repoType")]
) -> JSONResponse:
    """Whether a card's front matter would be taken."""
    errors = [{"message": message} for message in problems(repo_type, content)]
    return JSONResponse({"errors": errors, "warnings": []}, 400 if errors else 200)


@router.post("/api/repos/create")
async def create(
    request: Request, store: Stored, token: Requester, body: Annotated[dict[str, Any], Body()]
) -> dict[str, str]:
    """Create a repository."""
    kind = f"{body.get('type') or 'model'}s"
    private, sdk = body.get("visibility") == "private", body.get("sdk")
    repo = Repo(kind, repo_id_of(body, token), private, sdk=sdk)  # type: ignore[arg-type]
    url = f"{request.base_url}{'' if kind == 'models' else f'{kind}/'}{repo.id}"
    try:
        store.create(repo, token)
    except Refusal as refusal:
        refusal.body["url"] = url  # the client reads it where the repository exists already
        raise
    return {"url": url, "name": repo.id, "id": repo.head.id}


@router.delete("/api/repos/delete")
async def delete(store: Stored, token: Requester, body: Annotated[dict[str, Any], Body()]) -> None:
    """Delete a repository."""
    kind = f"{body.get('type') or 'model'}s"
    repo = store.writable(kind, repo_id_of(body, token), token)  # type: ignore[arg-type]
    del store.repos[repo.kind, repo.id]


@router.get("/api/{kind}")
async def list_repos(
    kind: Kind,
    store: Stored,
    token: Requester,
    author: str = "",
    filter: Annotated[list[str], Query()] = [],  # noqa: B006 - the parameter's name
    limit: int = 1000,
) -> list[dict[str, Any]]:
    """The repositories that the requester may see."""
    infos = [views.repo_info(repo, repo.head) for repo in store.visible(kind, token)]
    return [
        {key: value for key, value in info.items() if key not in ("siblings", "sha", "cardData")}
        for info in infos
        if info["author"] == author and set(filter) <= set(info["tags"])
    ][:limit]


@router.get(_REPO)
async def info(repo: ReadableRepo, blobs: bool = False) -> dict[str, Any]:
    """A repository at the head of its main branch."""
    return views.repo_info(repo, repo.head, blobs)


@router.get(_REPO + "/revision/{revision}")
async def info_at(repo: ReadableRepo, revision: str, blobs: bool = False) -> dict[str, Any]:
    """A repository at a revision."""
    return views.repo_info(repo, repo.at(revision), blobs)


@router.get(_REPO + "/tree/{revision}")
async def tree(repo: ReadableRepo, revision: str) -> list[dict[str, Any]]:
    """The files of a repository, those in its folders too."""
    files = repo.at(revision).files
    return [views.tree_file(path, file) for path, file in sorted(files.items())]


@router.post(_REPO + "/paths-info/{revision}")
async def paths_info(request: Request, repo: ReadableRepo, revision: str) -> list[dict[str, Any]]:
    """The named files, those that exist."""
    paths = parse_qs((await request.body()).decode()).get("paths", [])
    files = repo.at(revision).files
    return [views.tree_file(path, files[path]) for path in paths if path in files]


@router.get(_REPO + "/commits/{revision}")
async def commits(repo: ReadableRepo, revision: str) -> list[dict[str, Any]]:
    """The history of a revision, newest first."""
    return views.commits(repo.at(revision).history())


@router.get(_REPO + "/refs")
async def refs(repo: ReadableRepo) -> dict[str, Any]:
    """Branches and tags."""
    return views.refs(repo)


@router.post(_REPO + "/tag/{revision}")
async def add_tag(repo: WritableRepo, revision: str, tag: Annotated[str, Body(embed=True)]) -> None:
    """Give a revision a lasting name."""
    if tag in repo.tags:
        raise Refusal(409, f"Tag {tag} already exists")
    repo.tags[tag] = repo.at(revision)
