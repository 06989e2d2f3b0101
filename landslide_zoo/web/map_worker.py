"""Mapping scenes that are not trusted, in a process of its own.

GDAL reads what a visitor uploads. A file that makes it crash, run on or fill the memory in
spite of all checks takes this process with it, not the app and its other visitors. A process
stays for the next scene, with its model in memory, and ends by itself when it is not needed.

The two sides speak JSON, a line each; pictures and results are files.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from landslide_zoo.errors import DataError, LandslideZooError, quoted
from landslide_zoo.io import write_whole
from landslide_zoo.settings import GIGABYTE, Settings
from landslide_zoo.web.worker_process import WorkerProcess, limit_memory

if TYPE_CHECKING:
    from landslide_zoo.inference.clouds import Clouds
    from landslide_zoo.inference.predict import LoadedPredictor
    from landslide_zoo.mapping.probabilities import State

Tell = Callable[[dict[str, Any]], None]
"""Is given every state of progress: its step, done, total, seconds_left."""

IDLE_SECONDS = 600.0
"""How long a process waits for the next scene."""
_POLL_SECONDS = 0.25
_GRACE_SECONDS = 10


class Gone(Exception):
    """Nobody waits for a map any more."""


@dataclass(frozen=True)
class Request:
    """What a visitor wants mapped, and how it is drawn.

    Attributes:
        scene: Path of a GeoTIFF or of the ZIP of a product.
        model: One of the zoo's names.
        dem: Path of its elevation raster, or None.
        before: Path of a scene from before the event, or None.
        clouds: ``mask`` or ``keep``.
        threshold: The model's own where None.
        minimum_area: Smallest landslide in hectares; that of the rules where None.
        rules_off: Attributes of the rules that are switched off, or ``all``.
        files: Whether files are written for a GIS; the map is seen sooner without.
        folder: Where files are written, and probabilities and pictures are kept for another
            threshold; empty before it was mapped.
    """

    scene: str
    model: str
    dem: str | None = None
    before: str | None = None
    clouds: Clouds = "mask"
    threshold: float | None = None
    minimum_area: float | None = None
    rules_off: Sequence[str] = ()
    files: bool = True
    folder: str = ""

    @property
    def inputs(self) -> list[Path]:
        """The files it is made from."""
        return [Path(path) for path in (self.scene, self.dem, self.before) if path]


class MapWorker(WorkerProcess):
    """A process that maps one scene after another; it is started by the first.

    Args:
        settings: What each may take, in time, memory and size.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        atexit.register(self.close)

    @property
    def seconds(self) -> float:
        """How long a map may take."""
        return 60 * self.settings.map_minutes

    def code(self) -> str:
        """What the process runs."""
        memory = int(self.settings.map_gb * GIGABYTE)
        return f"from {__name__} import serve; serve({math.ceil(self.seconds)}, {memory})"

    def run(
        self, request: Request, model: Path, waits: Callable[[], bool], tell: Tell
    ) -> dict[str, Any]:
        """Map a scene.

        Args:
            request: What is to be done, in which folder.
            model: Folder of the model.
            waits: Says whether anybody still waits for it; the process ends if not.
            tell: Is given every state of progress.

        Returns:
            What :func:`landslide_zoo.web.map_view.describe_map` says of it, and beside it
            ``pictures`` and ``files``, by their paths.

        Raises:
            LandslideZooError: If it cannot be mapped, takes too long, or breaks the process.
            Gone: If nobody waits any more.
        """
        process = self.start()
        assert process.stdin is not None and process.stdout is not None
        end = time.monotonic() + self.seconds
        name = quoted(Path(request.scene).name)
        try:
            pixels = int(self.settings.map_megapixels * 1e6)
            memory = self.settings.map_gb / 2  # the rest is for the network and the libraries
            job = json.dumps([asdict(request), str(model), pixels, memory])
            process.stdin.write(job.encode() + b"\n")
            process.stdin.flush()
            for line in _lines(process.stdout, waits, end):
                answer = json.loads(line)
                if "step" not in answer:
                    break
                tell(answer)
        except TimeoutError as error:
            self.close()
            raise DataError(
                f"{name} takes more than {self.settings.map_minutes:g} minutes here: cut it into "
                "parts, or map it with landslide-zoo map on a machine of your own."
            ) from error
        except (OSError, EOFError, ValueError) as error:  # the pipe ends in the middle
            self.close()
            raise DataError(
                f"{name} cannot be mapped (the process that read it broke off): cut it into parts, "
                "or rewrite it (gdal_translate -of COG)."
            ) from error
        except BaseException:  # what it is still at belongs to no later scene
            self.close()
            raise
        if "error" in answer:
            raise LandslideZooError(answer["error"])
        return dict(answer)


def _lines(stream: IO[bytes], waits: Callable[[], bool], end: float) -> Iterator[bytes]:
    """Lines as they come; raises where nobody waits, at the end of the time or of the stream."""
    rest = b""
    while True:
        if not waits():
            raise Gone
        if time.monotonic() > end:
            raise TimeoutError
        if select.select([stream], [], [], _POLL_SECONDS)[0]:
            read = os.read(stream.fileno(), 2**20)
            if not read:
                raise EOFError
            *lines, rest = (rest + read).split(b"\n")
            yield from lines


def serve(seconds: int, memory: int) -> None:
    """Be such a process: map the scenes that standard input names, until it ends."""
    # What libraries print is for the server's log; the answers have a pipe to themselves.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    import landslide_zoo.mapping.maps
    import landslide_zoo.web.map_view  # noqa: F401 - what takes seconds is done before it is needed

    limit_memory(memory)
    while select.select([sys.stdin], [], [], IDLE_SECONDS)[0]:
        line = sys.stdin.buffer.readline()
        if not line:
            return
        signal.alarm(seconds + _GRACE_SECONDS)  # which ends it, where the app was killed
        request, model, pixels, limit = json.loads(line)
        _send(answers, _answer(Request(**request), model, pixels, limit, answers))
        signal.alarm(0)


def _send(stream: IO[bytes], answer: dict[str, Any]) -> None:
    content = memoryview(json.dumps(answer).encode() + b"\n")
    while content:
        content = content[stream.write(content) :]


def _answer(
    request: Request, model: str, pixels: int, memory: float, stream: IO[bytes]
) -> dict[str, Any]:
    name = quoted(Path(request.scene).name)
    try:
        return _mapped(request, model, pixels, memory, lambda state: _send(stream, asdict(state)))
    except LandslideZooError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": f"{name} takes too much memory to map: cut it into parts."}
    except Exception as error:
        traceback.print_exc()  # for whoever runs the app
        return {
            "error": f"{name} could not be mapped ({type(error).__name__}): "
            "the server's log says more."
        }


def _mapped(
    request: Request, model: str, pixels: int, memory: float, tell: Callable[[State], None]
) -> dict[str, Any]:
    from landslide_zoo.mapping import map_scene, open_scene
    from landslide_zoo.web.map_view import describe_map, write_pictures

    folder, asked = Path(request.folder, ".page"), asdict(request)
    pictures, last = folder / "pictures.json", folder / "answer.json"
    if last.is_file():
        before = json.loads(last.read_text(encoding="utf-8"))
        if before["request"] in (asked, asked | {"files": True}):
            return dict(before["answer"])
    with open_scene(request.scene, dem=request.dem) as scene:
        height, width = scene.size
        if height * width > pixels:
            raise DataError(
                f"{scene.name} is {height} x {width} pixels, more than the {pixels / 1e6:g} "
                "million that are taken here: cut it into parts, or use landslide-zoo map."
            )
        made = map_scene(
            scene,
            request.folder,
            model=_model(model),
            before=request.before,
            threshold=request.threshold,
            minimum_area=request.minimum_area,
            memory=memory,
            rules_off=request.rules_off,
            clouds=request.clouds,
            write=request.files,
            progress=tell,
        )
        if not pictures.is_file():
            drawn = write_pictures(scene, made.probabilities, folder)
            write_whole(pictures, json.dumps(drawn))
        answer = describe_map(scene, made)
    drawn = json.loads(pictures.read_text(encoding="utf-8"))
    answer["pictures"] = [{**one, "file": str(folder / one["file"])} for one in drawn]
    answer["files"] = [str(path) for path in made.files]
    write_whole(last, json.dumps({"request": asked, "answer": answer}))
    return answer


@lru_cache(maxsize=1)
def _model(folder: str) -> LoadedPredictor:
    from landslide_zoo.inference.backends import load_predictor

    return load_predictor(Path(folder))
