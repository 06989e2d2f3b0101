"""The work behind every tab and endpoint: reading uploads, loading models, running them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from landslide_zoo.data.patch import Patch
from landslide_zoo.data.safe_read import read_patch_safely
from landslide_zoo.errors import LandslideZooError, ModelError, quoted
from landslide_zoo.inference.backends import ModelCache, load_predictor
from landslide_zoo.inference.predict import (
    LoadedPredictor,
    Options,
    Prediction,
    predict,
    prepare,
)
from landslide_zoo.settings import GIGABYTE, Settings
from landslide_zoo.web import on_gpu
from landslide_zoo.zoo import ModelZoo, ZooEntry, folder_entry

if TYPE_CHECKING:
    from tqdm.auto import tqdm

logger = logging.getLogger(__name__)

FILES_AT_WORK = 4
"""Patches of one visitor that are worked on at once: some are read while others run."""
NETWORKS_AT_WORK = 2
"""Networks that run at once: one computes while another's answer is made."""
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
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


def plain(text: str) -> str:
    """A sentence for a visitor: it names files by their names, not by the server's folders."""
    return _FOLDERS.sub("", text)


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
        self._networks = BoundedSemaphore(NETWORKS_AT_WORK)

    def is_repo(self, name: str | None) -> bool:
        """Whether a visitor names a model by its id on the Hub; the zoo does not list it."""
        return bool(name and _REPO.fullmatch(name)) and name not in self.zoo.names()

    def folder(self, name: str, tqdm_class: type[tqdm] | None = None) -> Path:
        """The folder of a model, downloaded if need be.

        Args:
            name: One of the zoo's names, or the id of a public repo on the Hub.
            tqdm_class: Progress bar of the download, if there is one.

        Raises:
            LandslideZooError: If there is no such model, or such ids are not taken here.
        """
        if not self.is_repo(name):
            return self.zoo.folder(self.zoo.entry(name).name, tqdm_class=tqdm_class)
        if not self.settings.hub_models:
            raise ModelError(f"This app loads no other models than its own: {quoted(name)} is not.")
        # Without the app's token: its owner's private models are not for visitors.
        return self.zoo.folder(name, tqdm_class=tqdm_class, token=False)

    def entry(self, name: str, tqdm_class: type[tqdm] | None = None) -> ZooEntry:
        """What is known of a model; see :meth:`folder`."""
        if not self.is_repo(name):
            return self.zoo.entry(name)
        return folder_entry(self.folder(name, tqdm_class), name, name.partition("/")[0])

    def read(self, upload: Upload) -> Patch:
        """Read a patch with its mask, where a hostile file does no harm.

        Raises:
            DataError: If either cannot be read, they do not fit each other, or the
                patch is too large.
        """
        patch = read_patch_safely(upload.patch, upload.mask, self.settings.patch_side**2)
        return replace(patch, name=upload.name)

    def detect(
        self,
        name: str | None,
        upload: Upload,
        threshold: float | None = None,
        tqdm_class: type[tqdm] | None = None,
        options: Options | None = None,
    ) -> Prediction:
        """Run a model on a patch.

        Args:
            name: One of the zoo's names, or the id of a repo; the zoo's first where None.
            upload: The patch.
            threshold: The model's own where None.
            tqdm_class: Progress bar of the model's download, if there is one.
            options: What is done besides the network.

        Raises:
            LandslideZooError: If the model cannot be had or cannot take the patch.
        """
        name = name or self.zoo.default
        model = self.cache.get(name, tqdm_class=tqdm_class)
        return self._run(name, model, self.read(upload), threshold, options)

    def detect_all(
        self,
        name: str | None,
        uploads: Sequence[Upload],
        tqdm_class: type[tqdm] | None = None,
        options: Options | None = None,
    ) -> Iterator[Outcome]:
        """Run a model on several patches, some of them at once; see :meth:`detect`.

        Yields:
            The predictions, or why there is none, in the order of the uploads.
        """

        def work(upload: Upload) -> Outcome:
            try:
                return self.detect(name, upload, None, tqdm_class, options)
            except LandslideZooError as error:
                return plain(str(error))

        with ThreadPoolExecutor(FILES_AT_WORK) as pool:
            contexts = [copy_context() for _ in uploads]
            yield from pool.map(
                lambda context, upload: context.run(work, upload), contexts, uploads
            )

    def compare(
        self, names: Sequence[str], upload: Upload, options: Options | None = None
    ) -> Iterator[dict[str, Outcome | None]]:
        """Run models on a patch, one after another.

        A model that fails says so in its own result, and the others go on.

        Args:
            names: Names of the zoo or ids of repos; one that is given twice runs once.
            upload: The patch.
            options: What is done besides the network.

        Yields:
            The outcome of each model by name, None until it has run: first with none run,
            then after each.

        Raises:
            LandslideZooError: If there is no model of one of the names, or the patch cannot
                be read.
        """
        outcomes: dict[str, Outcome | None] = dict.fromkeys(names)
        for name in outcomes:
            if not self.is_repo(name):
                self.zoo.entry(name)
        options = options or {}
        prepared = prepare(self.read(upload), options.get("clouds", "mask"), options.get("level"))
        yield dict(outcomes)
        for name in outcomes:
            try:
                model = self.cache.get(name)
                outcomes[name] = self._run(name, model, prepared, None, options)
            except LandslideZooError as error:
                outcomes[name] = plain(str(error))
            yield dict(outcomes)

    def _load(self, name: str, tqdm_class: type[tqdm] | None = None) -> LoadedPredictor:
        folder = self.folder(name, tqdm_class)
        if not hasattr(probabilities_on_gpu, "zerogpu"):
            return load_predictor(folder)
        return cast("LoadedPredictor", _OnLentGpu(folder))

    def _run(
        self,
        name: str,
        model: LoadedPredictor,
        patch: Patch,
        threshold: float | None,
        options: Options | None,
    ) -> Prediction:
        try:
            with self._networks:
                (prediction,) = predict(model, [patch], threshold, **(options or {}))
        except LandslideZooError:
            raise
        except Exception as error:
            logger.exception("%s failed on %s", name, patch.name)
            raise ModelError(
                f"{name} failed on {patch.name} ({type(error).__name__}): choose another model."
            ) from error
        # Two sources may hold one network: the zoo's name tells them apart.
        return replace(prediction, model=name)


@on_gpu
def probabilities_on_gpu(folder: Path, values: np.ndarray) -> np.ndarray:
    """Run a model's network where a ZeroGPU Space lends a GPU for it."""
    return _model_on_gpu(folder).probabilities(values)


@lru_cache(maxsize=8)
def _model_on_gpu(folder: Path) -> LoadedPredictor:
    return load_predictor(folder, device="cuda")


class _OnLentGpu:
    """A model whose network runs on a lent GPU, and on the processor where none is to be had."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._model = load_predictor(folder, device="cpu")
        self.backend = self._model.backend

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._model, name)

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Probabilities (N, H, W), float32, from bands (N, B, H, W)."""
        try:
            self.backend, answer = "ZeroGPU", probabilities_on_gpu(self._folder, values)
        except Exception as error:  # none is free, or the visitor's share is used up
            logger.warning("No GPU for %s: %s", self._folder.name, error)
            self.backend, answer = self._model.backend, self._model.probabilities(values)
        return answer
