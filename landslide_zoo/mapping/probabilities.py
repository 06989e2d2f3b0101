"""The probabilities of a whole scene in a file, and how far the work on a map is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyogrio.errors import DataLayerError, DataSourceError
from rasterio.errors import RasterioError

from landslide_zoo.data.patch import Grid
from landslide_zoo.errors import DataError
from landslide_zoo.io import staged
from landslide_zoo.scenes.rasters import Window

_CLOUD = np.float32(-1)
"""Stands for a probability under cloud; not a number where there is no data."""


@dataclass(frozen=True)
class State:
    """How far one step of a map is.

    Attributes:
        step: Which one, in a word or two: ``clouds``, ``network``, ``landslides``, ``files``.
        done: Parts of it that are done.
        total: All of its parts.
        seconds_left: Time that the rest of it will take; None before the first part is done.
    """

    step: str
    done: int
    total: int
    seconds_left: float | None = None


Listener = Callable[[State], None]
"""Is called with the state after every part that is done."""


class Progress:
    """Reports to a listener how far the work is.

    Args:
        listener: Is called with every state.
    """

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener
        self._state = State("", 0, 0)
        self._started = 0.0

    def start(self, step: str, total: int) -> None:
        """Begin a step."""
        self._started = time.monotonic()
        self._report(State(step, 0, total))

    def advance(self) -> None:
        """One more part is done."""
        step, total, done = self._state.step, self._state.total, self._state.done + 1
        seconds_each = (time.monotonic() - self._started) / done
        self._report(State(step, done, total, seconds_each * (total - done)))

    def _report(self, state: State) -> None:
        self._state = state
        if self._listener:
            self._listener(state)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is written into one sentence.

    Raises:
        DataError: In place of the errors of the system, of GDAL and of its drivers.
    """
    try:
        yield
    except (OSError, RasterioError, DataSourceError, DataLayerError) as error:
        raise DataError(
            f"{path} cannot be written ({getattr(error, 'strerror', None) or error}): free some "
            "space, or choose another folder."
        ) from error


@dataclass(frozen=True, eq=False)
class SceneWindow:
    """What is known of a window of a scene.

    Attributes:
        probability: The network's landslide probability, shape (h, w), float32, 0 to 1;
            it means nothing where a pixel is not observed.
        observed: Pixels that could be seen, shape (h, w), bool: measured and not under cloud.
        cloud: Pixels under cloud, shape (h, w), bool.
    """

    probability: np.ndarray
    observed: np.ndarray
    cloud: np.ndarray


@dataclass(frozen=True, eq=False)
class Probabilities:
    """The probabilities of a scene, in a file that is there only when it is whole.

    Attributes:
        path: The file, an array of numpy's.
        size: Height and width of the scene in pixels.
        grid: Its coordinate system, transform and pixel size.
    """

    path: Path
    size: tuple[int, int]
    grid: Grid

    def read(self, window: Window) -> SceneWindow:
        """What is known of a window that lies inside the scene."""
        # Mapped anew each time: pages that stay mapped count as memory of this process.
        values = np.array(np.load(self.path, mmap_mode="r")[window.slices])
        return SceneWindow(values, values >= 0, values < 0)

    def write(self, probability: np.ndarray, measured: np.ndarray, cloud: np.ndarray) -> None:
        """Write the file.

        Args:
            probability: Shape (H, W), float32, 0 to 1; changed where nothing is observed.
            measured: Pixels that hold data, under cloud or not, shape (H, W), bool.
            cloud: Pixels under cloud, likewise.

        Raises:
            DataError: If it cannot be written.
        """
        probability[~measured] = np.nan
        probability[cloud] = _CLOUD
        with staged(self.path) as new:
            np.save(new, probability)
