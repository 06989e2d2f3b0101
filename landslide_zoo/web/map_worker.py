"""Maps for visitors, each made in a process of its own: GDAL reads what they upload.

A file that makes GDAL crash, run on or fill the memory in spite of all checks takes that
process with it, not the app. A process stays for the next scene, with its model in memory.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import cache, cached_property, lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pebble import ProcessPool
from tqdm.auto import tqdm

from landslide_zoo.data.safe_read import worker_pool
from landslide_zoo.errors import DataError, LandslideZooError, quoted
from landslide_zoo.io import write_whole
from landslide_zoo.mapping import NEEDED
from landslide_zoo.settings import GIGABYTE
from landslide_zoo.web.components import new_folder
from landslide_zoo.web.service import Service

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from landslide_zoo.inference.predict import LoadedPredictor
    from landslide_zoo.mapping.probabilities import State
    from landslide_zoo.scenes.area import Box
    from landslide_zoo.settings import Clouds

logger = logging.getLogger(__name__)

MAPS_AT_WORK = 2
"""Scenes mapped at once: another threshold need not wait behind a large scene."""
HOW_TO_INSTALL = (
    "Maps need further packages, which are not installed here: pip install 'landslide-zoo[map]'."
)
_POLL_SECONDS = 0.25
_PROGRESS = ".progress.json"
_STEPS = {
    "clouds": "Looking for clouds",
    "network": "Looking for landslides",
    "landslides": "Drawing outlines",
    "files": "Writing files",
}


@dataclass(frozen=True)
class Request:
    """What a visitor wants mapped.

    Attributes:
        scene: Path of a GeoTIFF or of the ZIP of a product.
        model: One of the zoo's names.
        dem: Path of its elevation raster, or None.
        before: Path of a scene from before the event, or None.
        aoi: Only the part around this is mapped, as ``west,south,east,north`` in degrees; all
            of the scene where it is empty.
        clouds: ``mask`` or ``keep``.
        threshold: The model's own where None.
        minimum_area: Smallest landslide in hectares; that of the rules where None.
        rules_off: Attributes of the rules that are switched off, or ``all``.
        files: Whether files are written for a GIS; the map is seen sooner without.
        folder: Where files, probabilities and pictures are kept, for another threshold; empty
            before it was mapped.
    """

    scene: str
    model: str
    dem: str | None = None
    before: str | None = None
    aoi: str = ""
    clouds: Clouds = "mask"
    threshold: float | None = None
    minimum_area: float | None = None
    rules_off: Sequence[str] = ()
    files: bool = True
    folder: str = ""


@dataclass(frozen=True)
class Progress:
    """How far a map is.

    Attributes:
        text: What is done now, and how much longer it takes.
        done: Parts of it that are done.
        total: All of its parts.
    """

    text: str
    done: int = 0
    total: int = 1


@dataclass(frozen=True)
class Mapped:
    """A map that was made.

    Attributes:
        request: What was asked for, with its folder, to draw it again by.
        page: What :func:`landslide_zoo.web.map_view.describe_map` says of it.
        pictures: Its layers; the ``file`` of each is a path.
        files: Paths of the files for a GIS.
    """

    request: Request
    page: dict[str, Any]
    pictures: list[dict[str, Any]]
    files: list[str]


def available() -> bool:
    """Whether the packages are there that maps need; none of them is imported here."""
    return all(find_spec(name) for name in NEEDED)


class MapService:
    """Maps scenes in processes of their own.

    Args:
        service: The zoo and the bounds.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    @cached_property
    def _pool(self) -> ProcessPool:
        return worker_pool(MAPS_AT_WORK, int(self.service.settings.map_gb * GIGABYTE))

    def warm_up(self) -> None:
        """Start a process, which takes seconds, before there is a scene for it."""
        self._pool.schedule(_start)

    def map_scene(
        self, request: Request, tqdm_class: type[tqdm] | None = None
    ) -> Iterator[Progress | Mapped]:
        """Map a scene, or draw one again that was mapped. Closing the iterator ends the work.

        Args:
            request: What to map; with a folder, what was mapped there is drawn again.
            tqdm_class: Progress bar of the model's download, if there is one.

        Yields:
            How far it is, a few times a second, and at last the map.

        Raises:
            LandslideZooError: If it cannot be mapped, takes too long or breaks its process.
        """
        if not available():
            raise LandslideZooError(HOW_TO_INSTALL)
        model = self.service.folder(request.model, tqdm_class)
        new = not request.folder or not Path(request.folder).is_dir()
        if new:
            request = replace(request, folder=str(new_folder()))
        Path(request.folder, _PROGRESS).unlink(missing_ok=True)  # of the time before
        settings, name = self.service.settings, quoted(Path(request.scene).name)
        # Half of the memory is for the network and the libraries.
        work = self._pool.schedule(
            _map,
            (request, model, int(settings.map_megapixels * 1e6), max(1.0, settings.map_gb / 2)),
            timeout=60 * settings.map_minutes,
        )
        made = None
        try:
            now = Progress("Opening the scene")
            while not wait([work], _POLL_SECONDS).done:
                with suppress(FileNotFoundError):
                    now = Progress(**json.loads(Path(request.folder, _PROGRESS).read_text()))
                yield now
            made = work.result()
        except LandslideZooError:
            raise
        except Exception as error:  # too long, too much memory, a broken process, a library's own
            logger.exception("%s could not be mapped", name)
            raise DataError(
                f"{name} cannot be mapped here ({type(error).__name__}; a map may take "
                f"{settings.map_minutes:g} minutes and {settings.map_gb:g} GB): cut it into parts, "
                "or rewrite it (gdal_translate -of COG)."
            ) from error
        finally:
            work.cancel()  # which ends its process, where it is still at work
            if new and made is None:
                shutil.rmtree(request.folder, ignore_errors=True)
        made.page["figures"]["model"] = request.model
        yield made


def _start() -> None:
    """Load what takes seconds, and end with the app, however it ends."""
    import landslide_zoo.mapping.maps
    import landslide_zoo.web.map_view  # noqa: F401

    _end_with_the_app()


@cache
def _end_with_the_app() -> None:
    def watch(app: BaseProcess) -> None:
        app.join()
        os._exit(1)

    if app := multiprocessing.parent_process():
        threading.Thread(target=watch, args=[app], daemon=True).start()


def _map(request: Request, model: Path, pixels: int, memory: float) -> Mapped:
    """Map a scene, in a process of the pool."""
    from landslide_zoo.mapping import map_scene, open_scene
    from landslide_zoo.web.map_view import describe_map, write_pictures

    _end_with_the_app()
    reported = 0.0

    def report(state: State) -> None:
        nonlocal reported
        if time.monotonic() < reported + _POLL_SECONDS:
            return
        reported = time.monotonic()
        text = _STEPS.get(state.step, _STEPS["landslides"])
        if state.seconds_left and state.seconds_left >= 1:
            text += f", {timedelta(seconds=round(state.seconds_left))} left"
        now = Progress(text, state.done, state.total or 1)
        write_whole(Path(request.folder, _PROGRESS), json.dumps(asdict(now)))

    folder = Path(request.folder, ".page")
    listed = folder / "pictures.json"
    # What strangers lay beside a raster does not count, and a bound is checked by its header.
    with open_scene(
        request.scene,
        request.dem,
        aoi=_box(request.aoi),
        companions=False,
        max_pixels=pixels,
    ) as scene:
        mapped = partial(
            map_scene,
            scene,
            request.folder,
            model=_model(model),
            before=request.before,
            minimum_area=request.minimum_area,
            rules_off=request.rules_off,
            clouds=request.clouds,
            memory=memory,
            progress=report,
        )
        made = mapped(threshold=request.threshold, write=request.files)
        # What the model half believes is for the eye, not for files.
        half = None if request.files else mapped(threshold=made.threshold / 2, write=False)
        if not listed.is_file():
            drawn = write_pictures(scene, made.probabilities, folder)
            write_whole(listed, json.dumps(drawn))
        pictures = json.loads(listed.read_text(encoding="utf-8"))
        return Mapped(
            request,
            describe_map(scene, made, half),
            [{**picture, "file": str(folder / picture["file"])} for picture in pictures],
            [str(path) for path in made.files],
        )


def _box(text: str) -> Box | None:
    """A rectangle as a visitor writes it: never a file of the server's."""
    from landslide_zoo.scenes.area import box_of

    box = box_of(text) if text.strip() else None
    if text.strip() and box is None:
        raise DataError(f"{quoted(text)} is no area: give west,south,east,north in degrees.")
    return box


@lru_cache(maxsize=1)
def _model(folder: Path) -> LoadedPredictor:
    from landslide_zoo.inference.backends import load_predictor

    return load_predictor(folder)
