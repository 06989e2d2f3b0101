"""Whose turn it is: visitors are served one after another, however much one of them asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from threading import Event, Lock

import gradio as gr
from gradio.context import LocalContext

from landslide_zoo.errors import LandslideZooError

_POLL_SECONDS = 0.5
"""How often a waiting request checks that its client is still there."""
_REMEMBERED = 4096
"""Addresses and visits of which it is known when they were served last."""
BUSY = "Too many requests are waiting already: try again in a minute."


class Gone(gr.Error):
    """Nobody waits for the answer any more: what is under way for it ends."""

    def __init__(self) -> None:
        super().__init__("The request was given up.", print_exception=False)


@dataclass(frozen=True)
class Caller:
    """Who asks, and whether they still wait for the answer.

    Attributes:
        address: Where they ask from.
        session: Which of the visits from there; empty for programs that have none.
        waits: Says whether they still do.
    """

    address: str = ""
    session: str = ""
    waits: Callable[[], bool] = lambda: True


def caller_of(request: gr.Request) -> Caller:
    """Who made a request; called within its event."""
    address = request.client.host if request.client else ""
    if _is_near(address):  # a proxy of ours says whom it asks for; anybody else may say anything
        forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        address = forwarded or address
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    # Gradio notes on its event when the client closes the stream, and tells nobody.
    event = blocks._queue.event_ids_to_events.get(event_id) if blocks and event_id else None
    session = "" if request.session_hash == event_id else str(request.session_hash)
    return Caller(address, session, lambda: event is None or event.alive)


def _is_near(address: str) -> bool:
    """Whether an address is of this machine or of a private network, as a proxy's is."""
    try:
        return ip_address(address).is_private
    except ValueError:
        return False


@dataclass(eq=False)
class _Ticket:
    caller: Caller
    called: Event = field(default_factory=Event)
    admitted: bool = True


class Turns:
    """A few places, and a fair queue for them.

    Next comes who was served least recently: first among addresses, then among
    the visits from one address, then by arrival. Where the queue is full, the
    newest request of whoever has most of them makes room.

    Args:
        places: How many are served at once.
        limit: How many may wait.
    """

    def __init__(self, places: int, limit: int) -> None:
        self._places = self._free = places
        self._limit = limit
        self._waiting: list[_Ticket] = []
        self._served: dict[tuple[str, ...], int] = {}
        self._lock = Lock()

    @contextmanager
    def turn(self, caller: Caller) -> Iterator[None]:
        """A block that begins when it is the caller's turn and gives the place back at its end.

        Raises:
            LandslideZooError: If too many wait already.
            Gone: If the caller no longer waits.
        """
        ticket = _Ticket(caller)
        with self._lock:
            self._make_room(caller)
            self._waiting.append(ticket)
            self._call()
        try:
            while not ticket.called.wait(_POLL_SECONDS) and caller.waits():
                pass
            if not ticket.admitted:
                raise LandslideZooError(BUSY)
            if not caller.waits():
                raise Gone
            yield
        finally:
            with self._lock:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                elif ticket.admitted:
                    self._free += 1
                    self._call()

    def _make_room(self, caller: Caller) -> None:
        if len(self._waiting) < self._limit:
            return
        visits = Counter(_keys(one.caller)[1] for one in self._waiting)
        visit, most = visits.most_common(1)[0]
        if most <= visits[_keys(caller)[1]] + 1:
            raise LandslideZooError(BUSY)
        newest = next(one for one in reversed(self._waiting) if _keys(one.caller)[1] == visit)
        self._waiting.remove(newest)
        newest.admitted = False
        newest.called.set()

    def _call(self) -> None:
        while self._free and self._waiting:
            ticket = min(self._waiting, key=self._last_served)
            self._waiting.remove(ticket)
            self._free -= 1
            now = max(self._served.values(), default=0) + 1
            for key in _keys(ticket.caller):
                self._served.pop(key, None)
                self._served[key] = now  # the latest comes last
            while len(self._served) > _REMEMBERED:
                del self._served[next(iter(self._served))]
            ticket.called.set()
        if not self._waiting and self._free == self._places:
            self._served.clear()

    def _last_served(self, ticket: _Ticket) -> list[int]:
        return [self._served.get(key, 0) for key in _keys(ticket.caller)]


def _keys(caller: Caller) -> tuple[tuple[str, ...], ...]:
    """Whose turn it may be: an address, and a visit from there."""
    return (caller.address,), (caller.address, caller.session)
