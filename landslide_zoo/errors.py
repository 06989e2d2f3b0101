"""The errors that Landslide Zoo raises on purpose.

Each message is one sentence that says what is wrong, with which file or
setting, and what to do. The command line and the app show it as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

QUOTED = 80
"""Characters of a name or of a file's text in a sentence."""


class LandslideZooError(Exception):
    """Base of every error raised on purpose by this package."""


class DataError(LandslideZooError):
    """A file or folder does not hold what was asked of it."""


class ModelError(LandslideZooError):
    """A model cannot be found, read, or fed with what it was given."""


class TrainingError(LandslideZooError):
    """A training run cannot start or go on."""


class HubError(LandslideZooError):
    """A Hub cannot be reached, or refuses what was asked of it."""


def shown(text: object) -> str:
    """Somebody else's text, fit for a sentence: on one line, printable and short.

    Of a long path the end is kept, where the file's name is.
    """
    plain = "".join(c if c.isprintable() else "?" for c in str(text))
    if len(plain) <= QUOTED:
        return plain
    return f"…{plain[1 - QUOTED :]}" if "/" in plain else f"{plain[: QUOTED - 1]}…"


def quoted(name: object) -> str:
    """A name that somebody gave, as a sentence quotes it."""
    return f"'{shown(name)}'"


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
            return f"{quoted(repo)} is not the name of a repo: write NAMESPACE/NAME."
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
            return f"A file is missing in {repo}: it is not a repo of this zoo."
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
        case hub.FileMetadataError():
            return f"What answers for {repo} is not a Hub: check HF_ENDPOINT and the network."
        case OSError() if error.errno is None:  # so the client says that a file is not whole
            return f"The transfer for {repo} broke off: check the connection and try again."
        case OSError():
            return f"The files of {repo} cannot be read or kept on this machine: {error}."
        case _:
            return None


_BAD_TOKEN = "This is not a token of the Hub: check HF_TOKEN for missing or stray characters."


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
