"""Mapping scenes that are not trusted, in a process of its own.

GDAL reads what a visitor uploads. A file that makes it crash, run on or fill the memory in
spite of all checks takes this process with it, not the app and its other visitors. A process
stays for the next scene, with its model in memory, and ends by itself when it is not needed.

The two sides speak JSON, a line each; pictures and results are files.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from landslide_zoo.data.readers.worker import limit_memory
from landslide_zoo.errors import DataError, LandslideZooError, quoted
from landslide_zoo.web.turns import Gone

if TYPE_CHECKING:
    from landslide_zoo.mapping.progress import State
    from landslide_zoo.models import LoadedPredictor

IDLE_SECONDS = 600.0
"""How long a process waits for the next scene."""
_POLL_SECONDS = 0.25
_GRACE_SECONDS = 10
_PICTURES = "layers.json"


@dataclass(frozen=True)
class Job:
    """A scene to be mapped.

    Attributes:
        scene: Path of a GeoTIFF, or of the ZIP of a product.
        dem: Path of its elevation raster, or None.
        before: Path of a scene from before the event, or None.
        model: Folder of the model.
        name: What the zoo calls the model.
        clouds: ``mask`` or ``keep``.
        threshold: The model's own where None.
        minimum_area: Smallest landslide in hectares; that of the rules where None.
        rules_off: Attributes of the rules that are switched off, or ``all``.
        folder: Where the files are written, and probabilities and pictures kept for another
            threshold.
        pixels: A scene of more pixels is refused.
        files: Whether the files are written; if not, they are when they are asked for.
    """

    scene: str
    dem: str | None
    before: str | None
    model: str
    name: str
    clouds: Literal["mask", "keep"]
    threshold: float | None
    minimum_area: float | None
    rules_off: Sequence[str]
    folder: str
    pixels: int
    files: bool


@dataclass(frozen=True)
class Limits:
    """What a job may take.

    Attributes:
        seconds: By the clock.
        memory: Bytes beside those of the program itself.
    """

    seconds: float
    memory: int


class MapWorker:
    """A process that maps one scene after another; it is started by the first.

    Args:
        limits: What each may take.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    def run(
        self, job: Job, waits: Callable[[], bool], tell: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """Map a scene.

        Args:
            job: What is to be done.
            waits: Says whether anybody still waits for it; the process ends if not.
            tell: Is given every state of progress: its step, done, total, seconds_left.

        Returns:
            What :func:`landslide_zoo.web.map_view.describe_map` says of it, and beside it
            ``pictures`` and ``files``, by their paths.

        Raises:
            LandslideZooError: If it cannot be mapped, takes too long, or breaks the process.
            Gone: If nobody waits any more.
        """
        process = self.start()
        assert process.stdin is not None and process.stdout is not None
        end = time.monotonic() + self.limits.seconds
        name = quoted(Path(job.scene).name)
        try:
            process.stdin.write(json.dumps(asdict(job)).encode() + b"\n")
            process.stdin.flush()
            for line in _lines(process.stdout, waits, end):
                answer = json.loads(line)
                if "step" not in answer:
                    break
                tell(answer)
        except Gone:  # a ValueError, as Gradio has it
            self.close()
            raise
        except TimeoutError as error:
            self.close()
            raise DataError(
                f"{name} takes more than {self.limits.seconds / 60:g} minutes here: cut it into "
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

    def start(self) -> subprocess.Popen[bytes]:
        """The process; a new one where there is none, or it has ended."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            seconds, memory = math.ceil(self.limits.seconds), self.limits.memory
            code = f"from {__name__} import serve; serve({seconds}, {memory})"
            # Whoever takes it over by a file finds no credentials.
            known = {name: value for name, value in os.environ.items() if "TOKEN" not in name}
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=known | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,  # an interrupt at the terminal is for the app
            )
        return self._process

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        process.kill()
        process.wait()
        process.stdout.close()
        with contextlib.suppress(OSError):  # what was not sent is not missed
            process.stdin.close()


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
        _send(answers, _answer(Job(**json.loads(line)), answers))
        signal.alarm(0)


def _send(stream: IO[bytes], answer: dict[str, Any]) -> None:
    content = memoryview(json.dumps(answer).encode() + b"\n")
    while content:
        content = content[stream.write(content) :]


def _answer(job: Job, stream: IO[bytes]) -> dict[str, Any]:
    name = quoted(Path(job.scene).name)
    try:
        return _mapped(job, lambda state: _send(stream, asdict(state)))
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


def _mapped(job: Job, tell: Callable[[State], None]) -> dict[str, Any]:
    from landslide_zoo.mapping import Probabilities, map_scene, open_scene
    from landslide_zoo.web.map_view import describe_map, write_pictures

    folder = Path(job.folder) / ".page"
    pictures = folder / _PICTURES
    with open_scene(job.scene, dem=job.dem) as scene:
        height, width = scene.size
        if height * width > job.pixels:
            raise DataError(
                f"{scene.name} is {height} x {width} pixels, more than the {job.pixels / 1e6:g} "
                "million that are taken here: cut it into parts, or use landslide-zoo map."
            )
        made = map_scene(
            scene,
            job.folder,
            model=_model(job.model),
            before=job.before,
            threshold=job.threshold,
            minimum_area=job.minimum_area,
            rules_off=job.rules_off,
            clouds=job.clouds,
            write=job.files,
            progress=tell,
        )
        if not pictures.is_file():
            found = Probabilities(Path(job.folder, f".{made.name}.work"), scene.size, scene.grid)
            drawn = write_pictures(scene, found, folder)
            pictures.write_text(json.dumps(drawn), encoding="utf-8")
        answer = describe_map(scene, made)
    drawn = json.loads(pictures.read_text(encoding="utf-8"))
    shown = [{**one, "file": str(folder / one["file"])} for one in drawn]
    return {**answer, "pictures": shown, "files": [str(path) for path in made.files]}


@lru_cache(maxsize=1)
def _model(folder: str) -> LoadedPredictor:
    from landslide_zoo.inference.backends import load_predictor

    return load_predictor(Path(folder))
