"""What the loopback Hub keeps: repositories of commits, and who may do what."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

INITIAL = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
"""What the Hub itself commits to a new repository, as ``.gitattributes``."""


class Refusal(Exception):
    """An answer other than success, as the Hub words it."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


@dataclass(frozen=True)
class File:
    """A file; the client compares its own copy with the ETag, of a large file its SHA-256."""

    sha256: str
    size: int
    etag: str

    @property
    def large(self) -> bool:
        """Whether it is here by LFS or Xet, and not a git blob."""
        return self.etag == self.sha256


def git_file(content: bytes) -> File:
    """A file whose content git holds: its ETag is the SHA-1 of the blob."""
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return File(hashlib.sha256(content).hexdigest(), len(content), blob)


@dataclass(frozen=True)
class Commit:
    """One state of all files."""

    id: str
    files: Mapping[str, File]


@dataclass
class Repo:
    """A repository: its commits by their names, those of branches and tags among them."""

    kind: str
    id: str
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """The user who owns it."""
        return self.id.partition("/")[0]

    def at(self, revision: str) -> Commit:
        """The commit that a branch, a tag or a commit's own name stands for."""
        if revision not in self.commits:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[revision]

    def commit(self, branch: str, files: Mapping[str, File]) -> Commit:
        """Replace a branch's files in one step."""
        content = f"{self.kind} {self.id} {len(self.commits)} {sorted(files.items())}"
        commit = Commit(hashlib.sha1(content.encode()).hexdigest(), dict(files))
        self.commits |= {commit.id: commit, branch: commit}
        return commit


class Store:
    """All repositories, contents and tokens, and what was asked."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.reset()

    def reset(self) -> None:
        """Forget everything and begin with a namespace that no client's cache has seen."""
        self.repos: dict[tuple[str, str], Repo] = {}
        self.contents: dict[str, bytes] = {}
        """Contents by their SHA-256."""
        self.requests: list[str] = []
        self.namespace = f"zoo-{next(self._numbers)}"
        self.token, self.read_token = f"hf_write_{self.namespace}", f"hf_read_{self.namespace}"
        self.stranger_token = f"hf_write_stranger_{self.namespace}"
        self.tokens = {
            self.token: (self.namespace, "write"),
            self.read_token: (self.namespace, "read"),
            self.stranger_token: ("stranger", "write"),
        }

    def put(self, content: bytes) -> str:
        """Keep a content; its SHA-256."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.contents[sha256] = content
        return sha256

    def user(self, authorization: str | None) -> tuple[str, str]:
        """The requester's name and role, both empty for an anonymous one."""
        if authorization is None:
            return "", ""
        token = authorization.removeprefix("Bearer ")
        if token not in self.tokens:
            raise Refusal(401, "Invalid username or password.")
        return self.tokens[token]

    def create(self, kind: str, repo_id: str, private: bool) -> bool:
        """Add a repository with the Hub's own first commit; False if it is there already."""
        if (kind, repo_id) in self.repos:
            return False
        repo = self.repos[kind, repo_id] = Repo(kind, repo_id, private)
        self.put(INITIAL)
        repo.commit("main", {".gitattributes": git_file(INITIAL)})
        return True

    def readable(self, kind: str, repo_id: str, user: str) -> Repo:
        """A repository that the requester may see; a private one looks like a missing one."""
        repo = self.repos.get((kind, repo_id))
        if repo is None or (repo.private and user != repo.owner):
            raise Refusal(404 if user else 401, "Repository not found", "RepoNotFound")
        return repo

    def check_writer(self, owner: str, user: str, role: str) -> None:
        """Refuse who may not write under a namespace."""
        if role != "write" or user != owner:
            raise Refusal(403 if user else 401, f"You don't have the rights to write to {owner}")
