"""Loaded models, kept in memory up to a bound; the least recently used go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Any

from landslide_zoo.inference.predict import LoadedPredictor


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
