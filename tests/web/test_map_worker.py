"""Maps for visitors, without the page: processes, their bounds, and what is kept."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import rasterio

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.settings import Settings
from landslide_zoo.web import map_worker
from landslide_zoo.web.app import build_app
from landslide_zoo.web.map_worker import Mapped, MapService, Request
from landslide_zoo.web.samples import PUTHUMALA
from landslide_zoo.web.service import Service
from landslide_zoo.zoo import ModelZoo


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where maps are kept."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    return tmp_path / "uploads"


@contextmanager
def maps(**settings: Any) -> Iterator[MapService]:
    """A service whose processes end."""
    service = MapService(Service(ModelZoo(), Settings(**settings)))
    try:
        yield service
    finally:
        service._pool.stop()
        service._pool.join()


@pytest.fixture(scope="module")
def service() -> Iterator[MapService]:
    with maps() as service:
        yield service


def sample(**changes: Any) -> Request:
    return replace(
        Request(str(PUTHUMALA.path), ModelZoo().default, str(PUTHUMALA.dem), files=False), **changes
    )


def finish(work: Iterator[object]) -> Mapped:
    *_, made = work
    assert isinstance(made, Mapped)
    return made


def picture(path: Path, side: int) -> str:
    """A true-colour raster of random numbers, without a place."""
    values = np.random.default_rng(0).integers(1, 2000, (3, side, side), dtype=np.uint16)
    profile = {"driver": "GTiff", "height": side, "width": side, "count": 3, "dtype": "uint16"}
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)
        file.descriptions = ("B4", "B3", "B2")
    return str(path)


def until(reached: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + 120
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.2)


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_another_threshold_draws_again_without_the_network(
    folder: Path, service: MapService
) -> None:
    texts = set()
    for state in service.map_scene(sample()):
        texts |= {getattr(state, "text", "")}
    assert any(text.startswith("Looking for landslides") for text in texts)
    assert isinstance(state, Mapped) and state.files == []
    largest = state.page["landslides"][0]
    x, y = np.mean(largest["rings"][0][0], axis=0)
    assert 340 < x < 500 and 70 < y < 165
    texts.clear()
    for again in service.map_scene(replace(state.request, threshold=0.9, files=True)):
        texts |= {getattr(again, "text", "")}
    assert isinstance(again, Mapped) and again.pictures == state.pictures
    assert not any(text.startswith("Looking") for text in texts)
    areas = [one.page["figures"]["area_hectares"] for one in (again, state)]
    assert 0 < areas[0] < areas[1]
    assert len(again.files) == 5 and all(Path(path).is_file() for path in again.files)


def test_what_cannot_be_mapped_is_refused_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    large, short = picture(tmp_path / "large.tif", 400), tmp_path / "short.tif"
    short.write_bytes(PUTHUMALA.path.read_bytes()[:200_000])
    with maps(map_megapixels=0.15) as service:
        for scene, words in ((large, "more than"), (short, "damaged")):
            with pytest.raises(LandslideZooError, match=words):
                finish(service.map_scene(sample(scene=str(scene), dem=None)))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "words"), [({"map_minutes": 0.001}, "minutes"), ({"map_gb": 0.001}, r"\.tif")]
)
def test_time_and_memory_are_bounded(
    folder: Path, tmp_path: Path, settings: dict[str, float], words: str
) -> None:
    scene = picture(tmp_path / "scene.tif", 1000)
    with maps(**settings) as service, pytest.raises(LandslideZooError, match=words):
        finish(service.map_scene(sample(scene=scene, dem=None)))


def test_a_map_that_is_given_up_or_lost_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    scene = picture(tmp_path / "scene.tif", 1000)
    resource_tracker.ensure_running()  # it outlives a pool: not to be killed with it
    others = set(psutil.Process().children(recursive=True))  # a browser, the app of other tests
    with maps() as service:
        for lose in (False, True):
            work = service.map_scene(sample(scene=scene, dem=None))
            while "network" not in str(next(work)) and "landslides" not in str(next(work)):
                pass
            if lose:
                for process in set(psutil.Process().children(recursive=True)) - others:
                    process.kill()
                with pytest.raises(LandslideZooError, match="cannot be mapped"):
                    finish(work)
            else:
                work.close()  # type: ignore[attr-defined]
    until(lambda: list(folder.iterdir()) == [])


def test_a_killed_app_leaves_no_process(folder: Path, tmp_path: Path) -> None:
    scene = picture(tmp_path / "scene.tif", 1000)
    code = (
        "import time; from landslide_zoo.settings import Settings\n"
        "from landslide_zoo.web.map_worker import *\n"
        "from landslide_zoo.zoo import ModelZoo\n"
        "maps = MapService(Service(ModelZoo(), Settings()))\n"
        f"work = maps.map_scene(Request({scene!r}, maps.service.zoo.default))\n"
        "while next(work).text == 'Opening the scene': pass\n"
        "print('working', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as app:
        assert app.stdout is not None and app.stdout.readline() == b"working\n"
        workers = psutil.Process(app.pid).children(recursive=True)
        app.kill()
    assert workers
    until(lambda: all(ended(one) for one in workers))


def test_without_the_packages_the_tab_says_how_to_install(
    service: MapService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_worker, "NEEDED", ("no_such_package",))
    with pytest.raises(LandslideZooError, match="landslide-zoo"):
        finish(service.map_scene(sample()))
    blocks = build_app(Service(ModelZoo(), Settings())).blocks.values()
    said = [str(getattr(block, "value", "")) for block in blocks]
    assert any("landslide-zoo[map]" in text for text in said)
