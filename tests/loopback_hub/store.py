"""What the loopback Hub keeps: repositories of commits, and who may do what."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import count
from typing import Literal

from loopback_hub.faults import Fault

Kind = Literal["models", "datasets", "spaces"]
"""A repository's type, in the plural that the interface's addresses use."""

INITIAL_FILES = {".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"}
"""What the Hub itself commits to a new repository."""


class Refusal(Exception):
    """An answer other than success, as the Hub words it.

    Args:
        status: The HTTP status.
        message: What the client shows (``X-Error-Message``).
        code: What the client tells errors apart by (``X-Error-Code``).
    """

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code
        self.body = {"error": message}


@dataclass(frozen=True)
class Token:
    """An access token's owner and what it allows."""

    user: str
    role: Literal["read", "write"]


@dataclass(frozen=True)
class File:
    """A file's content and how it is stored: as a git blob or in LFS."""

    content: bytes
    lfs: bool

    @property
    def size(self) -> int:
        """Size in bytes."""
        return len(self.content)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the content: an LFS object's name."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def pointer(self) -> bytes:
        """What git holds in place of an LFS object."""
        lines = ("version https://git-lfs.github.com/spec/v1", f"oid sha256:{self.sha256}")
        return "\n".join((*lines, f"size {self.size}", "")).encode()

    @cached_property
    def blob_id(self) -> str:
        """The git blob's SHA-1: of the content, or of the LFS pointer."""
        blob = self.pointer if self.lfs else self.content
        return hashlib.sha1(b"blob %d\0" % len(blob) + blob).hexdigest()

    @property
    def etag(self) -> str:
        """What the client compares its own copy with."""
        return self.sha256 if self.lfs else self.blob_id


@dataclass(frozen=True)
class Commit:
    """One state of all files."""

    id: str
    title: str
    message: str
    author: str
    date: datetime
    files: Mapping[str, File]
    parent: Commit | None

    def history(self) -> Iterator[Commit]:
        """This commit and those before it, newest first."""
        commit: Commit | None = self
        while commit is not None:
            yield commit
            commit = commit.parent


@dataclass
class Repo:
    """A repository: its commits and the names that point at them."""

    kind: Kind
    id: str
    private: bool = False
    gated: str | bool = False
    sdk: str | None = None
    branches: dict[str, Commit] = field(default_factory=dict)
    tags: dict[str, Commit] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """The user who owns it."""
        return self.id.split("/")[0]

    @property
    def head(self) -> Commit:
        """The newest commit of the main branch."""
        return self.branches["main"]

    @property
    def created(self) -> datetime:
        """When its first commit was made."""
        return list(self.head.history())[-1].date

    def at(self, revision: str) -> Commit:
        """The commit that a branch, a tag or a commit's own name stands for."""
        for names in (self.branches, self.tags, self.commits):
            if revision in names:
                return names[revision]
        raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def commit(
        self, branch: str, files: Mapping[str, File], title: str, message: str, author: str
    ) -> Commit:
        """Replace a branch's files in one step."""
        parent = self.branches.get(branch)
        name = f"{self.kind}/{self.id}/{len(self.commits)}/" + "".join(
            f"{path}\0{file.blob_id}" for path, file in sorted(files.items())
        )
        oid = hashlib.sha1(name.encode()).hexdigest()
        commit = Commit(oid, title, message, author, datetime.now(UTC), dict(files), parent)
        self.commits[oid] = self.branches[branch] = commit
        return commit


class Store:
    """All repositories, the LFS objects, the tokens, what was asked, and what goes wrong."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.forget()

    def forget(self) -> None:
        """Forget everything and begin with a namespace that no client's cache has seen."""
        self.repos: dict[tuple[Kind, str], Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.faults: dict[str, Fault] = {}
        self.tokens: dict[str, Token] = {}
        self.namespace = f"zoo-{next(self._numbers)}"
        self.token = self.new_token(self.namespace, "write")
        self.read_token = self.new_token(self.namespace, "read")
        self.stranger_token = self.new_token(f"{self.namespace}-stranger", "write")

    def new_token(self, user: str, role: Literal["read", "write"]) -> str:
        """A fresh token of a user."""
        token = f"hf_{role}{user.replace('-', '')}"
        self.tokens[token] = Token(user, role)
        return token

    def identify(self, authorization: str | None) -> Token | None:
        """Whose request this is; None for an anonymous one."""
        if authorization is None:
            return None
        token = self.tokens.get(authorization.removeprefix("Bearer "))
        if token is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return token

    def create(self, repo: Repo, token: Token | None) -> Repo:
        """Add a repository with the Hub's own first commit."""
        self._check_writer(repo.namespace, token, f"create a repository under {repo.namespace}")
        if (repo.kind, repo.id) in self.repos:
            raise Refusal(409, f"You already created this {repo.kind[:-1]} repo")
        files = {path: File(content, lfs=False) for path, content in INITIAL_FILES.items()}
        repo.commit("main", files, "initial commit", "", repo.namespace)
        self.repos[repo.kind, repo.id] = repo
        return repo

    def visible(self, kind: Kind, token: Token | None) -> list[Repo]:
        """The repositories of a type that the requester may see."""
        return [
            repo
            for repo in self.repos.values()
            if repo.kind == kind and (not repo.private or _owns(token, repo))
        ]

    def readable(self, kind: Kind, repo_id: str, token: Token | None) -> Repo:
        """A repository that the requester may see; a private one is not told from a missing one."""
        repo = self.repos.get((kind, repo_id))
        if repo is None or (repo.private and not _owns(token, repo)):
            if token is None:
                raise Refusal(401, "Invalid username or password.", "RepoNotFound")
            raise Refusal(404, "Repository not found", "RepoNotFound")
        return repo

    def downloadable(self, kind: Kind, repo_id: str, token: Token | None) -> Repo:
        """A repository whose files the requester may have: a gated one shows only what it is."""
        repo = self.readable(kind, repo_id, token)
        if repo.gated and not _owns(token, repo):
            status = 401 if token is None else 403
            message = f"Access to {kind[:-1]} {repo_id} is restricted: ask for access on its page."
            raise Refusal(status, message, "GatedRepo")
        return repo

    def writable(self, kind: Kind, repo_id: str, token: Token | None) -> Repo:
        """A repository that the requester may change."""
        repo = self.readable(kind, repo_id, token)
        self._check_writer(repo.namespace, token, f"write to {repo_id}")
        return repo

    def _check_writer(self, namespace: str, token: Token | None, what: str) -> None:
        if token is None:
            raise Refusal(401, "Invalid username or password.")
        if token.role != "write":
            raise Refusal(403, f"Forbidden: you must use a write token to {what}")
        if token.user != namespace:
            raise Refusal(403, f"Forbidden: you don't have the rights to {what}")


def _owns(token: Token | None, repo: Repo) -> bool:
    return token is not None and token.user == repo.namespace
