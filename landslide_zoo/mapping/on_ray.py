"""Many scenes at once, each a task on Ray: on this machine, or on the cluster of RAY_ADDRESS."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.inference.backends import load_predictor
from landslide_zoo.inference.ensembles import Ensemble
from landslide_zoo.inference.predict import Predictor
from landslide_zoo.mapping.maps import map_in_words
from landslide_zoo.scenes.area import box_of
from landslide_zoo.settings import Backend

CPUS = 2
"""Processors of a scene, on a machine without a GPU."""


def map_on_ray(
    scenes: Sequence[str],
    output: str,
    models: Sequence[str],
    backend: Backend,
    device: str,
    **options: Any,  # noqa: ANN401 - those of map_scene
) -> Iterator[tuple[bool, str]]:
    """Map scenes side by side.

    Args:
        scenes: Paths that all machines know, or addresses that fsspec reaches.
        output: Folder for the maps, likewise.
        models: Names of the models; several are averaged.
        backend: What computes them.
        device: Where.
        options: Those of :func:`landslide_zoo.mapping.map_scene`, but ``model``; ``dem`` and
            ``before`` may be addresses, too.

    Yields:
        Of each scene whether there is a map, and what came of it in words, as they are done.

    Raises:
        LandslideZooError: If Ray is not installed, or does not start.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not os.environ.get("RAY_ADDRESS"):  # listen on loopback alone
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ImportError as error:
        raise LandslideZooError(
            "Ray is not installed: pip install 'landslide-zoo[ray]'."
        ) from error
    try:
        dashboard = None if os.environ.get("RAY_ADDRESS") else False
        ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=dashboard)
    except Exception as error:  # Ray has no errors of its own for this
        raise LandslideZooError(f"Ray does not start: {error}") from error
    try:
        gpus = 1 if ray.cluster_resources().get("GPU") else 0
        task = ray.remote(num_cpus=1 if gpus else CPUS, num_gpus=gpus)(_map)
        inputs = {key: _absolute(options[key]) for key in ("dem", "before") if options.get(key)}
        if options.get("aoi") and not box_of(options["aoi"]):
            inputs["aoi"] = _absolute(options["aoi"])
        further = _absolute(output), models, backend, device, options | inputs
        waiting = {task.remote(_absolute(scene), *further): scene for scene in scenes}
        while waiting:
            (done,), _ = ray.wait(list(waiting))
            scene = waiting.pop(done)
            try:
                yield ray.get(done)
            except ray.exceptions.RayError as error:
                yield False, f"{scene} could not be mapped ({type(error).__name__})."
    finally:
        ray.shutdown()


def _map(
    scene: str,
    output: str,
    models: Sequence[str],
    backend: Backend,
    device: str,
    options: dict[str, Any],
) -> tuple[bool, str]:
    """Map one scene in a worker, which loads the models once."""
    predictor = _load(tuple(models), backend, device)
    with tempfile.TemporaryDirectory() as folder:
        inputs = {"scene": scene, "dem": options.get("dem"), "before": options.get("before")}
        inputs = {key: _fetch(place, Path(folder, key)) for key, place in inputs.items() if place}
        maps = Path(folder, "maps") if "://" in output else Path(output)
        answer = map_in_words(output=maps, model=predictor, **(options | inputs))
        if "://" in output:
            import fsspec

            system, path = fsspec.core.url_to_fs(output)
            system.makedirs(path, exist_ok=True)
            for file in maps.glob("[!.]*"):
                system.put_file(str(file), f"{path}/{file.name}")
        return answer


@cache
def _load(models: tuple[str, ...], backend: Backend, device: str) -> Predictor:
    loaded = [load_predictor(name, backend, device) for name in models]
    return loaded[0] if len(loaded) == 1 else Ensemble(loaded, f"mean of {', '.join(models)}")


def _absolute(place: str) -> str:
    return place if "://" in place else str(Path(place).absolute())


def _fetch(place: str, folder: Path) -> Path:
    """A file or folder on this machine: itself where it is here, else a copy."""
    if "://" not in place:
        return Path(place)
    import fsspec

    copy = folder / PurePosixPath(urlsplit(place).path).name
    folder.mkdir()
    system, path = fsspec.core.url_to_fs(place)
    system.get(path, str(copy), recursive=True)
    return copy
