"""What a request stands for: its store, its requester and the repository it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request

from loopback_hub.store import Kind, Repo, Store, Token


def _store(request: Request) -> Store:
    return request.app.state.store


def _requester(request: Request) -> Token | None:
    return _store(request).identify(request.headers.get("authorization"))


Stored = Annotated[Store, Depends(_store)]
Requester = Annotated[Token | None, Depends(_requester)]


class Repository:
    """The repository that an address names, if the requester may have it in the given way.

    Args:
        permitted: One of the store's methods that look a repository up.
    """

    def __init__(self, permitted: Callable[[Store, Kind, str, Token | None], Repo]) -> None:
        self._permitted = permitted

    def __call__(self, request: Request, store: Stored, token: Requester) -> Repo:
        """Look the repository up."""
        path = request.path_params
        return self._permitted(
            store, path.get("kind", "models"), f"{path['namespace']}/{path['name']}", token
        )


def repo_id_of(body: dict[str, Any], token: Token | None) -> str:
    """The repository that a body names; without an organization it is the requester's own."""
    namespace = body.get("organization") or (token.user if token else "")
    return f"{namespace}/{body['name']}"
