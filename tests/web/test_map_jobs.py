"""Mapping for visitors, without the page: processes, their bounds, and what is kept."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import rasterio
from rasterio.warp import transform

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.settings import Settings
from landslide_zoo.web import map_jobs
from landslide_zoo.web.app import build_app
from landslide_zoo.web.downloads import new_folder
from landslide_zoo.web.map_jobs import MapService
from landslide_zoo.web.map_worker import Gone, MapWorker, Request
from landslide_zoo.web.samples import PUTHUMALA
from landslide_zoo.web.service import Service
from landslide_zoo.zoo.zoo import ModelZoo


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MapService]:
    """Maps with the bundled models; files lie in a folder of the test's own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        made = MapService(Service(ModelZoo(), Settings()))
        yield made
        made.close()


@pytest.fixture
def wanted(maps: MapService) -> Request:
    """The sample, uploaded."""
    scene, dem = (shutil.copy(path, new_folder()) for path in (PUTHUMALA.path, PUTHUMALA.dem))
    return Request(str(scene), maps.service.zoo.default, str(dem))


def picture(path: Path, side: int, **profile: Any) -> Path:
    """A true-colour raster of random numbers."""
    values = np.random.default_rng(0).integers(1, 2000, (3, side, side), dtype=np.uint16)
    options = {"driver": "GTiff", "height": side, "width": side, "count": 3, "dtype": "uint16"}
    with rasterio.open(path, "w", **{**options, **profile}) as file:
        file.write(values)
        file.descriptions = ("B4", "B3", "B2")
    return path


def test_another_threshold_draws_again_without_the_network(
    maps: MapService, wanted: Request
) -> None:
    steps: list[str] = []
    tell = lambda state: steps.append(state["step"])  # noqa: E731
    kept, first = maps.map_scene(wanted, tell)
    assert "network" in steps
    steps.clear()
    stricter = replace(kept, threshold=0.9)
    again, second = maps.map_scene(stricter, tell)
    assert again == stricter
    assert steps and "network" not in steps and "clouds" not in steps
    assert second["figures"]["threshold"] == 0.9
    assert 0 < second["figures"]["area_hectares"] < first["figures"]["area_hectares"]
    assert second["pictures"] == first["pictures"]
    steps.clear()
    assert maps.map_scene(stricter, tell)[1] == second and steps == []  # nothing at all
    _, third = maps.map_scene(replace(kept, minimum_area=5))
    assert third["figures"]["objects"] == 1 < first["figures"]["objects"]


def test_files_are_written_when_they_are_asked_for(maps: MapService, wanted: Request) -> None:
    steps: list[str] = []
    tell = lambda state: steps.append(state["step"])  # noqa: E731
    kept, seen = maps.map_scene(replace(wanted, threshold=0.8, files=False), tell)
    assert seen["files"] == [] and "files" not in steps
    assert not list(Path(kept.folder).glob("*.*g"))
    _, answer = maps.map_scene(replace(kept, files=True), tell)
    assert steps[-1] == "files"
    assert all(Path(path).is_file() for path in answer["files"])
    assert answer["landslides"] == seen["landslides"] and len(seen["landslides"]) > 0
    steps.clear()
    assert maps.map_scene(replace(kept, files=True), tell)[1] == answer and steps == []


def test_the_sample_shows_its_debris_flow(maps: MapService, wanted: Request) -> None:
    _, answer = maps.map_scene(wanted)
    largest = answer["landslides"][0]
    (x, y) = np.mean([corner for corner in largest["rings"][0][0]], axis=0)
    assert 340 < x < 500 and 70 < y < 165
    assert 0.05 < answer["figures"]["cloud"] < 0.3
    longitude, latitude = answer["degrees"][0][0]
    with rasterio.open(PUTHUMALA.path) as file:
        left, _, _, top = file.bounds
        xs, ys = transform(file.crs, "EPSG:4326", [left], [top])
    assert (longitude, latitude) == pytest.approx((xs[0], ys[0]), abs=1e-6)


def test_a_scene_that_is_too_large_or_damaged_is_refused(
    maps: MapService, tmp_path: Path, wanted: Request
) -> None:
    large = tmp_path / "large.tif"
    profile = {"driver": "GTiff", "height": 9000, "width": 9000, "count": 3, "dtype": "uint16"}
    with rasterio.open(large, "w", sparse_ok=True, tiled=True, **profile) as file:
        file.write(np.ones((3, 16, 16), np.uint16), window=((0, 16), (0, 16)))
    short = tmp_path / "short.tif"
    short.write_bytes(PUTHUMALA.path.read_bytes()[:200_000])
    for scene, words in ((large, "more than the 25 million"), (short, "cut short or damaged")):
        with pytest.raises(LandslideZooError, match=words):
            maps.map_scene(replace(wanted, scene=str(scene), dem=None))


def test_what_was_deleted_is_asked_for_again(maps: MapService, wanted: Request) -> None:
    with pytest.raises(LandslideZooError, match="was deleted meanwhile"):
        maps.map_scene(replace(wanted, scene="gone.tif"))


def test_a_scene_without_a_place_is_mapped_in_pixels(
    maps: MapService, tmp_path: Path, wanted: Request
) -> None:
    scene = picture(tmp_path / "no place.tif", 200)
    _, answer = maps.map_scene(replace(wanted, scene=str(scene), dem=None))
    assert answer["degrees"] is None and answer["size"] == [200, 200]


@pytest.fixture
def work(maps: MapService, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Let a process map a picture of so many pixels a side."""
    entry = maps.service.zoo.entry(maps.service.zoo.default)

    def run(
        worker: MapWorker,
        side: int,
        waits: Callable[[], bool] = lambda: True,
        tell: Callable[[dict[str, Any]], None] = print,
    ) -> dict[str, Any]:
        scene = picture(tmp_path / "scene.tif", side)
        request = Request(str(scene), entry.name, folder=str(tmp_path / "folder"))
        assert entry.folder is not None
        return worker.run(request, entry.folder, waits, tell)

    return run


def test_too_long_a_job_ends_its_process_and_the_next_has_a_new_one(
    work: Callable[..., dict[str, Any]],
) -> None:
    worker = MapWorker(Settings(map_minutes=0.001))
    process = worker.start()
    with pytest.raises(LandslideZooError, match="takes more than"):
        work(worker, 64)
    assert not psutil.pid_exists(process.pid)
    worker.settings = Settings()
    assert work(worker, 64)["size"] == [64, 64]
    worker.close()


def test_a_job_that_nobody_waits_for_ends_at_once(work: Callable[..., dict[str, Any]]) -> None:
    worker = MapWorker(Settings())
    process = worker.start()
    states: list[dict[str, Any]] = []
    began = time.monotonic()
    with pytest.raises(Gone):
        work(worker, 1500, lambda: not states, states.append)
    assert not psutil.pid_exists(process.pid)
    assert states[0]["done"] < states[0]["total"] and time.monotonic() - began < 120


def test_a_process_that_is_lost_is_a_sentence(work: Callable[..., dict[str, Any]]) -> None:
    worker = MapWorker(Settings())
    process = worker.start()
    with pytest.raises(LandslideZooError, match="broke off"):
        work(worker, 1500, tell=lambda _: process.kill())


def test_memory_is_bounded(work: Callable[..., dict[str, Any]]) -> None:
    worker = MapWorker(Settings(map_gb=0.001))
    with pytest.raises(LandslideZooError):  # which step runs out of it is left open
        work(worker, 1500)
    worker.close()


def test_without_the_packages_the_tab_says_how_to_install(
    maps: MapService, wanted: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_jobs, "NEEDED", ("no_such_package",))
    with pytest.raises(LandslideZooError, match="landslide-zoo"):
        maps.map_scene(wanted)
    said = [str(getattr(block, "value", "")) for block in build_app(ModelZoo()).blocks.values()]
    assert any("landslide-zoo[map]" in text for text in said)
