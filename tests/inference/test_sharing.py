"""Shared models are loaded once; what waits for one runs together, each with its own answer."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier, Event

import numpy as np
import pytest

from landslide_zoo.errors import ModelError
from landslide_zoo.inference.sharing import ModelCache, NetworkThread
from landslide_zoo.models.config import PredictorConfig


@dataclass(eq=False)
class Doubler:
    """A predictor that answers twice its first band, and notes how many it is asked at once."""

    config: PredictorConfig = field(
        default_factory=lambda: PredictorConfig(
            name="doubler", bands=["B4"], unit="physical", threshold=0.5
        )
    )
    backend: str = "numpy"
    batches: list[int] = field(default_factory=list)
    begun: Event = field(default_factory=Event)
    released: Event = field(default_factory=Event)

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Fails where a value is negative; the first call waits until it is released."""
        self.batches.append(len(values))
        self.begun.set()
        assert self.released.wait(10)
        if (values < 0).any():
            raise ValueError("negative")
        return 2 * values[:, 0]


class Crowd:
    """Threads that ask while the network is held up by the first of them."""

    def __init__(self) -> None:
        self.thread, self.pool = NetworkThread(), ThreadPoolExecutor(64)

    def ask(self, predictor: Doubler, value: float, side: int = 4) -> Future[np.ndarray]:
        """Ask for one patch; returns once it waits."""
        waiting = len(self.thread._waiting)
        values = np.full((1, 1, side, side), value, dtype=np.float32)
        asked = self.pool.submit(self.thread.on(predictor).probabilities, values)
        if predictor.begun.is_set():
            while len(self.thread._waiting) == waiting:
                pass
        else:
            assert predictor.begun.wait(10)
        return asked


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()


def test_what_came_meanwhile_is_one_batch_and_each_gets_its_own(crowd: Crowd) -> None:
    doubler = Doubler()
    asked = [crowd.ask(doubler, value) for value in range(10)]
    doubler.released.set()
    for value, one in enumerate(asked):
        answer = one.result(10)
        assert answer.shape == (1, 4, 4) and (answer == 2 * value).all()
        assert answer.base is None  # it keeps no other's in memory
    assert doubler.batches == [1, 9]


def test_sizes_and_predictors_are_not_mixed_and_the_first_is_next(crowd: Crowd) -> None:
    doubler, other = Doubler(), Doubler()
    other.begun.set()
    other.released.set()
    crowd.ask(doubler, 0)
    asked = [
        crowd.ask(one, value, side)
        for one, value, side in [(other, 1, 4), (doubler, 2, 8), (doubler, 3, 4), (doubler, 4, 8)]
    ]
    doubler.released.set()
    assert [float(one.result(10).mean()) for one in asked] == [2, 4, 6, 8]
    assert (doubler.batches, other.batches) == ([1, 2, 1], [1])


def test_who_is_at_fault_is_told_and_the_others_are_answered(crowd: Crowd) -> None:
    doubler = Doubler()
    crowd.ask(doubler, 0)
    asked = [crowd.ask(doubler, value) for value in (1, -1, 2)]
    doubler.released.set()
    assert float(asked[0].result(10).mean()) == 2
    with pytest.raises(ValueError, match="negative"):
        asked[1].result(10)
    assert float(asked[2].result(10).mean()) == 4


@dataclass
class Loaded(Doubler):
    """A predictor of ten bytes."""

    record: None = None
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


def test_a_failed_load_is_tried_again() -> None:
    answers = iter([ModelError("not yet"), Loaded()])

    def load(name: str) -> Loaded:
        answer = next(answers)
        if isinstance(answer, ModelError):
            raise answer
        return answer

    cache = ModelCache(load, limit=2**30)
    with pytest.raises(ModelError):
        cache.get("a")
    assert cache.names == [] and not cache._loading
    assert isinstance(cache.get("a"), Loaded)
