"""What every tab and endpoint shares: the zoo, its models in memory, and running them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from tqdm.auto import tqdm

from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import LandslideZooError, ModelError
from landslide_zoo.hub.zoo import ModelZoo
from landslide_zoo.inference.cache import ModelCache
from landslide_zoo.inference.result import Detection, ModelResult, detect
from landslide_zoo.web.settings import GIGABYTE, Settings

logger = logging.getLogger(__name__)


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

    def detect(
        self,
        name: str | None,
        patch: Patch,
        threshold: float | None = None,
        tqdm_class: type[tqdm] | None = None,
    ) -> Detection:
        """Run a model of the zoo on a patch.

        Args:
            name: One of the zoo's names; its first where None.
            patch: What to look at.
            threshold: The model's own where None.
            tqdm_class: Progress bar of the model's download, if there is one.

        Raises:
            LandslideZooError: If the model cannot be had or cannot take the patch.
        """
        name = name or self.default
        try:
            model = self.cache.get(name, tqdm_class=tqdm_class)
            detection = self._network.submit(detect, model, patch, threshold).result()
        except LandslideZooError:
            raise
        except Exception as error:
            logger.exception("%s failed on %s", name, patch.name)
            raise ModelError(
                f"{name} failed on {patch.name} ({type(error).__name__}): choose another model; "
                "the server's log says more."
            ) from error
        # Two sources may hold one network: the zoo's name tells them apart.
        return replace(detection, prediction=replace(detection.prediction, model=name))

    def compare(self, names: Sequence[str], patch: Patch) -> Iterator[list[ModelResult]]:
        """Run models on a patch, one after another.

        A model that fails says so in its own result, and the others go on.

        Yields:
            The results of all models, first with none run, then after each.
        """
        results = [ModelResult(name) for name in names]
        yield list(results)
        for place, name in enumerate(names):
            try:
                results[place] = ModelResult(name, detection=self.detect(name, patch))
            except LandslideZooError as error:
                results[place] = ModelResult(name, error=str(error))
            yield list(results)
