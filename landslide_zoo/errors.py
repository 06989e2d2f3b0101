"""The errors that Landslide Zoo raises on purpose.

Each message is one sentence that says what is wrong, with which file or
setting, and what to do. The command line and the app show it as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


def damaged(path: Path) -> DataError:
    """The error for a file whose bytes contradict each other."""
    return DataError(
        f"{shown(path.name)} cannot be read: it is cut short or damaged; copy or download it again."
    )


def quoted(name: object) -> str:
    """A name that somebody gave, as a sentence quotes it."""
    return f"'{shown(name)}'"


@contextmanager
def hub_errors(repo: str) -> Iterator[None]:
    """Explain those errors of the Hub's client that a user can do something about.

    Args:
        repo: The repo or namespace asked about; named in the sentence.

    Raises:
        HubError: In place of the client's errors; other errors pass.
    """
    from huggingface_hub import errors as hub

    try:
        yield
    except (hub.RepositoryNotFoundError, hub.HFValidationError) as error:  # or it is gated
        raise HubError(
            f"The Hub has no repo {shown(repo)}, or it is private or gated: check the name, and "
            "set HF_TOKEN to a token that may read it."
        ) from error
    except hub.RevisionNotFoundError as error:
        raise HubError(f"{repo} has no such revision: give a branch, tag or commit.") from error
    except hub.HfHubHTTPError as error:
        status, reason = error.response.status_code, error.server_message or ""
        hint = "set HF_TOKEN to a token with that right" if status in (401, 403) else "try again"
        first_line = reason.strip().partition("\n")[0].rstrip(".")
        raise HubError(f"The Hub refuses {repo} ({status} {first_line}): {hint}.") from error
    except (hub.LocalEntryNotFoundError, hub.HTTPError, ConnectionError, TimeoutError) as error:
        raise HubError(
            f"The Hub cannot be reached for {repo}, and the local cache does not have it: check "
            "the connection, HF_ENDPOINT and HF_HUB_OFFLINE."
        ) from error
