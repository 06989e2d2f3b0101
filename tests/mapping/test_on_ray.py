"""Many scenes on Ray give the maps that they give one by one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scene_files import write_dem, write_scene

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.inference import load_predictor
from landslide_zoo.mapping import map_in_words, map_scene

OPTIONS = {"clouds": "keep", "rules_off": ["all"], "threshold": 0.5}


def test_inputs_and_maps_in_object_storage(tmp_path: Path, model_folder: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    from landslide_zoo.mapping.on_ray import _map

    system = fsspec.filesystem("memory")
    for path in (write_scene(tmp_path / "valley.tif"), write_dem(tmp_path / "dem.tif")):
        system.put_file(str(path), f"/bucket/{path.name}")
    mapped, words = _map(
        "memory://bucket/valley.tif",
        "memory://bucket/maps",
        [str(model_folder)],
        "torch",
        "cpu",
        OPTIONS | {"dem": "memory://bucket/dem.tif"},
    )
    assert mapped, words
    assert system.exists("/bucket/maps/valley_landslides.gpkg")
    assert not [path for path in system.ls("/bucket/maps", detail=False) if "/." in path]


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    from landslide_zoo.mapping.on_ray import map_on_ray

    monkeypatch.setitem(sys.modules, "ray", None)  # what an import finds where it is missing
    with pytest.raises(LandslideZooError, match="pip install"):
        list(map_on_ray(["valley.tif"], "maps", ["a"], "auto", "auto"))


def test_what_goes_wrong_with_a_scene_is_that_scenes(tmp_path: Path, model_folder: Path) -> None:
    predictor = load_predictor(model_folder, "torch", "cpu")
    mapped, words = map_in_words(tmp_path / "gone.tif", tmp_path, model=predictor)
    assert not mapped and "gone.tif" in words
    mapped, words = map_in_words(tmp_path / "gone.tif", tmp_path, model=predictor, formats=3)
    assert not mapped


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_scenes_on_ray(tmp_path: Path, model_folder: Path) -> None:
    pytest.importorskip("ray")
    scenes = [write_scene(tmp_path / f"valley_{n}.tif", 300, 200, seed=n) for n in range(3)]
    (tmp_path / "bad.tif").write_text("no raster")
    command = [
        *(sys.executable, "-c", "from landslide_zoo.cli import main; main()", "map"),
        *map(str, (*scenes, tmp_path / "bad.tif")),
        *("--engine", "ray", "--model", str(model_folder), "--backend", "torch"),
        *("--output", str(tmp_path / "out"), "--device", "cpu"),
        *("--clouds", "keep", "--rule-off", "all", "--threshold", "0.5"),
    ]
    environment = os.environ | {
        "RAY_AUTH_TOKEN": "0" * 64,
        "RAY_AUTH_MODE": "token",
        # Ray asks three clouds' metadata servers where it runs: they are behind a dead proxy.
        "http_proxy": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "no_proxy": "127.0.0.1,localhost",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "3 of 4 scenes mapped." in done.stdout
    assert "bad.tif" in done.stderr
    predictor = load_predictor(model_folder, "torch", "cpu")
    for scene in scenes:
        found = map_scene(scene, tmp_path / "once", model=predictor, **OPTIONS)
        assert f"{found.name}: {len(found.landslides)} landslides" in done.stdout
