"""Failing together: what fails in one process fails in all, with one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from accelerate import PartialState
from accelerate.utils import gather_object

from landslide_zoo.errors import LandslideZooError, TrainingError

T = TypeVar("T")


@contextmanager
def together() -> Iterator[None]:
    """A block that fails in every process if it fails in one, and that all leave at once.

    Without it the others would wait for the one that failed, and break off with
    a tale of lost connections. The block itself must not wait for other
    processes.

    Raises:
        TrainingError: With the sentence of the first process that failed.
    """
    failure = None
    try:
        yield
    except (LandslideZooError, OSError) as error:
        failure = error
    sentences = gather_object([failure and str(failure)])
    if any(sentences):
        raise TrainingError(next(filter(None, sentences))) from failure


def first_then_others(work: Callable[[], T]) -> T:
    """Do work in one process of each machine, which may leave files, then in the others.

    Raises:
        TrainingError: With the sentence of the first process that failed.
    """
    for turn in (True, False):
        with together():
            if PartialState().is_local_main_process == turn:
                result = work()
    return result
