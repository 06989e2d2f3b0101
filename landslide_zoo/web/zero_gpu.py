"""ZeroGPU: on a Space that has it, networks run on a GPU that is lent for each batch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from landslide_zoo.inference.predict import LoadedPredictor, PatchPredictor
from landslide_zoo.models.config import PredictorConfig
from landslide_zoo.models.record import Record
from landslide_zoo.web import on_gpu
from landslide_zoo.zoo.zoo import ModelZoo

logger = logging.getLogger(__name__)

_HELD = 8
"""Models that a process with a GPU keeps."""

Runner = Callable[[str, np.ndarray], np.ndarray]
"""From a model's name and values (N, B, H, W) to probabilities (N, H, W)."""


def gpu_runner(zoo: ModelZoo) -> Runner | None:
    """A function that runs a model of a zoo on a lent GPU; None where there is no ZeroGPU.

    It runs in a process that is forked when a GPU is lent, and that has its own models.
    """

    @lru_cache(maxsize=_HELD)
    def load(name: str) -> LoadedPredictor:
        return zoo.load(name, device="cuda", backend="auto")

    def run(name: str, values: np.ndarray) -> np.ndarray:
        return load(name).probabilities(values)

    runner: Runner = on_gpu(run)
    return runner if hasattr(runner, "zerogpu") else None


@dataclass(eq=False)
class LentGpuPredictor(PatchPredictor):
    """A model that runs on a lent GPU, and here where none is to be had.

    Attributes:
        name: Its name in the zoo.
        model: The same, on this machine's processor.
        runner: Runs it on the GPU.
        backend: What computed it last.
        record: That of the model.
    """

    name: str
    model: LoadedPredictor
    runner: Runner
    backend: str = field(default="ZeroGPU", init=False)
    record: Record | None = field(init=False)

    def __post_init__(self) -> None:
        self.record = self.model.record

    @property
    def config(self) -> PredictorConfig:
        """That of the model."""
        return self.model.config

    @property
    def nbytes(self) -> int:
        """Bytes of the model's weights."""
        return self.model.nbytes

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Probabilities (N, H, W), float32, from bands (N, B, H, W)."""
        try:
            found = self.runner(self.name, values)
            self.backend = "ZeroGPU"
        # None was free, the visitor's share is used up, or the model failed: here it is told.
        except Exception as error:
            logger.warning("No GPU for %s (%s): it runs on the processor", self.name, error)
            found = self.model.probabilities(values)
            self.backend = self.model.backend
        return found
