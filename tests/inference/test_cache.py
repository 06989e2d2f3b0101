"""Shared models are loaded once and kept within a bound."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier, Event

from landslide_zoo.inference.backends import ModelCache


@dataclass
class Loaded:
    """A predictor of ten bytes."""

    nbytes: int = 10


def test_the_least_recently_used_goes_first() -> None:
    cache = ModelCache(lambda name: Loaded(), limit=20)
    for name in ("a", "b", "a", "c"):
        cache.get(name)
    assert (cache.names, cache.size) == (["a", "c"], 20)
    cache = ModelCache(lambda name: Loaded(), limit=1)  # one that is too large is held alone
    cache.get("a")
    cache.get("b")
    assert cache.names == ["b"]


def test_many_callers_wait_for_one_load_and_others_do_not() -> None:
    loads: list[str] = []
    together, finish = Barrier(5), Event()

    def load(name: str) -> Loaded:
        loads.append(name)
        assert name == "fast" or finish.wait(30)
        return Loaded()

    cache = ModelCache(load, limit=2**30)

    def get() -> object:
        together.wait()
        return cache.get("slow")

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(get) for _ in range(4)]
        together.wait()
        cache.get("fast")  # while the other is still loading
        finish.set()
        assert len({id(future.result()) for future in asked}) == 1
    assert sorted(loads) == ["fast", "slow"]
