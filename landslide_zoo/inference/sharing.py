"""Models that many threads share: loaded once, and run together on a thread of their own."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np

from landslide_zoo.inference.predict import (
    BATCH_PIXELS,
    LoadedPredictor,
    Predictor,
    WrappedPredictor,
)


class ModelCache:
    """Models by name, loaded on first use.

    Two callers that want one model at once wait for one load; callers that want
    different models do not wait for each other. Nothing is kept for a name that
    cannot be loaded.

    Args:
        load: Loads a model by name, and takes what :meth:`get` is given besides.
        limit: How many bytes of weights are kept. A model larger than that is
            kept alone, until another is asked for.
    """

    def __init__(self, load: Callable[..., LoadedPredictor], limit: int) -> None:
        self._load = load
        self._limit = limit
        self._models: OrderedDict[str, LoadedPredictor] = OrderedDict()
        self._loading: dict[str, Future[LoadedPredictor]] = {}
        self._lock = Lock()

    @property
    def names(self) -> list[str]:
        """The models that are held, the least recently used first."""
        return list(self._models)

    @property
    def size(self) -> int:
        """Bytes of weights that are held."""
        return sum(model.nbytes for model in list(self._models.values()))

    def get(self, name: str, **options: Any) -> LoadedPredictor:  # noqa: ANN401 - load's own
        """The model of that name, loaded if it is not held.

        Args:
            name: Name of the model.
            options: Handed to ``load`` where the model is not held.

        Raises:
            LandslideZooError: If it cannot be loaded; whoever waits for it is told
                the same, and the next call tries again.
        """
        with self._lock:
            if name in self._models:
                self._models.move_to_end(name)
                return self._models[name]
            loading = self._loading.get(name)
            if loading is None:
                mine = self._loading[name] = Future()
        if loading is not None:
            return loading.result()
        try:
            model = self._load(name, **options)
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            with self._lock:
                self._models[name] = model
                while self.size > self._limit and len(self._models) > 1:
                    self._models.popitem(last=False)
            mine.set_result(model)
            return model
        finally:
            del self._loading[name]


@dataclass(eq=False)
class _Job:
    predictor: Predictor
    values: np.ndarray
    context: Context = field(default_factory=copy_context)
    answer: Future[np.ndarray] = field(default_factory=Future)

    @property
    def kind(self) -> tuple[object, ...]:
        """Jobs of one kind can be run together."""
        return (id(self.predictor), self.values.shape[1:])

    @property
    def pixels(self) -> int:
        return self.values[:, 0].size


class NetworkThread:
    """Runs the networks of many threads on one, batch by batch, without making any batch wait.

    What has come while a batch ran is the next batch: all of it that is for the same
    predictor and of the same size, up to :data:`~landslide_zoo.inference.predict.BATCH_PIXELS`.
    Whoever came first is in it. Each gets its own answer, or its own error.
    """

    # torch keeps a team of threads, and their buffers, for every thread that calls it.
    def __init__(self) -> None:
        self._waiting: deque[_Job] = deque()
        self._lock = Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="network")

    def on(self, predictor: Predictor) -> BatchedPredictor:
        """The predictor, run by this thread."""
        return BatchedPredictor(predictor, self)

    def run(self, predictor: Predictor, values: np.ndarray) -> np.ndarray:
        """Probabilities (N, H, W) of values (N, B, H, W), once their batch has run."""
        job = _Job(predictor, values)
        with self._lock:
            self._waiting.append(job)
        self._thread.submit(self._run_next)
        return job.answer.result()

    def _run_next(self) -> None:
        # There is none where an earlier batch has taken all its jobs along.
        if batch := self._next_batch():
            _run(batch)

    def _next_batch(self) -> list[_Job]:
        batch: list[_Job] = []
        with self._lock:
            others: deque[_Job] = deque()
            pixels = 0
            for job in self._waiting:
                alike = not batch or job.kind == batch[0].kind
                if alike and (not batch or pixels + job.pixels <= BATCH_PIXELS):
                    batch.append(job)
                    pixels += job.pixels
                else:
                    others.append(job)
            self._waiting = others
        return batch


def _run(batch: list[_Job]) -> None:
    first = batch[0]
    try:
        values = np.concatenate([job.values for job in batch])
        # For whom it runs matters where a GPU is lent to visitors by the minute.
        found = first.context.run(first.predictor.probabilities, values)
    except Exception as error:
        if len(batch) == 1:
            first.answer.set_exception(error)
            return
        for job in batch:  # one of them is at fault, or all together are too many
            _run([job])
        return
    ends = np.cumsum([len(job.values) for job in batch])[:-1]
    for job, answer in zip(batch, np.split(found, ends), strict=True):
        job.answer.set_result(answer.copy())  # a view would keep what is others' in memory


@dataclass(frozen=True, eq=False)
class BatchedPredictor(WrappedPredictor):
    """A predictor that many threads share: what they ask for at once runs in one batch.

    Attributes:
        thread: Where it runs.
    """

    thread: NetworkThread

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Probabilities (N, H, W), float32, from bands (N, B, H, W)."""
        return self.thread.run(self.predictor, values)
