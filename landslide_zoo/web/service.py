"""The work behind every tab and endpoint: reading uploads, loading models, running them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from landslide_zoo.data.patch import Patch
from landslide_zoo.data.safe_read import read_patch_safely
from landslide_zoo.errors import DataError, LandslideZooError, ModelError, quoted
from landslide_zoo.inference.batching import NetworkThread
from landslide_zoo.inference.cache import ModelCache
from landslide_zoo.inference.predict import (
    LoadedPredictor,
    Options,
    Prediction,
    predict,
    prepare,
)
from landslide_zoo.settings import GIGABYTE, Settings
from landslide_zoo.web.zero_gpu import LentGpuPredictor, gpu_runner
from landslide_zoo.zoo.zoo import ModelZoo

if TYPE_CHECKING:
    from tqdm.auto import tqdm

logger = logging.getLogger(__name__)

FILES_AT_WORK = 4
"""Patches of one visitor that are worked on at once: some are read while others run."""
_FOLDERS = re.compile(r"(?<![\w:/.])(?:~|[A-Za-z]:)?/(?:[^/\s'\"]+/)+")

Outcome = Prediction | str
"""What came of a patch or a model: a prediction, or a sentence that says why there is none."""


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
    """

    def __init__(self, zoo: ModelZoo, settings: Settings) -> None:
        self.zoo = zoo
        self.settings = settings
        self.cache = ModelCache(self._load, int(settings.cache_gb * GIGABYTE))
        self._gpu = gpu_runner(zoo)
        self._network = NetworkThread()

    def read(self, upload: Upload) -> Patch:
        """Read an upload.

        Raises:
            DataError: If it cannot be read.
        """
        return upload.read(self.settings.patch_side**2)

    def detect(
        self,
        name: str | None,
        upload: Upload,
        threshold: float | None = None,
        tqdm_class: type[tqdm] | None = None,
        options: Options | None = None,
    ) -> Prediction:
        """Run a model of the zoo on a patch.

        Args:
            name: One of the zoo's names; its first where None.
            upload: What to look at.
            threshold: The model's own where None.
            tqdm_class: Progress bar of the model's download, if there is one.
            options: What is done besides the network.

        Raises:
            LandslideZooError: If the model cannot be had or cannot take the patch.
        """
        name = name or self.zoo.default
        self.zoo.entry(name)  # says what there is
        model = self.cache.get(name, tqdm_class=tqdm_class)
        return self._run(name, model, self.read(upload), threshold, options)

    def detect_all(
        self,
        name: str | None,
        uploads: Sequence[Upload],
        tqdm_class: type[tqdm] | None = None,
        options: Options | None = None,
    ) -> Iterator[Prediction | LandslideZooError]:
        """Run a model of the zoo on several patches, some of them at once.

        Args:
            name: One of the zoo's names; its first where None.
            uploads: What to look at.
            tqdm_class: Progress bar of the model's download, if there is one.
            options: What is done besides the network.

        Yields:
            What was found, or why nothing was, in the order of the uploads.
        """

        def work(upload: Upload) -> Prediction | LandslideZooError:
            try:
                return self.detect(name, upload, None, tqdm_class, options)
            except LandslideZooError as error:
                return error

        with ThreadPoolExecutor(FILES_AT_WORK) as pool:
            contexts = [copy_context() for _ in uploads]
            yield from pool.map(lambda own, one: own.run(work, one), contexts, uploads)

    def compare(
        self,
        names: Sequence[str],
        upload: Upload,
        options: Options | None = None,
    ) -> Iterator[dict[str, Outcome | None]]:
        """Run models on a patch, one after another.

        A model that fails says so in its own result, and the others go on.

        Args:
            names: Names of the zoo; one that is given twice runs once.
            upload: What to look at.
            options: What is done besides the network.

        Yields:
            The outcome of each model by name, None until it has run: first with none run,
            then after each.

        Raises:
            LandslideZooError: If the zoo has no model of one of the names, or the
                patch cannot be read.
        """
        outcomes: dict[str, Outcome | None] = {self.zoo.entry(name).name: None for name in names}
        options = options or {}
        prepared = prepare(self.read(upload), options.get("clouds", "mask"), options.get("level"))
        yield dict(outcomes)
        waiting = list(outcomes)
        while name := self.next_model(waiting):
            waiting.remove(name)
            try:
                model = self.cache.get(name)
                outcomes[name] = self._run(name, model, prepared, None, options)
            except LandslideZooError as error:
                outcomes[name] = sentence(error)
            yield dict(outcomes)

    def next_model(self, names: Sequence[str]) -> str | None:
        """The next of these to run: one that is in memory, before others drop it; None if none."""
        held = set(self.cache.names)
        return min(names, key=lambda name: name not in held, default=None)

    def _load(self, name: str, tqdm_class: type[tqdm] | None = None) -> LoadedPredictor:
        if self._gpu is None:
            return self.zoo.load(name, tqdm_class=tqdm_class, backend="auto")
        here = self.zoo.load(name, device="cpu", tqdm_class=tqdm_class, backend="auto")
        return LentGpuPredictor(name, here, self._gpu)

    def _run(
        self,
        name: str,
        model: LoadedPredictor,
        patch: Patch,
        threshold: float | None,
        options: Options | None,
    ) -> Prediction:
        try:
            batched = self._network.on(model)
            (prediction,) = predict(batched, [patch], threshold, **(options or {}))
        except LandslideZooError:
            raise
        except Exception as error:
            logger.exception("%s failed on %s", name, patch.name)
            raise ModelError(
                f"{name} failed on {patch.name} ({type(error).__name__}): choose another model; "
                "the server's log says more."
            ) from error
        # Two sources may hold one network: the zoo's name tells them apart.
        return replace(prediction, model=name)
