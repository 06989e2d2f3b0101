"""A limit on the whole time that the Hub takes; its client limits each single read alone."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from landslide_zoo.errors import HubError

T = TypeVar("T")

_HERE = threading.local()


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


def _settle(answer: Future[T], task: Callable[[], T]) -> None:
    try:
        answer.set_result(task())
    except BaseException as error:
        answer.set_exception(error)


def _watch_client() -> None:
    """Put the hooks into the client that all calls of ``huggingface_hub`` share."""
    from huggingface_hub.utils import get_session

    hooks = get_session().event_hooks
    if _before not in hooks["request"]:
        hooks["request"].append(_before)
        hooks["response"].append(_after)


def _before(request: object) -> None:
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
