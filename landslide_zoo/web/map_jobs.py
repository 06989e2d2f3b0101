"""Mapping for visitors: whose turn it is, where their files lie, and what came of it."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from threading import Condition
from typing import Any

import gradio as gr
from tqdm.auto import tqdm

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.mapping import NEEDED
from landslide_zoo.web.downloads import new_folder
from landslide_zoo.web.map_worker import Gone, MapWorker, Request, Tell
from landslide_zoo.web.service import Service, check_there

WORKERS = 2
"""Scenes mapped at once: another threshold need not wait behind a large scene."""
_POLL_SECONDS = 0.25
HOW_TO_INSTALL = (
    "Maps need further packages, which are not installed here: pip install 'landslide-zoo[map]'."
)

_STEPS = {
    "clouds": "Looking for clouds",
    "network": "Looking for landslides",
    "landslides": "Drawing outlines",
    "borders": "Drawing outlines",
    "files": "Writing files",
}


def available() -> bool:
    """Whether the packages are there that maps need; none of them is imported here."""
    return all(find_spec(name) for name in NEEDED)


class MapService:
    """Maps scenes in processes of their own, one visitor after another.

    Args:
        service: The zoo and the bounds.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self._busy: set[str] = set()
        self._freed = Condition()
        self._workers = [MapWorker(service.settings) for _ in range(WORKERS)]
        self._free: queue.LifoQueue[MapWorker] = queue.LifoQueue()
        for worker in reversed(self._workers):
            self._free.put(worker)

    def warm_up(self) -> None:
        """Start a process, which takes seconds, before there is a scene for it."""
        if available() and not self._free.empty():
            with self._worker() as worker:
                worker.start()

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.close()

    def map_scene(
        self,
        request: Request,
        tell: Tell = lambda state: None,
        tqdm_class: type[tqdm] | None = None,
        waits: Callable[[], bool] = lambda: True,
    ) -> tuple[Request, dict[str, Any]]:
        """Map a scene, or draw one again that was mapped.

        Args:
            request: What to map; with a folder, what was mapped there is drawn again.
            tell: Is given every state of progress.
            tqdm_class: Progress bar of the model's download, if there is one.
            waits: Says whether anybody still waits for it.

        Returns:
            The request with its folder, to draw it again by, and the answer of
            :meth:`landslide_zoo.web.map_worker.MapWorker.run`.

        Raises:
            LandslideZooError: If it cannot be mapped.
            Gone: If nobody waits any more.
        """
        if not available():
            raise LandslideZooError(HOW_TO_INSTALL)
        model = self.service.zoo.folder(request.model, tqdm_class=tqdm_class)
        with self._alone(request.folder, waits), self._worker() as worker:
            check_there(request.inputs)
            if not Path(request.folder or "nowhere").is_dir():
                request = replace(request, folder=str(new_folder()))
            answer = worker.run(request, model, waits, tell)
        answer["figures"]["model"] = request.model
        return request, answer

    @contextmanager
    def _alone(self, folder: str, waits: Callable[[], bool]) -> Iterator[None]:
        """A block in which no other is at work in a folder: it waits for those before it."""
        with self._freed:
            while folder in self._busy:
                if not waits():
                    raise Gone
                self._freed.wait(_POLL_SECONDS)
            self._busy |= {folder} - {""}
        try:
            yield
        finally:
            with self._freed:
                self._busy -= {folder}
                self._freed.notify_all()

    @contextmanager
    def _worker(self) -> Iterator[MapWorker]:
        worker = self._free.get()
        try:
            yield worker
        finally:
            self._free.put(worker)


def teller(progress: gr.Progress) -> Tell:
    """Shows on the page how far a map is, with the time that is left."""

    def tell(state: dict[str, Any]) -> None:
        left = state["seconds_left"]
        text = _STEPS.get(state["step"], state["step"])
        if left is not None and left >= 1:
            minutes, seconds = divmod(round(left), 60)
            text += f", {minutes} min {seconds} s left" if minutes else f", {seconds} s left"
        progress((state["done"], state["total"] or 1), desc=text, unit="parts")

    return tell
