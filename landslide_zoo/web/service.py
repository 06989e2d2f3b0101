"""The work behind every tab and endpoint: reading uploads, loading models, running them."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import copy_context
from dataclasses import dataclass, replace
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers.worker import read_patch_safely
from landslide_zoo.errors import DataError, LandslideZooError, ModelError, quoted
from landslide_zoo.inference.batching import NetworkThread
from landslide_zoo.inference.cache import ModelCache
from landslide_zoo.inference.comparison import ModelResult
from landslide_zoo.inference.result import ALL_STEPS, SMALL, Detection, PreparedPatch, Steps
from landslide_zoo.models import LoadedPredictor
from landslide_zoo.settings import GIGABYTE, Settings
from landslide_zoo.web.turns import Caller, Turns
from landslide_zoo.web.zero_gpu import LentGpuPredictor, gpu_runner
from landslide_zoo.zoo.zoo import ModelZoo

if TYPE_CHECKING:
    from tqdm.auto import tqdm

logger = logging.getLogger(__name__)

AT_WORK = 8
"""Requests at work at once: some are read or drawn while a batch of others runs its network."""
FILES_AT_WORK = 4
"""How many of these are one visitor's files."""
LARGE_AT_WORK = 2
"""How many of these are large patches: each takes hundreds of megabytes."""
PULLS = 16
"""Models fetched from a Hub at once; a Hub that hangs holds up no more than these."""
_FOLDERS = re.compile(r"(?<![\w:/.])(?:~|[A-Za-z]:)?/(?:[^/\s'\"]+/)+")
NOBODY = Caller()


@dataclass(frozen=True)
class Upload:
    """A patch that a visitor gave.

    Attributes:
        patch: Path of its file.
        mask: Path of its known mask, or None.
        name: The file's full stem, made unique among all that were given.
    """

    patch: str
    mask: str | None
    name: str

    def read(self, max_pixels: int) -> Patch:
        """Read the patch with its mask, where a hostile file does no harm.

        Args:
            max_pixels: Largest patch that is taken.

        Raises:
            DataError: If either cannot be read, they do not fit each other, or the
                patch is too large.
        """
        check_there(Path(path) for path in (self.patch, self.mask) if path)
        return replace(read_patch_safely(self.patch, self.mask, max_pixels), name=self.name)


def check_there(paths: Iterable[Path]) -> None:
    """Check that no upload was deleted since it came, because it was old.

    Raises:
        DataError: If one was.
    """
    for path in paths:
        if not path.is_file():
            raise DataError(f"{quoted(path.name)} was deleted meanwhile: give it again.")


def plain(text: str) -> str:
    """A sentence for a visitor: it names files by their names, not by the server's folders."""
    return _FOLDERS.sub("", text)


def sentence(error: LandslideZooError) -> str:
    """The sentence of an error, for a visitor."""
    return plain(str(error))


class Service:
    """The zoo with its models kept in memory. Visitors' data is not kept here.

    Args:
        zoo: Where models come from.
        settings: The bounds.

    Attributes:
        pulls: Whose turn it is to fetch a model from a Hub.
    """

    def __init__(self, zoo: ModelZoo, settings: Settings) -> None:
        self.zoo = zoo
        self.settings = settings
        self.cache = ModelCache(self._load, int(settings.cache_gb * GIGABYTE))
        self._gpu = gpu_runner(zoo)
        self._work = Turns(AT_WORK, settings.queue)
        self.pulls = Turns(PULLS, settings.queue)
        self._large = BoundedSemaphore(LARGE_AT_WORK)
        self._network = NetworkThread()

    def read(self, upload: Upload, caller: Caller = NOBODY) -> Patch:
        """Read an upload when it is the caller's turn.

        Raises:
            DataError: If it cannot be read.
        """
        with self._work.turn(caller):
            return self._read(upload)

    def detect(
        self,
        name: str | None,
        upload: Upload,
        threshold: float | None = None,
        caller: Caller = NOBODY,
        tqdm_class: type[tqdm] | None = None,
        steps: Steps = ALL_STEPS,
    ) -> Detection:
        """Run a model of the zoo on a patch.

        Args:
            name: One of the zoo's names; its first where None.
            upload: What to look at.
            threshold: The model's own where None.
            caller: Who waits for it.
            tqdm_class: Progress bar of the model's download, if there is one.
            steps: What is done beside the network.

        Raises:
            LandslideZooError: If the model cannot be had or cannot take the patch.
        """
        name = name or self.zoo.default
        model = self._model(name, caller, tqdm_class)
        with self._work.turn(caller):
            prepared = PreparedPatch(self._read(upload), steps)
            start = time.perf_counter()
            found = self._run(name, model, prepared, threshold)
            return replace(found, milliseconds=1000 * (time.perf_counter() - start))

    def detect_all(
        self,
        name: str | None,
        uploads: Sequence[Upload],
        caller: Caller = NOBODY,
        tqdm_class: type[tqdm] | None = None,
        steps: Steps = ALL_STEPS,
    ) -> Iterator[Detection | LandslideZooError]:
        """Run a model of the zoo on several patches, some of them at once.

        Args:
            name: One of the zoo's names; its first where None.
            uploads: What to look at.
            caller: Who waits for it.
            tqdm_class: Progress bar of the model's download, if there is one.
            steps: What is done beside the network.

        Yields:
            What was found, or why nothing was, in the order of the uploads.
        """

        def work(upload: Upload) -> Detection | LandslideZooError:
            try:
                return self.detect(name, upload, None, caller, tqdm_class, steps)
            except LandslideZooError as error:
                return error

        with ThreadPoolExecutor(FILES_AT_WORK) as pool:
            contexts = [copy_context() for _ in uploads]
            yield from pool.map(lambda own, one: own.run(work, one), contexts, uploads)

    def compare(
        self,
        names: Sequence[str],
        upload: Upload,
        caller: Caller = NOBODY,
        steps: Steps = ALL_STEPS,
    ) -> Iterator[list[ModelResult]]:
        """Run models on a patch, one after another, each in a turn of its own.

        A model that fails says so in its own result, and the others go on. The
        next one is loaded while one runs.

        Args:
            names: Names of the zoo; one that is given twice runs once.
            upload: What to look at.
            caller: Who waits for it.
            steps: What is done beside the network.

        Yields:
            The results of all models, first with none run, then after each.

        Raises:
            LandslideZooError: If the zoo has no model of one of the names, or the
                patch cannot be read.
        """
        results = {name: ModelResult(self.zoo.entry(name).name) for name in names}
        prepared = PreparedPatch(self.read(upload, caller), steps)
        kept = prepared if _is_small(prepared.patch) else None
        del prepared
        yield list(results.values())
        for name, model in self._each_model(list(results), caller):
            try:
                if isinstance(model, LandslideZooError):
                    raise model
                with self._work.turn(caller):
                    seen = kept or PreparedPatch(self._read(upload), steps)
                    results[name] = ModelResult(name, self._run(name, model, seen, None))
            except LandslideZooError as error:
                results[name] = ModelResult(name, error=sentence(error))
            yield list(results.values())

    def next_model(self, names: Sequence[str]) -> str | None:
        """The next of these to run: one that is in memory, before others drop it; None if none."""
        held = set(self.cache.names)
        return min(names, key=lambda name: name not in held, default=None)

    def _each_model(
        self, names: list[str], caller: Caller
    ) -> Iterator[tuple[str, LoadedPredictor | LandslideZooError]]:
        """Models by name, or why one cannot be had; the next is loaded while one is used."""

        def load(name: str) -> LoadedPredictor | LandslideZooError:
            try:
                return self._model(name, caller)
            except LandslideZooError as error:
                return error

        def load_next() -> tuple[str, Future[LoadedPredictor | LandslideZooError]] | None:
            name = self.next_model(names)
            if name is None:
                return None
            names.remove(name)
            return name, ahead.submit(copy_context().run, load, name)

        # A thread of its own: a Hub that hangs holds up nobody else's models.
        ahead = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loading")
        try:
            coming = load_next()
            while coming is not None:
                name, loading = coming
                model = loading.result()
                coming = load_next()
                yield name, model
        finally:
            ahead.shutdown(wait=False, cancel_futures=True)

    def _read(self, upload: Upload) -> Patch:
        return upload.read(self.settings.patch_side**2)

    def _load(self, name: str, tqdm_class: type[tqdm] | None = None) -> LoadedPredictor:
        if self._gpu is None:
            return self.zoo.load(name, tqdm_class=tqdm_class, backend="auto")
        here = self.zoo.load(name, device="cpu", tqdm_class=tqdm_class, backend="auto")
        return LentGpuPredictor(name, here, self._gpu)

    def _model(
        self, name: str, caller: Caller, tqdm_class: type[tqdm] | None = None
    ) -> LoadedPredictor:
        """A model, pulled if need be while others run theirs."""
        pulled = self.zoo.entry(name).repo_id and name not in self.cache.names
        with self.pulls.turn(caller) if pulled else nullcontext():
            return self.cache.get(name, tqdm_class=tqdm_class)

    def _run(
        self,
        name: str,
        model: LoadedPredictor,
        prepared: PreparedPatch,
        threshold: float | None,
    ) -> Detection:
        patch = prepared.patch
        try:
            with nullcontext() if _is_small(patch) else self._large:
                detection = prepared.detect(self._network.on(model), threshold)
        except LandslideZooError:
            raise
        except Exception as error:
            logger.exception("%s failed on %s", name, patch.name)
            raise ModelError(
                f"{name} failed on {patch.name} ({type(error).__name__}): choose another model; "
                "the server's log says more."
            ) from error
        # Two sources may hold one network: the zoo's name tells them apart.
        return replace(detection, network=replace(detection.network, model=name))


def _is_small(patch: Patch) -> bool:
    """Whether a patch is kept from one model to the next instead of being read again."""
    return patch.values[0].size <= SMALL
