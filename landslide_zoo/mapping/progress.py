"""How far a map is, with the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class State:
    """How far one step of a map is.

    Attributes:
        step: Which one, in a word or two: ``clouds``, ``network``, ``landslides``, ``files``.
        done: Parts of it that are done.
        total: All of its parts.
        seconds_left: Time that the rest of it will take; None before the first part is done.
    """

    step: str
    done: int
    total: int
    seconds_left: float | None = None


Listener = Callable[[State], None]
"""Is told of every part that is done."""


class Progress:
    """Tells a listener how far the work is.

    Args:
        listener: Who is told; nobody where None.
    """

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener
        self._state = State("", 0, 0)
        self._from = 0
        self._started = 0.0

    def start(self, step: str, total: int, done: int = 0) -> None:
        """Begin a step, of which an earlier run may have done a part."""
        self._from, self._started = done, time.monotonic()
        self._tell(State(step, done, total))

    def advance(self, parts: int = 1) -> None:
        """Say that so many more parts are done."""
        step, total, done = self._state.step, self._state.total, self._state.done + parts
        each = (time.monotonic() - self._started) / max(1, done - self._from)
        self._tell(State(step, done, total, each * (total - done)))

    def _tell(self, state: State) -> None:
        self._state = state
        if self._listener:
            self._listener(state)
