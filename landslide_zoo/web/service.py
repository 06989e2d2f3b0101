"""What every tab and endpoint shares: uploads, the zoo, its models in memory, running them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm.auto import tqdm

from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers.worker import read_patch_safely
from landslide_zoo.errors import DataError, LandslideZooError, ModelError, quoted
from landslide_zoo.hub.zoo import ModelZoo
from landslide_zoo.inference.cache import ModelCache
from landslide_zoo.inference.comparison import ModelResult
from landslide_zoo.inference.result import ALL_STEPS, Detection, Steps, detect
from landslide_zoo.models import LoadedPredictor
from landslide_zoo.web.settings import GIGABYTE, Settings
from landslide_zoo.web.turns import Caller, Turns

logger = logging.getLogger(__name__)

AT_WORK = 2
"""Requests at work at once: one reads its file while another runs its network."""
PULLS = 16
"""Models fetched from a Hub at once; a Hub that hangs holds up no more than these."""
SMALL = 8 * 2**20
"""Bytes of a patch that is kept from one model to the next instead of being read again."""
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
        for path in filter(None, (self.patch, self.mask)):
            if not Path(path).is_file():
                raise DataError(f"{quoted(Path(path).name)} was deleted meanwhile: give it again.")
        return replace(read_patch_safely(self.patch, self.mask, max_pixels), name=self.name)


def plain(text: str) -> str:
    """A sentence for a visitor: it names files by their names, not by the server's folders."""
    return _FOLDERS.sub("", text)


def sentence(error: LandslideZooError) -> str:
    """What a visitor is told of an error."""
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
        self.cache = ModelCache(zoo.load, int(settings.cache_gb * GIGABYTE))
        self._work = Turns(AT_WORK, settings.queue)
        self._pulls = Turns(PULLS, settings.queue)
        # torch keeps a team of threads and their buffers for every thread that calls it, and
        # a server has dozens: all networks run on this one.
        self._network = ThreadPoolExecutor(max_workers=1, thread_name_prefix="network")

    @property
    def default(self) -> str:
        """The model used where none is named: the zoo's first.

        Raises:
            ModelError: If the zoo is empty.
        """
        names = self.zoo.names()
        if not names:
            raise ModelError("This zoo holds no model: set LANDSLIDE_ZOO to one that does.")
        return names[0]

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
        name = name or self.default
        model = self._model(name, caller, tqdm_class)
        with self._work.turn(caller):
            return self._run(name, model, self._read(upload), threshold, steps)

    def compare(
        self,
        names: Sequence[str],
        upload: Upload,
        caller: Caller = NOBODY,
        steps: Steps = ALL_STEPS,
    ) -> Iterator[list[ModelResult]]:
        """Run models on a patch, one after another, each in a turn of its own.

        A model that fails says so in its own result, and the others go on.

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
        kept = _if_small(self.read(upload, caller))
        yield list(results.values())
        for name in results:
            try:
                model = self._model(name, caller)
                with self._work.turn(caller):
                    patch = kept if kept else self._read(upload)
                    results[name] = ModelResult(name, self._run(name, model, patch, None, steps))
            except LandslideZooError as error:
                results[name] = ModelResult(name, error=sentence(error))
            yield list(results.values())

    def _read(self, upload: Upload) -> Patch:
        return upload.read(self.settings.patch_side**2)

    def _model(
        self, name: str, caller: Caller, tqdm_class: type[tqdm] | None = None
    ) -> LoadedPredictor:
        """A model, pulled if need be while others run theirs."""
        pulled = self.zoo.entry(name).repo_id and name not in self.cache.names
        with self._pulls.turn(caller) if pulled else nullcontext():
            return self.cache.get(name, tqdm_class=tqdm_class)

    def _run(
        self,
        name: str,
        model: LoadedPredictor,
        patch: Patch,
        threshold: float | None,
        steps: Steps,
    ) -> Detection:
        try:
            detection = self._network.submit(detect, model, patch, threshold, steps).result()
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


def _if_small(patch: Patch) -> Patch | None:
    return patch if patch.values.nbytes <= SMALL else None
