"""The way to the Hub: pushing in one commit, and its refusals as one clear sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from landslide_zoo.errors import HubError, LandslideZooError

RepoType = Literal["model", "dataset", "space"]


def push_files(
    repo_id: str,
    files: Mapping[str, Path],
    *,
    message: str,
    repo_type: RepoType = "model",
    private: bool | None = None,
    token: str | None = None,
    revision: str | None = None,
    tag: str | None = None,
    mirrored: str | None = None,
) -> str:
    """Push files to a repo in one commit, so that it never holds half of them.

    Args:
        repo_id: As in ``someone/unet-resnet34``; made if it is not there.
        files: Local files by their path in the repo.
        message: Message of the commit.
        repo_type: What a new repo is.
        private: Whether a new repo is private.
        token: Token with the right to write; the client's own where None.
        revision: Branch to push to; the main one where None.
        tag: Lasting name for the new state.
        mirrored: Folder of the repo, ending in ``/``, in which the same commit
            deletes what is not among the files.

    Returns:
        URL of the commit.

    Raises:
        HubError: If the Hub refuses or cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi(token=token)
    with hub_errors(repo_id):
        sdk = "gradio" if repo_type == "space" else None
        api.create_repo(repo_id, repo_type=repo_type, private=private, space_sdk=sdk, exist_ok=True)
        if private and not api.repo_info(repo_id, repo_type=repo_type).private:
            raise HubError(
                f"{repo_id} exists and is public: make it private on its page, or choose "
                "another name."
            )
        if tag is not None:
            tags = api.list_repo_refs(repo_id, repo_type=repo_type).tags
            if tag in {known.name for known in tags}:
                raise HubError(f"{repo_id} has a tag {tag!r} already: choose another one.")
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationAdd(name, path) for name, path in sorted(files.items())
        ]
        if mirrored is not None:
            present = api.list_repo_files(repo_id, repo_type=repo_type, revision=revision)
            operations += [
                CommitOperationDelete(name)
                for name in present
                if name.startswith(mirrored) and name not in files
            ]
        commit = api.create_commit(
            repo_id, operations, commit_message=message, repo_type=repo_type, revision=revision
        )
        if tag is not None:
            api.create_tag(repo_id, tag=tag, revision=commit.oid, repo_type=repo_type)
        return commit.commit_url


@contextmanager
def hub_errors(repo: str) -> Iterator[None]:
    """Turn whatever the Hub's client raises about a repo into a :class:`HubError`.

    Args:
        repo: The repo or namespace asked about; named in the sentence.

    Raises:
        HubError: In place of the client's own errors.
    """
    try:
        yield
    except LandslideZooError:
        raise
    except Exception as error:
        sentence = _sentence(repo, error)
        if sentence is None:
            raise
        raise HubError(sentence) from error


def _sentence(repo: str, error: BaseException | None) -> str | None:
    """What an error of the client means; None where it is not one of its errors."""
    from huggingface_hub import errors as hub

    match error:
        case hub.HFValidationError():
            return f"{repo!r} is no name of a repo: write NAMESPACE/NAME."
        case hub.GatedRepoError():
            return f"{repo} is gated: ask its owner for access on its page, then set HF_TOKEN."
        case hub.RepositoryNotFoundError():
            return (
                f"The Hub has no repo {repo}, or it is private: check the name, and set HF_TOKEN "
                "to a token that may read it."
            )
        case hub.RevisionNotFoundError():
            return f"{repo} has no such revision: give a branch, tag or commit it has."
        case hub.LocalEntryNotFoundError():
            if isinstance(error.__cause__, hub.HfHubHTTPError):
                return _sentence(repo, error.__cause__)
            return (
                f"{repo} is not in the local cache and the Hub cannot be reached: check the "
                "connection, HF_ENDPOINT and HF_HUB_OFFLINE."
            )
        case hub.EntryNotFoundError():
            return f"A file is missing in {repo}: it is no repo of this zoo."
        case hub.OfflineModeIsEnabled():
            return f"{repo} needs the Hub, and HF_HUB_OFFLINE is set."
        case hub.LocalTokenNotFoundError():
            return f"{repo} needs a token: set HF_TOKEN."
        case hub.HfHubHTTPError():
            return _status_sentence(repo, error.response.status_code, error.server_message)
        case UnicodeEncodeError():
            return _BAD_TOKEN
        case hub.HTTPError() | ConnectionError() | TimeoutError():
            if "Illegal header value" in str(error):  # the text goes on with the token itself
                return _BAD_TOKEN
            return (
                f"The Hub cannot be reached for {repo} ({error}): check the connection and "
                "HF_ENDPOINT."
            )
        case RuntimeError():  # what the client wraps a broken transfer in
            if isinstance(error.__cause__, hub.HfHubHTTPError):
                return _sentence(repo, error.__cause__)
            return f"The transfer for {repo} broke off: check the connection and try again."
        case ValueError():  # such as metadata of the card that the Hub does not take
            reason = " ".join(str(error).split()).rstrip(".")
            return f"The Hub does not take {repo}: {reason}."
        case OSError():
            return f"The files of {repo} cannot be read or kept on this machine: {error}."
        case _:
            return None


_BAD_TOKEN = "The token is no token of the Hub: check HF_TOKEN for missing or stray characters."


def _status_sentence(repo: str, status: int, reason: str | None) -> str:
    why = f" ({_first_line(reason)})" if reason else ""
    match status:
        case 401 | 403:
            return (
                f"The Hub refuses this for {repo}{why}: set HF_TOKEN to a token with that right "
                "(pushing needs one that may write)."
            )
        case 409 | 412:
            return f"{repo} was changed at the same time{why}: try again."
        case 429:
            return f"The Hub takes no more requests for {repo} right now{why}: try again later."
        case status if status >= 500:
            return f"The Hub failed on {repo} (status {status}): try again later."
        case _:
            return f"The Hub does not take {repo} (status {status}){why}."


def _first_line(text: object) -> str:
    return str(text).strip().partition("\n")[0].rstrip(".")
