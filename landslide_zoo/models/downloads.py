"""Fetching model folders from the Hub: in time, whole, and undamaged."""

from __future__ import annotations

import hashlib
import math
import os
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

from landslide_zoo.errors import HubError, ModelError, hub_errors, quoted
from landslide_zoo.models.config import ModelConfig
from landslide_zoo.models.files import (
    CONFIG,
    PATTERNS,
    WEIGHTS,
    bundled_folders,
    file_sha256,
    folder_files,
)

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo
    from tqdm.auto import tqdm

T = TypeVar("T")

_HERE = threading.local()

TIMEOUT_VARIABLE = "LANDSLIDE_ZOO_TIMEOUT"
"""Environment variable that says how many seconds fetching a model may take."""
TIMEOUT = 60.0
"""How many it may take where the variable is not set."""


class Download(TypedDict, total=False):
    """How a model folder is fetched from the Hub.

    Attributes:
        revision: Branch, tag or commit; the main branch where None.
        token: Token for private repos; the client's own where None.
        cache_dir: Folder of the client's cache.
        force_download: Fetch even what is in the cache.
        local_files_only: Use the cache alone.
        tqdm_class: Progress bar of the weights.
        timeout: Seconds that it may take altogether; what ``LANDSLIDE_ZOO_TIMEOUT``
            says where None, else 60.
    """

    revision: str | None
    token: str | bool | None
    cache_dir: str | Path | None
    force_download: bool
    local_files_only: bool
    tqdm_class: type[tqdm] | None
    timeout: float | None


def download_folder(repo_id: str, **options: Unpack[Download]) -> Path:
    """Download a model folder from the Hub, all its files from one commit.

    ``config.json`` comes first and is checked before any weights are asked for;
    the weights come last, so that a folder in the cache that has them has all.
    A commit in the cache is used without asking anybody; a branch in the cache
    is used where the Hub does not say at once that it has moved on.

    Args:
        repo_id: As in ``someone/unet-resnet34``.
        options: As :class:`Download` has them.

    Raises:
        HubError: If the Hub does not give the repo, or not in time.
        ModelError: If the repo holds no model of this zoo.
    """
    if "/" not in repo_id:
        raise ModelError(
            f"There is no model {quoted(repo_id)}: it is neither a folder nor bundled "
            f"({', '.join(bundled_folders()) or 'none is'}); "
            "a model on the Hub is named NAMESPACE/NAME."
        )
    with hub_errors(repo_id):
        cached = _cached_folder(repo_id, options)
        if cached and not options.get("force_download"):
            if options.get("local_files_only") or cached.name == options.get("revision"):
                return cached
            if _is_newest(cached, repo_id, options):
                return cached
        seconds = options.get("timeout") or _timeout()
        return Deadline(seconds).run(
            lambda: _download(repo_id, options),
            f"{repo_id} was not fetched within {seconds:g} s: try again, or allow more with "
            f"{TIMEOUT_VARIABLE}.",
        )


def load_downloaded(repo_id: str, load: Callable[[Path], T], **options: Unpack[Download]) -> T:
    """Download a model folder and load it; a damaged copy in the cache is fetched once more.

    Args:
        repo_id: As in ``someone/unet-resnet34``.
        load: Loads a folder.
        options: As :class:`Download` has them.

    Raises:
        HubError: If the Hub does not give the repo, or not in time.
        ModelError: If what it gives cannot be loaded.
    """
    folder = download_folder(repo_id, **options)
    try:
        return load(folder)
    except ModelError as error:
        if options.get("local_files_only") or not any(
            map(is_damaged, folder_files(folder).values())
        ):
            raise
        damaged = error
    options["force_download"] = True
    try:
        return load(download_folder(repo_id, **options))
    except HubError as error:
        raise ModelError(f"{damaged} It cannot be fetched again now: {error}") from error


def fetch_file(repo_id: str, name: str, **arguments: Any) -> Path:  # noqa: ANN401
    """A file of a repo in the client's cache, fetched again if it is damaged there.

    Args:
        repo_id: As in ``someone/unet-resnet34``.
        name: Its path in the repo.
        arguments: Those of ``huggingface_hub.hf_hub_download``.

    Raises:
        HubError: If it arrives damaged.
    """
    from huggingface_hub import hf_hub_download

    path = Path(hf_hub_download(repo_id, name, **arguments))
    if is_damaged(path) and not arguments.get("local_files_only"):
        path = Path(hf_hub_download(repo_id, name, **{**arguments, "force_download": True}))
        if is_damaged(path):
            raise HubError(
                f"{name} of {repo_id} is damaged on its way from the Hub: try again, and if that "
                "does not help, ask its owner to publish it again."
            )
    return path


def is_damaged(path: Path) -> bool:
    """Whether a file in the client's cache is not the one that the cache took it for.

    The cache names content by the Hub's own hash: SHA-256 for large files, git's
    SHA-1 for others. Of a file with another name nothing can be told.
    """
    blob = path.resolve()
    if re.fullmatch(r"[0-9a-f]{64}", blob.name):
        return file_sha256(blob) != blob.name
    if re.fullmatch(r"[0-9a-f]{40}", blob.name):
        content = blob.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() != blob.name
    return False


def hidden_bar() -> type[tqdm]:
    """A progress bar that is not shown, for files of a few kilobytes."""
    from huggingface_hub.utils import tqdm

    class HiddenBar(tqdm):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})

    return HiddenBar


class Deadline:
    """The time by which requests to the Hub have ended, however slowly it answers.

    ``huggingface_hub`` gives up when a server is silent, but a server that sends
    a byte a second holds it for ever, and it waits for as long as a server that
    takes no more requests asks it to. What runs under a deadline does neither.

    Args:
        seconds: Time from now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self.responses: dict[int, Any] = {}
        """The answers that are being read, by thread."""

    @property
    def left(self) -> float:
        """Seconds that are left, 0 once the time is over."""
        return max(0.0, self._end - time.monotonic())

    def run(self, task: Callable[[], T], late: str) -> T:
        """Do something that asks the Hub, in a thread of its own.

        Args:
            task: What to do; what it returns or raises is returned or raised.
            late: The sentence for the case that it takes too long.

        Raises:
            HubError: If it takes too long. Its thread then ends with its next
                request, or with the next byte of the answer that it reads.
        """
        answer: Future[T] = Future()
        self.start(lambda: _settle(answer, task))
        try:
            wait([answer], timeout=self.left)
        finally:
            over = not answer.done()
            if over:
                self.cancel()
        if over:
            raise HubError(late)
        return answer.result()

    def start(self, task: Callable[[], None]) -> threading.Thread:
        """Start a thread whose requests end with the deadline."""

        def work() -> None:
            _HERE.deadline = self
            task()

        _watch_client()
        # A daemon: a Hub that never answers must not keep the program from ending.
        thread = threading.Thread(target=work, name="asks the Hub", daemon=True)
        thread.start()
        return thread

    def cancel(self) -> None:
        """End the requests now."""
        self._end = time.monotonic()
        for response in list(self.responses.values()):
            response.close()


def _timeout() -> float:
    text = os.environ.get(TIMEOUT_VARIABLE) or str(TIMEOUT)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise HubError(f"{TIMEOUT_VARIABLE} is {quoted(text)}; it must be a number of seconds.")
    return seconds


def _cached_folder(repo_id: str, options: Download) -> Path | None:
    """The folder of a revision that the client's cache holds whole."""
    from huggingface_hub import try_to_load_from_cache

    weights = try_to_load_from_cache(
        repo_id, WEIGHTS, cache_dir=options.get("cache_dir"), revision=options.get("revision")
    )
    return Path(weights).parent if isinstance(weights, str) else None


def _is_newest(cached: Path, repo_id: str, options: Download) -> bool:
    """Whether the Hub has nothing newer than what is cached, or does not say so at once."""
    from huggingface_hub import constants
    from huggingface_hub.errors import RevisionNotFoundError

    deadline = Deadline(min(constants.HF_HUB_ETAG_TIMEOUT, options.get("timeout") or _timeout()))
    try:
        with hub_errors(repo_id):
            commit = deadline.run(lambda: repo_info(repo_id, **options).sha, "The Hub is silent.")
    except HubError as error:
        if isinstance(error.__cause__, RevisionNotFoundError):
            raise
        return True
    return commit == cached.name


def _download(repo_id: str, options: Download) -> Path:
    from huggingface_hub.utils import filter_repo_objects

    names = {CONFIG, WEIGHTS}
    if not options.get("local_files_only"):
        names |= {file.rfilename for file in repo_info(repo_id, **options).siblings or []}
    arguments: dict[str, Any] = {**options, "tqdm_class": hidden_bar()}
    arguments.pop("timeout", None)
    config = fetch_file(repo_id, CONFIG, **arguments)
    ModelConfig.read(config)
    arguments["revision"] = config.parent.name
    wanted = set(filter_repo_objects(names - {CONFIG}, allow_patterns=PATTERNS))
    for name in sorted(wanted - {WEIGHTS}):
        fetch_file(repo_id, name, **arguments)
    arguments["tqdm_class"] = options.get("tqdm_class")
    fetch_file(repo_id, WEIGHTS, **arguments)
    return config.parent


def repo_info(repo_id: str, **options: Unpack[Download]) -> ModelInfo:
    """What the Hub says of a repo and its files; asked once: the client's retries are for files.

    Args:
        repo_id: As in ``someone/unet-resnet34``.
        options: Of those that :class:`Download` has, ``revision`` and ``token``.

    Raises:
        HubError: If it says nothing that can be understood.
    """
    from huggingface_hub import HfApi, constants

    try:
        return HfApi(token=options.get("token")).model_info(
            repo_id,
            revision=options.get("revision"),
            files_metadata=True,
            timeout=constants.HF_HUB_ETAG_TIMEOUT,
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise HubError(
            f"What answers for {repo_id} is not a Hub: check HF_ENDPOINT and the network."
        ) from error


def _settle(answer: Future[T], task: Callable[[], T]) -> None:
    try:
        answer.set_result(task())
    except BaseException as error:
        answer.set_exception(error)


def _watch_client() -> None:
    """Put the hooks into the client that all calls of ``huggingface_hub`` share."""
    from huggingface_hub.utils import get_session

    hooks = get_session().event_hooks
    if _check_time not in hooks["request"]:
        hooks["request"].append(_check_time)
        hooks["response"].append(_after)


def _check_time(_: object = None) -> None:
    """The client's hook before each request."""
    deadline: Deadline | None = getattr(_HERE, "deadline", None)
    if deadline and not deadline.left:
        raise HubError("The time for asking the Hub is over.")


def _after(response: Any) -> None:  # noqa: ANN401 - of the client's own library
    """The client's hook once the header of an answer has come."""
    deadline: Deadline | None = getattr(_HERE, "deadline", None)
    if deadline is None:
        return
    deadline.responses[threading.get_ident()] = response
    _check_time()  # the header may have come after the answers under way were closed
    pause = _pause_asked_for(response)
    if pause > deadline.left:
        raise HubError(
            f"The Hub takes no more requests now and asks to wait {pause} s: try again then."
        )


def _pause_asked_for(response: Any) -> int:  # noqa: ANN401
    """Seconds that an answer asks its client to wait before it asks again."""
    if response.status_code < 400:
        return 0
    after = response.headers.get("retry-after", "")
    # As the Hub words it: RateLimit: "api";r=0;t=55
    limit = re.search(r"\br=0\b.*\bt=(\d+)", response.headers.get("ratelimit", ""))
    return int(after) if after.isdecimal() else int(limit[1]) if limit else 0
