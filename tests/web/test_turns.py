"""Fair turns: nobody waits for all that another asks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.web.turns import Caller, Gone, Turns


class Workshop:
    """One place with somebody at work, and others who come and wait.

    Attributes:
        served: Names of those who had their turn, in order.
    """

    def __init__(self, limit: int = 100) -> None:
        self.turns = Turns(1, limit)
        self.served: list[str] = []
        self._pool = ThreadPoolExecutor(64)
        self._release = Event()
        held = Event()
        self._holder = self._pool.submit(self._hold, held)
        held.wait(10)

    def _hold(self, held: Event) -> None:
        with self.turns.turn(Caller("holder")):
            held.set()
            self._release.wait(10)

    def come(self, name: str, caller: Caller) -> Future[None]:
        """Let somebody come; returns once they wait, or were sent away."""
        before = self._waiting(caller)

        def ask() -> None:
            with self.turns.turn(caller):
                self.served.append(name)

        future = self._pool.submit(ask)
        while self._waiting(caller) == before and not future.done():
            pass
        return future

    def _waiting(self, caller: Caller) -> int:
        return sum(ticket.caller is caller for ticket in list(self.turns._waiting))

    def open(self) -> None:
        """Let everybody have their turn."""
        self._release.set()
        self._pool.shutdown()


@pytest.mark.parametrize(
    ("greedy", "modest"),
    [
        (Caller("a", "visit 1"), Caller("a", "visit 2")),
        (Caller("a"), Caller("b")),
        (Caller("a", "visit 1"), Caller("b", "visit 1")),
    ],
    ids=["two visits from one address", "two programs", "two addresses"],
)
def test_many_requests_of_one_do_not_delay_one_of_another(greedy: Caller, modest: Caller) -> None:
    workshop = Workshop()
    for number in range(20):
        workshop.come(f"greedy {number}", greedy)
    workshop.come("modest", modest)
    workshop.open()
    assert workshop.served.index("modest") <= 1
    assert len(workshop.served) == 21
    assert [one for one in workshop.served if one != "modest"] == [
        f"greedy {number}" for number in range(20)
    ]


def test_many_visits_from_one_address_do_not_delay_another_address() -> None:
    workshop = Workshop()
    for number in range(20):
        workshop.come("crowd", Caller("a", f"visit {number}"))
    workshop.come("other", Caller("b"))
    workshop.open()
    assert workshop.served.index("other") <= 1


def test_where_all_is_full_the_busiest_makes_room() -> None:
    workshop = Workshop(limit=3)
    greedy = Caller("a")
    first = [workshop.come(f"greedy {number}", greedy) for number in range(3)]
    workshop.come("modest", Caller("b"))
    with pytest.raises(LandslideZooError, match="Too many requests are waiting"):
        first[-1].result(10)
    workshop.come("second", Caller("c"))
    turned_away = workshop.come("third", Caller("d"))
    with pytest.raises(LandslideZooError, match="Too many requests are waiting"):
        turned_away.result(10)
    workshop.open()
    assert sorted(workshop.served) == ["greedy 0", "modest", "second"]


def leaving(left: Event) -> Callable[[], bool]:
    return lambda: not left.is_set()


def test_who_left_is_not_served_and_holds_nothing_up() -> None:
    workshop, left = Workshop(), Event()
    gone = workshop.come("gone", Caller("a", waits=leaving(left)))
    stays = workshop.come("stays", Caller("b"))
    left.set()
    with pytest.raises(Gone):
        gone.result(10)
    workshop.open()
    stays.result(10)
    assert workshop.served == ["stays"]


def test_a_place_is_given_back_after_an_error() -> None:
    turns = Turns(1, 5)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.turn(Caller("a")):
            raise ZeroDivisionError
    with turns.turn(Caller("b")):
        pass
