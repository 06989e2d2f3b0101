"""Models in memory: bounded, loaded once, tried again after a failure."""

from __future__ import annotations

import gc
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from landslide_zoo import LandslideModel
from landslide_zoo.errors import ModelError
from landslide_zoo.inference import ModelCache

NAME = "unet-mobilenet_v2-rgb"


@pytest.fixture(scope="module")
def model() -> LandslideModel:
    return LandslideModel.from_catalog(NAME)


def test_the_least_recently_used_goes_first(model: LandslideModel) -> None:
    cache = ModelCache(lambda name: model, limit=2 * model.nbytes)
    for name in ("a", "b", "a", "c"):
        cache.get(name)
    assert cache.names == ["a", "c"]
    assert cache.size <= 2 * model.nbytes


def test_a_model_larger_than_the_bound_is_held_alone(model: LandslideModel) -> None:
    cache = ModelCache(lambda name: model, limit=1)
    cache.get("a")
    cache.get("b")
    assert cache.names == ["b"]


def test_many_callers_wait_for_one_load(model: LandslideModel) -> None:
    loads: list[str] = []
    together = Barrier(8)

    def load(name: str) -> LandslideModel:
        loads.append(name)
        return model

    cache = ModelCache(load, limit=2**30)

    def get() -> LandslideModel:
        together.wait()
        return cache.get("a")

    with ThreadPoolExecutor(8) as pool:
        held = [future.result() for future in [pool.submit(get) for _ in range(8)]]
    assert loads == ["a"] and all(one is model for one in held)


def test_a_slow_load_holds_up_no_other_model(model: LandslideModel) -> None:
    started, finish = Event(), Event()

    def load(name: str) -> LandslideModel:
        if name == "slow":
            started.set()
            assert finish.wait(30)
        return model

    cache = ModelCache(load, limit=2**30)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(cache.get, "slow")
        assert started.wait(30)
        assert cache.get("fast") is model  # while the other is still loading
        finish.set()
        assert slow.result() is model


def test_a_failed_load_is_tried_again(model: LandslideModel) -> None:
    answers = iter([ModelError("not yet"), model])

    def load(name: str) -> LandslideModel:
        answer = next(answers)
        if isinstance(answer, ModelError):
            raise answer
        return answer

    cache = ModelCache(load, limit=2**30)
    with pytest.raises(ModelError):
        cache.get("a")
    assert cache.names == []
    assert cache.get("a") is model


def test_names_that_cannot_be_loaded_leave_nothing_behind(model: LandslideModel) -> None:
    def load(name: str) -> LandslideModel:
        raise ModelError(f"There is no model {name}.")

    cache = ModelCache(load, limit=2**30)
    tracemalloc.start()
    try:
        for number in range(2000):
            with pytest.raises(ModelError):
                cache.get(f"{number}" * 100)
        gc.collect()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 400_000  # the names alone would be twice that
