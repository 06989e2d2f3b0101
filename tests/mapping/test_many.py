"""Many scenes: what is done stays done, a killed worker loses nothing, the bytes are the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import fsspec
import psutil
import pytest
from command_line import Answer
from scene_files import write_dem, write_scene

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.inference import load_predictor
from landslide_zoo.inference.predict import Predictor
from landslide_zoo.mapping import map_many, map_scene
from landslide_zoo.mapping.cluster import LOCAL_WORKERS, Share, _share
from landslide_zoo.mapping.many import FINISHED, Outcome, map_one

OPTIONS = {"clouds": "keep", "rules_off": ["all"], "threshold": 0.5}
WORKER = "ray::MapWorker"
"""What a worker's process is called, as Ray names it."""


@pytest.fixture
def predictor(model_folder: Path) -> Predictor:
    return load_predictor(model_folder, "torch", "cpu")


@pytest.fixture
def bucket() -> Iterator[fsspec.AbstractFileSystem]:
    """Object storage in memory, emptied afterwards."""
    system = fsspec.filesystem("memory")
    system.mkdir("/bucket")
    yield system
    system.rm("/bucket", recursive=True)


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of maps by name; not what is hidden beside them."""
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")
    }


def test_a_scene_that_is_done_is_not_mapped_again(tmp_path: Path, predictor: Predictor) -> None:
    scene, out = write_scene(tmp_path / "valley.tif"), tmp_path / "out"

    def again(**changes: object) -> Outcome:
        outcome = map_one(str(scene), str(out), predictor, OPTIONS | changes)
        assert outcome.error is None
        return outcome

    first = again()
    assert not first.earlier and first.name == "valley" and first.landslides > 0
    assert set(files_of(out)) == set(first.files)
    mask = out / "valley_mask.tif"
    written = mask.stat()
    assert again().earlier
    assert os.path.samestat(mask.stat(), written)
    assert asdict(again()) == asdict(first) | {"earlier": True}

    assert not again(threshold=0.6).earlier  # other options
    assert not again().earlier
    mask.write_bytes(b"half of")  # damaged since
    assert not again().earlier
    assert mask.stat().st_size == written.st_size
    (finished,) = (out / FINISHED).iterdir()
    finished.write_text("{")
    assert not again().earlier
    write_scene(scene, seed=1)  # another scene under that name
    assert not again().earlier


def test_scenes_and_maps_in_object_storage(
    tmp_path: Path,
    predictor: Predictor,
    bucket: fsspec.AbstractFileSystem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    scene, dem = write_scene(tmp_path / "valley.tif"), write_dem(tmp_path / "dem.tif")
    expected = map_scene(scene, tmp_path / "here", model=predictor, dem=dem, **OPTIONS)
    for path in (scene, dem):
        bucket.put_file(str(path), f"/bucket/{path.name}")

    place, maps = "memory://bucket/valley.tif", "memory://bucket/maps"
    options = OPTIONS | {"dem": "memory://bucket/dem.tif"}
    outcome = map_one(place, maps, predictor, options)
    assert outcome.error is None
    assert set(outcome.files) == {path.name for path in expected.files}
    for path in expected.files:
        assert bucket.cat_file(f"/bucket/maps/{path.name}") == path.read_bytes()
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]

    assert map_one(place, maps, predictor, options).earlier
    bucket.rm_file("/bucket/maps/valley_mask.tif")
    assert not map_one(place, maps, predictor, options).earlier
    bucket.put_file(str(write_dem(tmp_path / "another.tif", margin=400)), "/bucket/dem.tif")
    assert not map_one(place, maps, predictor, options).earlier


def test_what_goes_wrong_with_a_scene_is_told(tmp_path: Path, predictor: Predictor) -> None:
    bad = tmp_path / "bad.tif"
    bad.write_bytes(b"no raster")
    for place in (str(bad), str(tmp_path / "gone.tif"), "memory://bucket/gone.tif"):
        outcome = map_one(place, str(tmp_path / "out"), predictor, OPTIONS)
        assert outcome.error is not None and outcome.error.endswith(".")
        assert Path(place).name in outcome.error
    assert not (tmp_path / "out" / FINISHED).exists()


def test_an_outcome_goes_through_json() -> None:
    outcome = Outcome("a.tif", "a", ("a_mask.tif",), 3, 1.5, notes=("Odd.",))
    assert Outcome.from_dict(json.loads(json.dumps(asdict(outcome)))) == outcome


def test_where_all_is_done_ray_is_not_needed(
    tmp_path: Path, model_folder: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_scene(tmp_path / "valley.tif")
    load = partial(load_predictor, model_folder, "torch", "cpu")
    scene, out = str(tmp_path / "valley.tif"), str(tmp_path / "out")
    map_one(scene, out, predictor, OPTIONS)
    monkeypatch.setitem(sys.modules, "ray", None)  # what an import finds where it is missing
    (outcome,) = map_many(["valley.tif"], "out", load, **OPTIONS)
    assert outcome.earlier
    with pytest.raises(LandslideZooError, match=r"pip install 'landslide-zoo\[ray\]'"):
        list(map_many(["valley.tif"], "elsewhere", load, **OPTIONS))


def test_an_address_without_ray_is_refused(
    command: Callable[..., Answer], tmp_path: Path, model_folder: Path
) -> None:
    place, out = "memory://bucket/valley.tif", tmp_path / "out"
    answer = command("map", place, "--model", model_folder, "--output", out)
    assert answer.status == 1
    assert answer.errors == [f"Error: {place} is not on this machine: map it with --engine ray."]
    assert not out.exists()


@pytest.mark.parametrize(
    ("nodes", "workers", "share"),
    [
        ([{"CPU": 8}], None, Share(LOCAL_WORKERS, 4, 0)),
        ([{"CPU": 1}], None, Share(LOCAL_WORKERS, 0.5, 0)),
        ([{"CPU": 8}], 3, Share(3, 2, 0)),
        ([{"CPU": 8}, {"CPU": 16}, {}], None, Share(2, 8, 0)),
        ([{"CPU": 8}, {"CPU": 16}], 4, Share(4, 4, 0)),
        ([{"CPU": 8}, {"CPU": 32, "GPU": 4}], None, Share(4, 1, 1)),
        ([{"CPU": 32, "GPU": 2}], 6, Share(2, 1, 1)),
    ],
)
def test_what_each_worker_has(
    nodes: list[dict[str, float]], workers: int | None, share: Share
) -> None:
    alive = [{"Alive": True, "Resources": one} for one in nodes]
    gone = {"Alive": False, "Resources": {"CPU": 1, "GPU": 1}}
    assert _share([*alive, gone], workers) == share


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_workers_lose_nothing(
    tmp_path: Path, model_folder: Path, predictor: Predictor
) -> None:
    scenes = [
        write_scene(tmp_path / f"valley_{number}.tif", 2400, 200, seed=number)
        for number in range(4)
    ]
    out, once = tmp_path / "out", tmp_path / "once"
    for scene in scenes:
        map_scene(scene, once, model=predictor, **OPTIONS)

    arguments = ["--clouds", "keep", "--rule-off", "all", "--threshold", "0.5"]
    command = [
        *(sys.executable, "-c", "from landslide_zoo.cli import main; main()", "map"),
        *map(str, scenes),
        *("--engine", "ray", "--model", str(model_folder), "--backend", "torch"),
        *("--output", str(out), "--device", "cpu", *arguments),
    ]
    environment = os.environ | {"RAY_AUTH_TOKEN": "0" * 64, "RAY_AUTH_MODE": "token"}
    said = tmp_path / "said.txt"
    with said.open("w") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
    try:
        # Until a scene is done and another is half done.
        while not (done := finished(out)) or max(rows_of(out, done).values(), default=0) < 2:
            assert process.poll() is None, said.read_text()
            time.sleep(0.02)
        progress = rows_of(out, done)
        before = {path: path.stat() for name in done for path in out.glob(f"{name}_*")}
        workers = workers_of(process.pid)
        assert len(workers) == LOCAL_WORKERS
        for worker in workers:
            worker.kill()
        while process.poll() is None:  # what was done is not done again
            assert all(rows_of(out)[name] >= rows for name, rows in progress.items())
            time.sleep(0.02)
    finally:
        if process.poll() is None:
            process.kill()
    assert process.returncode == 0, said.read_text()
    assert "4 of 4 scenes mapped." in said.read_text()
    assert "Traceback" not in said.read_text()
    assert files_of(out) == files_of(once)
    for path, status in before.items():
        assert os.path.samestat(path.stat(), status)

    # Everything is done: Ray is not even started.
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert again.stdout.count("Written by an earlier run") == 4
    assert files_of(out) == files_of(once)


def finished(out: Path) -> set[str]:
    """Names of the scenes that are done."""
    marks = (out / FINISHED).glob("[!.]*.json")
    return {json.loads(mark.read_text())["outcome"]["name"] for mark in marks}


def rows_of(out: Path, done: Collection[str] = ()) -> dict[str, int]:
    """Rows of tiles that the network has done, by name of the scene, without those given."""
    rows = {}
    for path in out.glob(".*.work/journal.json"):
        name = path.parent.name[1 : -len(".work")]
        if name not in done:
            rows[name] = json.loads(path.read_text())["counts"].get("network", 0)
    return rows


def workers_of(pid: int) -> list[psutil.Process]:
    """The processes of Ray's workers that map scenes."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        try:
            if child.cmdline() and child.cmdline()[0].startswith(WORKER):
                found.append(child)
        except psutil.Error:  # it ended meanwhile
            continue
    return found
